import { randomInt, randomUUID } from 'node:crypto';
import { admit } from '../admission/admission.ts';
import { trackUpdate } from '../apply/managed-fields.ts';
import { fillDefaults } from '../defaults/defaults.ts';
import { apiVersionOf } from '../kinds.ts';
import { type KubeObject, sameJson, timestamp } from '../object.ts';
import { checkRules } from '../rules/rules.ts';
import type { Schema } from '../schema/models.ts';
import { checkSchema, checkUnknownFields } from '../schema/schema-check.ts';
import { conflict, modified } from '../status.ts';
import { eraseWhenFree } from './deletion.ts';
import type { Target, WriteOptions, Written } from './target.ts';

export interface Save {
  readonly target: Target;
  /** A copy that belongs to the call. */
  readonly object: KubeObject;
  readonly before: KubeObject | undefined;
  readonly schema: Schema | undefined;
  readonly options: WriteOptions;
  /** The object's managed fields are already those of a server-side apply. */
  readonly applied?: true;
}

/** kube-apiserver's alphabet: no vowels, so that no words come about. */
const letters = 'bcdfghjklmnpqrstvwxz2456789';
const suffix = (): string => Array.from({ length: 5 }, () => letters[randomInt(letters.length)]).join('');

/** Kinds whose schema does not require a spec but that are nothing without: so that the spec's own faults are told. */
const withSpec = new Set([
  'Pod',
  'Service',
  'Deployment',
  'ReplicaSet',
  'StatefulSet',
  'DaemonSet',
  'Job',
  'CronJob',
  'NetworkPolicy',
  'LimitRange',
  'ResourceQuota',
  'HorizontalPodAutoscaler',
  'PersistentVolumeClaim',
]);

const fillMetadata = ({ target, object, before }: Save): void => {
  const { kind, namespace } = target;
  const { metadata } = object;
  object.apiVersion = apiVersionOf(kind);
  object.kind = kind.kind;
  if (namespace === undefined) delete metadata.namespace;
  else metadata.namespace = namespace;
  if (!kind.custom && withSpec.has(kind.kind)) object.spec ??= {};
  if (before) return;
  if (!metadata.name && metadata.generateName) metadata.name = `${metadata.generateName}${suffix()}`;
  metadata.uid = randomUUID();
  metadata.creationTimestamp = timestamp();
  delete metadata.resourceVersion;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata.generation;
};

/** What only the API sets stays as it was. */
const keepMetadata = ({ target, object, before }: Save): void => {
  if (!before) return;
  const { metadata } = object;
  const { kind } = target;
  const name = before.metadata.name;
  if (metadata.uid && metadata.uid !== before.metadata.uid) {
    throw conflict(
      kind,
      name,
      `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${before.metadata.uid}`,
    );
  }
  if (metadata.resourceVersion && metadata.resourceVersion !== before.metadata.resourceVersion) {
    throw modified(kind, name);
  }
  for (const field of [
    'name',
    'namespace',
    'uid',
    'resourceVersion',
    'generation',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'generateName',
  ] as const) {
    if (before.metadata[field] === undefined) delete metadata[field];
    else Object.assign(metadata, { [field]: before.metadata[field] });
  }
};

const countGeneration = ({ target, object, before }: Save): void => {
  if (!target.kind.counted) return;
  if (!before) {
    object.metadata.generation = 1;
    return;
  }
  const bare = ({ metadata: _, status: __, ...rest }: KubeObject): object => rest;
  const generation = before.metadata.generation ?? 1;
  object.metadata.generation = sameJson(bare(before), bare(object)) ? generation : generation + 1;
};

const dropEmpty = ({ metadata }: KubeObject): void => {
  for (const field of ['labels', 'annotations', 'finalizers', 'ownerReferences'] as const) {
    const value = metadata[field];
    if (value === null || (value && Object.keys(value).length === 0)) delete metadata[field];
  }
};

/**
 * Everything between a merged object and the disk: schema, defaults, rules, admission, managed fields, generation. A save
 * that changes nothing writes nothing, or informers and `kubectl diff` would never come to rest. All checks run in one turn
 * of the loop with the write, so nothing can change between them. Rejects with StatusError.
 */
export const save = async (request: Save): Promise<Written> => {
  const { target, object, before, schema, options, applied } = request;
  const { objects, kind, subresource } = target;
  keepMetadata(request);
  fillMetadata(request);
  dropEmpty(object);
  checkSchema(kind, object, schema);
  const unknown = applied ? [] : checkUnknownFields(kind, object, schema, options.validation);
  fillDefaults(object, before, objects);
  const warnings = [...unknown, ...admit({ objects, kind, object, before, subresource })];
  // What a subresource may change is less than the rules forbid, but a binding gives a pod its node.
  checkRules(kind, object, subresource === undefined ? before : undefined);
  if (!applied) {
    object.metadata.managedFields = trackUpdate(before, object, {
      manager: options.manager,
      ...(subresource ? { subresource } : {}),
    });
  }
  countGeneration(request);
  if (before && sameJson(before, object)) return { object: before, created: false, warnings };
  if (options.dryRun) return { object, created: before === undefined, warnings };
  const gone = before && eraseWhenFree(target, object);
  if (gone) return { object: await gone, created: false, warnings };
  return { object: await objects.put(kind, object), created: before === undefined, warnings };
};
