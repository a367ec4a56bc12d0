import { applyConfiguration, type FieldConflict } from '../apply/server-side-apply.ts';
import { apiVersionOf, type Kind } from '../kinds.ts';
import { isObject, type JsonObject, type KubeObject } from '../object.ts';
import { applyJsonPatch } from '../patches/json-patch.ts';
import { applyMergePatch } from '../patches/merge-patch.ts';
import { applyStrategicMergePatch } from '../patches/strategic-merge-patch.ts';
import { type Schema, schemaOf } from '../schema/models.ts';
import { checkUnknownFields } from '../schema/schema-check.ts';
import { alreadyExists, badRequest, conflict, invalid, notFound, StatusError } from '../status.ts';
import { save } from './save.ts';
import type { Target, WriteOptions, Written } from './target.ts';

/** A copy of the body as an object of the kind. Throws 400 where it says to be something else. */
const readObject = (target: Target, body: JsonObject, name?: string): KubeObject => {
  const { kind, namespace } = target;
  const expected = { apiVersion: apiVersionOf(kind), kind: kind.kind };
  for (const field of ['apiVersion', 'kind'] as const) {
    if (body[field] !== undefined && body[field] !== '' && body[field] !== expected[field]) {
      throw badRequest(
        `the ${field === 'kind' ? 'kind' : 'API version'} in the data (${String(body[field])}) does not match the expected ${field === 'kind' ? 'kind' : 'API version'} (${expected[field]})`,
      );
    }
  }
  const metadata = isObject(body.metadata) ? { ...body.metadata } : {};
  if (metadata.namespace && metadata.namespace !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (name !== undefined && metadata.name && metadata.name !== name) {
    throw badRequest(`the name of the object (${String(metadata.name)}) does not match the name on the URL (${name})`);
  }
  if (name !== undefined) metadata.name = name;
  return { ...structuredClone(body), ...expected, metadata: metadata as unknown as KubeObject['metadata'] };
};

const hasStatus = ({ subresources }: Kind): boolean => subresources.includes('status');

/** Rejects with 409 where the name is taken. */
export const createObject = async (target: Target, body: JsonObject, options: WriteOptions): Promise<Written> => {
  const { objects, kind, namespace } = target;
  const schema = await schemaOf(kind);
  const object = readObject(target, body);
  if (hasStatus(kind)) delete object.status;
  if (object.metadata.name && objects.get(kind, namespace, object.metadata.name)) {
    throw alreadyExists(kind, object.metadata.name);
  }
  return save({ target, object, before: undefined, schema, options });
};

/** The part that a write to a subresource, or to the object itself, may change; the rest stays. */
const restrict = ({ kind, subresource }: Target, before: KubeObject, object: KubeObject): KubeObject => {
  if (subresource === 'status') {
    const { resourceVersion, uid, managedFields } = object.metadata;
    const metadata = {
      ...structuredClone(before.metadata),
      resourceVersion,
      uid,
      managedFields,
    } as KubeObject['metadata'];
    return { ...structuredClone(before), metadata, status: object.status };
  }
  if (subresource === 'finalize') {
    const spec = { ...(before.spec as object), finalizers: (object.spec as JsonObject | undefined)?.finalizers ?? [] };
    const { resourceVersion, uid } = object.metadata;
    return {
      ...structuredClone(before),
      metadata: { ...before.metadata, resourceVersion, uid } as KubeObject['metadata'],
      spec,
    };
  }
  if (!hasStatus(kind)) return object;
  const { status: _, ...rest } = object;
  return before.status === undefined
    ? (rest as KubeObject)
    : ({ ...rest, status: structuredClone(before.status) } as KubeObject);
};

const find = ({ objects, kind, namespace }: Target, name: string): KubeObject => {
  const found = objects.get(kind, namespace, name);
  if (!found) throw notFound(kind, name);
  return found;
};

/** Replaces; what the update leaves out is gone. Rejects with 404, 409. */
export const updateObject = async (
  target: Target,
  name: string,
  body: JsonObject,
  options: WriteOptions,
): Promise<Written> => {
  const schema = await schemaOf(target.kind);
  const before = find(target, name);
  const object = restrict(target, before, readObject(target, body, name));
  return save({ target, object, before, schema, options });
};

/** Changes a copy through `change`. Rejects with 404, 409. */
export const modifyObject = async (
  target: Target,
  name: string,
  change: (object: KubeObject) => KubeObject,
  options: WriteOptions,
): Promise<Written> => {
  const schema = await schemaOf(target.kind);
  const before = find(target, name);
  return save({ target, object: change(structuredClone(before)), before, schema, options });
};

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

const patchTypes: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

/** Throws 415 for what is none, and for strategic merge patches of custom kinds, which no API can do. */
export const patchTypeOf = (contentType: string, { custom }: Kind): PatchType => {
  const type = patchTypes[contentType.split(';')[0]!.trim()];
  if (type && !(custom && type === 'strategic')) return type;
  const supported = Object.keys(patchTypes).filter((name) => !(custom && patchTypes[name] === 'strategic'));
  throw new StatusError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${supported.join(', ')}`,
  );
};

const patched = (type: Exclude<PatchType, 'apply'>, document: KubeObject, patch: unknown): JsonObject => {
  const result =
    type === 'json'
      ? applyJsonPatch(document, patch)
      : type === 'merge'
        ? applyMergePatch(document, patch)
        : applyStrategicMergePatch(document as unknown as JsonObject, patch as JsonObject, document.kind);
  if (isObject(result)) return result;
  throw badRequest('the patch leaves no object');
};

/** Rejects with 404, 409, and 422 where a JSON patch does not fit. */
export const patchObject = async (
  target: Target,
  name: string,
  type: Exclude<PatchType, 'apply'>,
  patch: unknown,
  options: WriteOptions,
): Promise<Written> => {
  if (type !== 'json' && !isObject(patch)) throw badRequest('the patch must be an object');
  const schema = await schemaOf(target.kind);
  const before = find(target, name);
  const object = readObject(target, patched(type, structuredClone(before), patch), name);
  return save({ target, object: restrict(target, before, object), before, schema, options });
};

const managerText = ({ manager, operation, apiVersion, subresource }: FieldConflict): string =>
  `"${manager}"${subresource ? ` with subresource "${subresource}"` : ''}${operation === 'Update' ? ` using ${apiVersion}` : ''}`;

/** The words of k8s.io/apimachinery's managedfields, which kubectl shows and people search for. */
const applyConflict = (kind: Kind, name: string, conflicts: readonly FieldConflict[]): StatusError => {
  const [first] = conflicts;
  const managers = [...new Set(conflicts.map(managerText))].sort();
  const lines = managers.flatMap((manager) => [
    `conflicts with ${manager}:`,
    ...conflicts.filter((found) => managerText(found) === manager).map(({ field }) => `- ${field}`),
  ]);
  const message =
    conflicts.length === 1
      ? `Apply failed with 1 conflict: conflict with ${managerText(first!)}: ${first!.field}`
      : `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
  return new StatusError(409, 'Conflict', message, {
    name,
    ...(kind.group ? { group: kind.group } : {}),
    kind: kind.plural,
    causes: conflicts.map((found) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${managerText(found)}`,
      field: found.field,
    })),
  });
};

const checkApply = (name: string, body: JsonObject, manager: string | null, kind: Kind): string => {
  if (!manager) {
    throw invalid({ ...kind, kind: 'PatchOptions', group: 'meta.k8s.io' }, '', [
      { field: 'fieldManager', reason: 'FieldValueRequired', message: 'Required value: is required for apply patch' },
    ]);
  }
  if (body.apiVersion === undefined || body.kind === undefined) {
    throw badRequest(`the configuration of ${name} must say its apiVersion and its kind`);
  }
  const { managedFields } = (isObject(body.metadata) ? body.metadata : {}) as { managedFields?: unknown[] };
  if (managedFields && managedFields.length > 0) throw badRequest('metadata.managedFields must be nil');
  return manager;
};

/** What of the configuration the manager wants to hold here: all but the status, or the status alone. */
const configurationOf = ({ kind, subresource }: Target, object: KubeObject): KubeObject => {
  const { uid: _, resourceVersion: __, generation: ___, creationTimestamp: ____, ...metadata } = object.metadata;
  if (subresource === 'status') {
    return {
      apiVersion: object.apiVersion,
      kind: object.kind,
      metadata: { name: metadata.name },
      status: object.status,
    };
  }
  const configuration = { ...object, metadata };
  if (hasStatus(kind)) delete configuration.status;
  return configuration;
};

/** Server-side apply. Creates what is not there. Rejects with 409 and the fields in conflict. */
export const applyObject = async (
  target: Target,
  name: string,
  body: JsonObject,
  query: URLSearchParams,
  options: WriteOptions,
): Promise<Written> => {
  const { objects, kind, namespace, subresource } = target;
  const manager = checkApply(name, body, query.get('fieldManager'), kind);
  const schema: Schema | undefined = await schemaOf(kind);
  const live = objects.get(kind, namespace, name);
  if (!live && subresource) throw notFound(kind, name);
  const given = readObject(target, body, name);
  if (given.metadata.resourceVersion && given.metadata.resourceVersion !== live?.metadata.resourceVersion) {
    throw conflict(
      kind,
      name,
      'the object has been modified; please apply your changes to the latest version and try again',
    );
  }
  checkUnknownFields(kind, given, schema, 'Apply');
  const wanted = configurationOf(target, given);
  const force = query.get('force') === 'true';
  const result = applyConfiguration({ live, wanted, manager, force, ...(subresource ? { subresource } : {}) });
  if ('conflicts' in result) throw applyConflict(kind, name, result.conflicts);
  return save({ target, object: result.object, before: live, schema, options: { ...options, manager }, applied: true });
};
