import type { NormalizedSchema } from '@smithy/core/schema';
import { requiredMembers } from './model.ts';

export interface InputProblem {
  readonly kind: 'missing' | 'type';
  readonly message: string;
}

const shown = (value: unknown): string => {
  const text = JSON.stringify(value, (_key, part) => (typeof part === 'bigint' ? String(part) : part)) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
};

const expectedType = (schema: NormalizedSchema, value: unknown): string | undefined => {
  if (schema.isStructSchema() || schema.isMapSchema()) {
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? undefined : 'an object';
  }
  if (schema.isListSchema()) return Array.isArray(value) ? undefined : 'a list';
  if (schema.isStringSchema()) return typeof value === 'string' || value instanceof String ? undefined : 'a string';
  if (schema.isNumericSchema()) return typeof value === 'number' && Number.isFinite(value) ? undefined : 'a number';
  if (schema.isBooleanSchema()) return typeof value === 'boolean' ? undefined : 'true or false';
  if (schema.isBlobSchema()) return value instanceof Uint8Array ? undefined : 'base64 text';
  if (schema.isTimestampSchema()) {
    return value instanceof Date && !Number.isNaN(value.getTime()) ? undefined : 'a timestamp';
  }
  return undefined;
};

const childrenOf = (schema: NormalizedSchema, value: unknown, path: string): [NormalizedSchema, unknown, string][] => {
  const below = (name: string): string => (path === '' ? name : `${path}.${name}`);
  if (schema.isListSchema()) {
    return (value as unknown[]).map((item, index) => [schema.getValueSchema(), item, below(`${index + 1}.member`)]);
  }
  const fields = value as Record<string, unknown>;
  if (schema.isMapSchema())
    return Object.entries(fields).map(([key, item]) => [schema.getValueSchema(), item, below(key)]);
  return [...schema.structIterator()]
    .filter(([name]) => fields[name] !== undefined && fields[name] !== null)
    .map(([name, member]) => [member, fields[name], below(name)]);
};

/** Everything in `value` that the schema forbids: absent required members, values of another type. Empty means fit. */
export const inputProblems = (schema: NormalizedSchema, value: unknown, path = ''): InputProblem[] => {
  if (schema.isUnitSchema() || schema.isDocumentSchema()) return [];
  const expected = expectedType(schema, value);
  if (expected)
    return [{ kind: 'type', message: `Value ${shown(value)} at '${path || 'the request'}' must be ${expected}` }];
  if (!schema.isStructSchema() && !schema.isListSchema() && !schema.isMapSchema()) return [];
  const missing = schema.isStructSchema() && !schema.isUnionSchema() ? requiredMembers(schema) : [];
  const absent = missing.filter((name) => (value as Record<string, unknown>)[name] === undefined);
  return [
    ...absent.map((name): InputProblem => {
      const at = path === '' ? name : `${path}.${name}`;
      return {
        kind: 'missing',
        message: `Value null at '${at}' failed to satisfy constraint: Member must not be null`,
      };
    }),
    ...childrenOf(schema, value, path).flatMap(([member, item, at]) => inputProblems(member, item, at)),
  ];
};
