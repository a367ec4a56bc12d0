import type { V1PodSpec, V1ResourceQuotaSpec } from '@kubernetes/client-node';
import { podKind, resourceQuotaKind } from '../kinds.ts';
import type { KubeObject } from '../object.ts';
import { formatQuantity, parseQuantity, type Quantity, sumQuantities } from '../quantity.ts';
import { forbidden } from '../status.ts';
import { computeResources, usageOf } from './quota-usage.ts';
import type { AdmissionRequest } from './request.ts';

const nothing: Quantity = { milli: 0n, binary: false };

const print = (values: Readonly<Record<string, Quantity>>): string =>
  Object.keys(values)
    .sort()
    .map((name) => `${name}=${formatQuantity(values[name]!)}`)
    .join(',');

/** Resources that a container does not name though the quota limits them, as `limits.cpu for: app`. */
const unnamed = (object: KubeObject, hard: Readonly<Record<string, string>>): string[] => {
  const { containers = [] } = object.spec as V1PodSpec;
  return Object.keys(hard)
    .sort()
    .flatMap((resource) => {
      const [part, name] = computeResources.get(resource) ?? [];
      if (part === undefined || name === undefined) return [];
      const missing = containers.filter(({ resources }) => resources?.[part]?.[name] === undefined);
      if (missing.length === 0) return [];
      return [
        `${resource} for: ${missing
          .map((container) => container.name)
          .sort()
          .join(',')}`,
      ];
    });
};

const checkQuota = (request: AdmissionRequest, quota: KubeObject): void => {
  const { objects, kind, object, before } = request;
  const { name, namespace } = object.metadata;
  const { hard = {} } = quota.spec as V1ResourceQuotaSpec;
  const after = usageOf(kind, object);
  const earlier = before ? usageOf(kind, before) : {};
  const limited = Object.keys(hard).filter(
    (resource) => (after[resource]?.milli ?? 0n) > (earlier[resource]?.milli ?? 0n),
  );
  if (kind === podKind && !before) {
    const missing = unnamed(object, hard);
    if (missing.length > 0)
      throw forbidden(kind, name, `failed quota: ${quota.metadata.name}: must specify ${missing.join('; ')}`);
  }
  if (limited.length === 0) return;
  const usages = objects.list(kind, namespace).map((other) => usageOf(kind, other));
  const exceeded = limited.flatMap((resource) => {
    const most = parseQuantity(hard[resource]) ?? nothing;
    const used = sumQuantities(usages.map((usage) => usage[resource]));
    const requested = {
      milli: after[resource]!.milli - (earlier[resource]?.milli ?? 0n),
      binary: after[resource]!.binary,
    };
    return used.milli + requested.milli > most.milli ? [{ resource, requested, used, most }] : [];
  });
  if (exceeded.length === 0) return;
  const column = (of: 'requested' | 'used' | 'most'): string =>
    print(Object.fromEntries(exceeded.map((entry) => [entry.resource, entry[of]])));
  throw forbidden(
    kind,
    name,
    `exceeded quota: ${quota.metadata.name}, requested: ${column('requested')}, used: ${column('used')}, limited: ${column('most')}`,
  );
};

/**
 * Refuses what the namespace's ResourceQuotas have no room for, counting the objects that are there; `status.used` is a
 * controller's to write. Quotas with scopes are not enforced. Source: k8s.io/apiserver's resourcequota admission.
 */
export const admitQuota = (request: AdmissionRequest): void => {
  const { objects, kind, object, subresource } = request;
  if (!kind.namespaced || subresource !== undefined) return;
  for (const quota of objects.list(resourceQuotaKind, object.metadata.namespace)) {
    const { scopes, scopeSelector } = quota.spec as V1ResourceQuotaSpec;
    if (!scopes?.length && !scopeSelector) checkQuota(request, quota);
  }
};
