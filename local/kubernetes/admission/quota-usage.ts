import type { V1Container, V1PersistentVolumeClaimSpec, V1PodSpec, V1ServiceSpec } from '@kubernetes/client-node';
import type { Kind } from '../kinds.ts';
import type { KubeObject } from '../object.ts';
import { parseQuantity, type Quantity, sumQuantities } from '../quantity.ts';

export type Usage = Readonly<Record<string, Quantity>>;

const one: Quantity = { milli: 1000n, binary: false };
const times = (count: number): Quantity => ({ milli: BigInt(count) * 1000n, binary: false });

/** A pod needs the larger of all its containers together and each init container alone. */
const podResource = (spec: V1PodSpec, part: 'requests' | 'limits', name: string): Quantity | undefined => {
  const of = ({ resources }: V1Container): Quantity | undefined => parseQuantity(resources?.[part]?.[name]);
  const running = (spec.containers ?? []).map(of);
  const initial = (spec.initContainers ?? []).map(of).filter((quantity) => quantity !== undefined);
  if (running.every((quantity) => quantity === undefined) && initial.length === 0) return undefined;
  return initial.reduce((most, quantity) => (quantity.milli > most.milli ? quantity : most), sumQuantities(running));
};

const computeNames: readonly [string, 'requests' | 'limits', string][] = [
  ['cpu', 'requests', 'cpu'],
  ['memory', 'requests', 'memory'],
  ['ephemeral-storage', 'requests', 'ephemeral-storage'],
  ...(['requests', 'limits'] as const).flatMap((part) =>
    ['cpu', 'memory', 'ephemeral-storage'].map((name): [string, 'requests' | 'limits', string] => [
      `${part}.${name}`,
      part,
      name,
    ]),
  ),
];

/** Pods that have ended use nothing but their place in `count/pods`. */
const podUsage = ({ spec, status }: KubeObject): Record<string, Quantity> => {
  const { phase } = (status ?? {}) as { phase?: string };
  if (phase === 'Succeeded' || phase === 'Failed') return {};
  const usage: Record<string, Quantity> = { pods: one };
  for (const [resource, part, name] of computeNames) {
    const quantity = podResource(spec as V1PodSpec, part, name);
    if (quantity) usage[resource] = quantity;
  }
  return usage;
};

const serviceUsage = ({ spec }: KubeObject): Record<string, Quantity> => {
  const { type, ports = [], allocateLoadBalancerNodePorts } = spec as V1ServiceSpec;
  const balanced = type === 'LoadBalancer';
  const nodePorts = type === 'NodePort' || (balanced && allocateLoadBalancerNodePorts !== false) ? ports.length : 0;
  return { services: one, 'services.loadbalancers': times(balanced ? 1 : 0), 'services.nodeports': times(nodePorts) };
};

const claimUsage = ({ spec }: KubeObject): Record<string, Quantity> => {
  const { resources, storageClassName } = spec as V1PersistentVolumeClaimSpec;
  const storage = parseQuantity(resources?.requests?.storage);
  if (!storage) return { persistentvolumeclaims: one };
  return {
    persistentvolumeclaims: one,
    'requests.storage': storage,
    ...(storageClassName
      ? {
          [`${storageClassName}.storageclass.storage.k8s.io/requests.storage`]: storage,
          [`${storageClassName}.storageclass.storage.k8s.io/persistentvolumeclaims`]: one,
        }
      : {}),
  };
};

const counted = new Set(['configmaps', 'secrets', 'resourcequotas']);

/** What one object uses of each resource that a quota can limit. Source: k8s.io/kubernetes pkg/quota/v1/evaluator/core. */
export const usageOf = (kind: Kind, object: KubeObject): Usage => {
  const count = { [`count/${kind.plural}${kind.group ? `.${kind.group}` : ''}`]: one };
  if (kind.group !== '') return count;
  switch (kind.kind) {
    case 'Pod':
      return { ...count, ...podUsage(object) };
    case 'Service':
      return { ...count, ...serviceUsage(object) };
    case 'PersistentVolumeClaim':
      return { ...count, ...claimUsage(object) };
    default:
      return counted.has(kind.plural) ? { ...count, [kind.plural]: one } : count;
  }
};

/** Compute resources, which each container of a pod must name where a quota limits them. */
export const computeResources: ReadonlyMap<string, readonly ['requests' | 'limits', string]> = new Map(
  computeNames
    .filter(([, , name]) => name !== 'ephemeral-storage')
    .map(([resource, part, name]) => [resource, [part, name] as const]),
);
