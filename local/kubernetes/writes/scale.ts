import { isObject, type JsonObject, type KubeObject } from '../object.ts';
import { applyJsonPatch } from '../patches/json-patch.ts';
import { applyMergePatch } from '../patches/merge-patch.ts';
import { badRequest } from '../status.ts';
import type { PatchType } from './writes.ts';

const selectorText = (selector: unknown): string => {
  if (!isObject(selector)) return '';
  const labels = isObject(selector.matchLabels) ? selector.matchLabels : selector;
  return Object.entries(labels)
    .filter(([, value]) => typeof value === 'string')
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(',');
};

/** The object as its `scale` subresource shows it. */
export const scaleOf = ({ metadata, spec, status }: KubeObject): KubeObject => {
  const { replicas = 0, selector } = (spec ?? {}) as { replicas?: number; selector?: unknown };
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      name,
      ...(namespace ? { namespace } : {}),
      uid,
      resourceVersion,
      creationTimestamp,
    } as KubeObject['metadata'],
    spec: { replicas },
    status: {
      replicas: (status as { replicas?: number } | undefined)?.replicas ?? 0,
      selector: selectorText(selector),
    },
  };
};

/** The object with the replicas of a Scale. Throws 400. */
export const withScale = (object: KubeObject, scale: JsonObject): KubeObject => {
  const { replicas = 0 } = (isObject(scale.spec) ? scale.spec : {}) as { replicas?: number };
  if (!Number.isInteger(replicas) || replicas < 0) {
    throw badRequest(
      `Scale "${object.metadata.name}" is invalid: spec.replicas: Invalid value: ${replicas}: must be greater than or equal to 0`,
    );
  }
  const { resourceVersion } = (isObject(scale.metadata) ? scale.metadata : {}) as { resourceVersion?: string };
  return {
    ...object,
    metadata: { ...object.metadata, ...(resourceVersion ? { resourceVersion } : {}) },
    spec: { ...(object.spec as object), replicas },
  };
};

/** The Scale of an object after a patch of it. */
export const patchScale = (object: KubeObject, type: PatchType, patch: unknown): JsonObject => {
  const scale = scaleOf(object);
  const changed = type === 'json' ? applyJsonPatch(scale, patch) : applyMergePatch(scale, patch);
  return isObject(changed) ? changed : {};
};
