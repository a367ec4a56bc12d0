/** How a list merges: as a map of items by key fields, as a set of values, or as one value. */
export type ListType = { readonly keys: readonly string[] } | 'set' | 'atomic';

const byName = { keys: ['name'] } as const;
const byType = { keys: ['type'] } as const;

/** Lists of a pod's spec, wherever a kind holds one. Source: `x-kubernetes-list-map-keys` of the Kubernetes 1.36 API. */
const podLists: Readonly<Record<string, ListType>> = {
  containers: byName,
  initContainers: byName,
  ephemeralContainers: byName,
  volumes: byName,
  imagePullSecrets: byName,
  hostAliases: { keys: ['ip'] },
  topologySpreadConstraints: { keys: ['topologyKey', 'whenUnsatisfiable'] },
  resourceClaims: byName,
  schedulingGates: byName,
  readinessGates: 'atomic',
};

const containerLists: Readonly<Record<string, ListType>> = {
  env: byName,
  ports: { keys: ['containerPort', 'protocol'] },
  volumeMounts: { keys: ['mountPath'] },
  volumeDevices: { keys: ['devicePath'] },
};

/** By kind (or `*`) and the path of field names, without list positions. */
const otherLists: Readonly<Record<string, ListType>> = {
  '*.metadata.finalizers': 'set',
  '*.metadata.ownerReferences': { keys: ['uid'] },
  '*.status.conditions': byType,
  'Service.spec.ports': { keys: ['port', 'protocol'] },
  'Service.status.loadBalancer.ingress': 'atomic',
  'ServiceAccount.secrets': byName,
  'ServiceAccount.imagePullSecrets': { keys: ['name'] },
  'Node.spec.podCIDRs': 'set',
  'Node.status.addresses': byType,
  'Pod.status.podIPs': { keys: ['ip'] },
  'Pod.status.hostIPs': 'atomic',
  'EndpointSlice.ports': 'atomic',
  'ClusterRole.rules': 'atomic',
};

const containers = new Set(['containers', 'initContainers', 'ephemeralContainers']);

/** Objects that merge as one value. Source: `x-kubernetes-map-type: atomic`. */
const atomicObjects = new Set([
  'labelSelector',
  'podSelector',
  'namespaceSelector',
  'objectSelector',
  'nodeSelector',
  'secretKeyRef',
  'configMapKeyRef',
  'fieldRef',
  'resourceFieldRef',
  'roleRef',
  'nodeSelectorTerms',
]);

export const listType = (kind: string, path: readonly string[]): ListType => {
  const last = path.at(-1) ?? '';
  const exact = otherLists[`${kind}.${path.join('.')}`] ?? otherLists[`*.${path.join('.')}`];
  if (exact) return exact;
  const parent = path.at(-2) ?? '';
  if (parent === 'spec' && last in podLists && holdsPods(kind)) return podLists[last]!;
  if (containers.has(parent) && last in containerLists) return containerLists[last]!;
  return 'atomic';
};

const holders = new Set(['Pod', 'Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob']);
const holdsPods = (kind: string): boolean => holders.has(kind);

/** Whether an object at this path merges as one value. */
export const isAtomicObject = (kind: string, path: readonly string[]): boolean => {
  const last = path.at(-1) ?? '';
  if (path[0] === 'metadata') return false;
  if (last === 'selector') return path[0] === 'spec' && path.length === 2 && kind !== 'PersistentVolumeClaim';
  if (last === 'nodeSelector') return holdsPods(kind);
  return atomicObjects.has(last) || (last === 'resource' && path.includes('backend'));
};

/** Fields that stand in a key even where an object leaves them out. */
export const keyDefaults: Readonly<Record<string, unknown>> = { protocol: 'TCP' };
