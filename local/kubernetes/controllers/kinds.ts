export interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
}

const kind = (groupVersion: string, name: string, plural: string): Kind => {
  const [group, version] = groupVersion.includes('/') ? groupVersion.split('/') : ['', groupVersion];
  return { group: group ?? '', version: version ?? '', kind: name, plural };
};

/** The kinds that the controllers watch or write. */
export const kinds = {
  namespaces: kind('v1', 'Namespace', 'namespaces'),
  nodes: kind('v1', 'Node', 'nodes'),
  pods: kind('v1', 'Pod', 'pods'),
  services: kind('v1', 'Service', 'services'),
  serviceAccounts: kind('v1', 'ServiceAccount', 'serviceaccounts'),
  configMaps: kind('v1', 'ConfigMap', 'configmaps'),
  secrets: kind('v1', 'Secret', 'secrets'),
  events: kind('v1', 'Event', 'events'),
  endpoints: kind('v1', 'Endpoints', 'endpoints'),
  resourceQuotas: kind('v1', 'ResourceQuota', 'resourcequotas'),
  persistentVolumeClaims: kind('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims'),
  deployments: kind('apps/v1', 'Deployment', 'deployments'),
  replicaSets: kind('apps/v1', 'ReplicaSet', 'replicasets'),
  statefulSets: kind('apps/v1', 'StatefulSet', 'statefulsets'),
  jobs: kind('batch/v1', 'Job', 'jobs'),
  ingresses: kind('networking.k8s.io/v1', 'Ingress', 'ingresses'),
  endpointSlices: kind('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices'),
  disruptionBudgets: kind('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
  autoscalers: kind('autoscaling/v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers'),
} as const;

export const apiVersionOf = ({ group, version }: Kind): string => (group === '' ? version : `${group}/${version}`);

/** Path of a collection, or of one object, or of one of its subresources. */
export const pathOf = (
  { group, version, plural }: Kind,
  { namespace, name, subresource }: { namespace?: string; name?: string; subresource?: string } = {},
): string =>
  [
    group === '' ? `/api/${version}` : `/apis/${group}/${version}`,
    namespace ? `namespaces/${namespace}` : undefined,
    plural,
    name,
    subresource,
  ]
    .filter((part) => part !== undefined)
    .join('/');
