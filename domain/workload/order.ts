/**
 * Kinds in the order in which they are made: what limits and feeds a pod before the pods, routes last (research 5 and 7).
 * Kinds of one line do not need each other and are made at once.
 */
const ranks: readonly (readonly string[])[] = [
  ['CustomResourceDefinition', 'PriorityClass', 'StorageClass', 'IngressClassParams', 'IngressClass', 'ClusterRole'],
  ['Namespace'],
  [
    'ResourceQuota',
    'LimitRange',
    'NetworkPolicy',
    'ServiceAccount',
    'Secret',
    'ConfigMap',
    'Role',
    'PersistentVolumeClaim',
  ],
  ['RoleBinding', 'ClusterRoleBinding', 'Service'],
  // Any other kind stands here, with the workloads.
  [],
  ['PodDisruptionBudget', 'HorizontalPodAutoscaler', 'ServiceMonitor', 'PodMonitor'],
  ['Ingress', 'HTTPRoute'],
];

const others = ranks.findIndex((kinds) => kinds.length === 0);

/** Place of a kind in the order: a smaller one is made earlier and removed later. */
export const rankOf = (kind: string): number => {
  const found = ranks.findIndex((kinds) => kinds.includes(kind));
  return found < 0 ? others : found;
};

/** The objects in groups, one after the other; inside a group the order does not matter. */
export const inOrder = <Item extends { readonly kind: string }>(objects: readonly Item[]): Item[][] =>
  ranks.map((_, rank) => objects.filter(({ kind }) => rankOf(kind) === rank)).filter((group) => group.length > 0);
