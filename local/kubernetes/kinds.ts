/** A kind of object that a cluster serves. */
export interface Kind {
  /** '' is the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly subresources: readonly Subresource[];
  /** Changes of anything but metadata and status count up metadata.generation. */
  readonly counted: boolean;
  /** Defined by a CustomResourceDefinition: no schema is checked. */
  readonly custom: boolean;
}

export type Subresource = 'status' | 'scale' | 'finalize' | 'binding' | 'eviction';

type Extras = Partial<Pick<Kind, 'namespaced' | 'shortNames' | 'categories' | 'subresources' | 'counted'>>;

const define =
  (group: string, version: string) =>
  (kind: string, plural: string, extras: Extras = {}): Kind => ({
    group,
    version,
    kind,
    plural,
    singular: kind.toLowerCase(),
    namespaced: true,
    shortNames: [],
    categories: [],
    subresources: [],
    counted: false,
    custom: false,
    ...extras,
  });

const core = define('', 'v1');
const apps = define('apps', 'v1');
const batch = define('batch', 'v1');
const networking = define('networking.k8s.io', 'v1');
const rbac = define('rbac.authorization.k8s.io', 'v1');

const all = ['all'] as const;
const scaled = { categories: all, subresources: ['status', 'scale'], counted: true } as const;
const clusterWide = { namespaced: false } as const;

export const namespaceKind = core('Namespace', 'namespaces', {
  namespaced: false,
  shortNames: ['ns'],
  subresources: ['status', 'finalize'],
});
export const podKind = core('Pod', 'pods', {
  shortNames: ['po'],
  categories: all,
  subresources: ['status', 'binding', 'eviction'],
  counted: true,
});
export const resourceQuotaKind = core('ResourceQuota', 'resourcequotas', {
  shortNames: ['quota'],
  subresources: ['status'],
});
export const limitRangeKind = core('LimitRange', 'limitranges', { shortNames: ['limits'] });
export const serviceKind = core('Service', 'services', {
  shortNames: ['svc'],
  categories: all,
  subresources: ['status'],
});
export const serviceAccountKind = core('ServiceAccount', 'serviceaccounts', { shortNames: ['sa'] });
export const priorityClassKind = define('scheduling.k8s.io', 'v1')('PriorityClass', 'priorityclasses', {
  namespaced: false,
  shortNames: ['pc'],
  counted: true,
});
export const disruptionBudgetKind = define('policy', 'v1')('PodDisruptionBudget', 'poddisruptionbudgets', {
  shortNames: ['pdb'],
  subresources: ['status'],
  counted: true,
});
export const roleKind = rbac('Role', 'roles');
export const roleBindingKind = rbac('RoleBinding', 'rolebindings');
export const clusterRoleKind = rbac('ClusterRole', 'clusterroles', clusterWide);
export const clusterRoleBindingKind = rbac('ClusterRoleBinding', 'clusterrolebindings', clusterWide);
export const definitionKind = define('apiextensions.k8s.io', 'v1')(
  'CustomResourceDefinition',
  'customresourcedefinitions',
  {
    namespaced: false,
    shortNames: ['crd', 'crds'],
    categories: ['api-extensions'],
    subresources: ['status'],
    counted: true,
  },
);

/** What every cluster serves, in the order of discovery. */
export const builtInKinds: readonly Kind[] = [
  namespaceKind,
  core('Node', 'nodes', { namespaced: false, shortNames: ['no'], subresources: ['status'] }),
  podKind,
  serviceKind,
  serviceAccountKind,
  core('Secret', 'secrets'),
  core('ConfigMap', 'configmaps', { shortNames: ['cm'] }),
  core('Event', 'events', { shortNames: ['ev'] }),
  core('Endpoints', 'endpoints', { shortNames: ['ep'] }),
  resourceQuotaKind,
  limitRangeKind,
  core('PersistentVolumeClaim', 'persistentvolumeclaims', { shortNames: ['pvc'], subresources: ['status'] }),
  apps('Deployment', 'deployments', { ...scaled, shortNames: ['deploy'] }),
  apps('ReplicaSet', 'replicasets', { ...scaled, shortNames: ['rs'] }),
  apps('StatefulSet', 'statefulsets', { ...scaled, shortNames: ['sts'] }),
  apps('DaemonSet', 'daemonsets', { categories: all, shortNames: ['ds'], subresources: ['status'], counted: true }),
  apps('ControllerRevision', 'controllerrevisions'),
  batch('Job', 'jobs', { categories: all, subresources: ['status'], counted: true }),
  batch('CronJob', 'cronjobs', { categories: all, shortNames: ['cj'], subresources: ['status'], counted: true }),
  networking('Ingress', 'ingresses', { shortNames: ['ing'], subresources: ['status'], counted: true }),
  networking('IngressClass', 'ingressclasses', { namespaced: false, counted: true }),
  networking('NetworkPolicy', 'networkpolicies', { shortNames: ['netpol'], counted: true }),
  disruptionBudgetKind,
  define('autoscaling', 'v2')('HorizontalPodAutoscaler', 'horizontalpodautoscalers', {
    shortNames: ['hpa'],
    categories: all,
    subresources: ['status'],
  }),
  define('discovery.k8s.io', 'v1')('EndpointSlice', 'endpointslices', { counted: true }),
  roleKind,
  roleBindingKind,
  clusterRoleKind,
  clusterRoleBindingKind,
  priorityClassKind,
  define('coordination.k8s.io', 'v1')('Lease', 'leases'),
  definitionKind,
];

/** `apps/v1`, or `v1` for the core group. */
export const apiVersionOf = ({ group, version }: Pick<Kind, 'group' | 'version'>): string =>
  group ? `${group}/${version}` : version;

/** Under which the objects of a kind are kept: versions share them. */
export const kindKey = ({ group, plural }: Pick<Kind, 'group' | 'plural'>): string => `${plural}.${group}`;
