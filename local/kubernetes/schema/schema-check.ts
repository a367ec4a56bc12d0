import type { Kind } from '../kinds.ts';
import { isObject, type KubeObject } from '../object.ts';
import { badRequest, type FieldError, invalid, StatusError } from '../status.ts';
import type { Schema, SchemaFault } from './models.ts';

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

/** `/spec/containers/0/name` as `spec.containers[0].name`. */
const fieldOf = (pointer: string): string =>
  pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((path, step) => (/^\d+$/.test(step) ? `${path}[${step}]` : path ? `${path}.${step}` : step), '');

const valueIn = (object: unknown, pointer: string): unknown =>
  pointer
    .split('/')
    .slice(1)
    .reduce<unknown>((at, step) => {
      if (Array.isArray(at)) return at[Number(step)];
      return isObject(at) ? at[step.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined;
    }, object);

const goType = (value: unknown): string => {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  return typeof value;
};

const fieldError = (object: KubeObject, fault: SchemaFault): FieldError => {
  const field = fieldOf(fault.instancePath);
  if (fault.keyword === 'required') {
    const missing = String(fault.params.missingProperty);
    return { field: field ? `${field}.${missing}` : missing, reason: 'FieldValueRequired', message: 'Required value' };
  }
  const value = JSON.stringify(valueIn(object, fault.instancePath));
  if (fault.keyword === 'enum') {
    const allowed = (fault.params.allowedValues as unknown[]).map((item) => JSON.stringify(item)).join(', ');
    return {
      field,
      reason: 'FieldValueNotSupported',
      message: `Unsupported value: ${value}: supported values: ${allowed}`,
    };
  }
  return { field, reason: 'FieldValueInvalid', message: `Invalid value: ${value}: ${fault.message ?? fault.keyword}` };
};

/** A value of the wrong type cannot even be read by a typed API: 400. */
const checkTypes = (kind: Kind, object: KubeObject, faults: readonly SchemaFault[]): void => {
  const wrong = faults.find(({ keyword, instancePath }) => keyword === 'type' && instancePath !== '');
  if (!wrong) return;
  const field = fieldOf(wrong.instancePath);
  const value = valueIn(object, wrong.instancePath);
  throw badRequest(
    `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: json: cannot unmarshal ${goType(value)} into Go struct field ${kind.kind}.${field} of type ${String(wrong.params.type)}`,
  );
};

/** Alternatives of a union (`oneOf`, `anyOf`) are told by the faults of their branches, which say less. */
const told = ({ keyword }: SchemaFault): boolean => !['anyOf', 'oneOf', 'if'].includes(keyword);

/** Throws 400 for wrong types and 422 for missing members and unknown enum values, all of them at once. */
export const checkSchema = (kind: Kind, object: KubeObject, schema: Schema | undefined): void => {
  const faults = schema?.faults(object) ?? [];
  if (faults.length === 0) return;
  const unions = new Set(faults.filter((fault) => !told(fault)).map(({ instancePath }) => instancePath));
  const plain = faults.filter((fault) => told(fault) && !unions.has(fault.instancePath));
  checkTypes(kind, object, plain);
  const errors = (plain.length > 0 ? plain : faults).map((fault) => fieldError(object, fault));
  throw invalid(kind, object.metadata.name, errors);
};

const strictFault = (kind: Kind, unknown: readonly string[]) =>
  badRequest(
    `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: strict decoding error: ${unknown.map((field) => `unknown field "${field}"`).join(', ')}`,
  );

/**
 * Server-side apply refuses unknown members whatever fieldValidation says, and Kubernetes answers 500 without a reason
 * (kubernetes/kubernetes#122480, still so in 1.36). Clients that retry 5xx must know these words.
 */
const untypable = (kind: Kind, { metadata }: KubeObject, unknown: readonly string[]): StatusError => {
  const faults = unknown.map((field) => `.${field}: field not declared in schema`);
  const told = faults.length === 1 ? faults[0] : `errors:\n${faults.map((fault) => `  ${fault}`).join('\n')}`;
  const where = metadata.namespace ? `${metadata.namespace}/${metadata.name}` : `/${metadata.name}`;
  const type = `${kind.group}/${kind.version}, Kind=${kind.kind}`;
  return new StatusError(500, '', `failed to create typed patch object (${where}; ${type}): ${told}`);
};

/** Warnings for members that the kind does not have; where they are refused, throws an error that names them all. */
export const checkUnknownFields = (
  kind: Kind,
  object: KubeObject,
  schema: Schema | undefined,
  validation: FieldValidation | 'Apply',
): string[] => {
  if (validation === 'Ignore' || !schema) return [];
  const unknown = schema.unknownFields(object);
  if (unknown.length === 0) return [];
  if (validation === 'Strict') throw strictFault(kind, unknown);
  if (validation === 'Apply') throw untypable(kind, object, unknown);
  return unknown.map((field) => `unknown field "${field}"`);
};
