import { StepFailure } from '../../domain/errors.ts';
import type { Transport } from './transport.ts';
import { messageOf } from './transport.ts';

/** How the API serves a kind. */
export interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  /** `deployments` */
  readonly plural: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

export interface KindOf {
  readonly apiVersion: string;
  readonly kind: string;
}

export interface Resources {
  /** How the cluster serves a kind; undefined when it does not. */
  find(kind: KindOf): Promise<Resource | undefined>;
  /** Like `find`; throws WorkloadRefused naming the kind. */
  require(kind: KindOf): Promise<Resource>;
  /** Every kind in its preferred version, subresources left out. */
  all(): Promise<readonly Resource[]>;
}

/** Kinds whose path never changes: known without a request. */
const builtIn: readonly Resource[] = (
  [
    ['v1', 'Namespace', 'namespaces', false],
    ['v1', 'ResourceQuota', 'resourcequotas', true],
    ['v1', 'LimitRange', 'limitranges', true],
    ['v1', 'ServiceAccount', 'serviceaccounts', true],
    ['v1', 'Secret', 'secrets', true],
    ['v1', 'ConfigMap', 'configmaps', true],
    ['v1', 'Service', 'services', true],
    ['v1', 'Pod', 'pods', true],
    ['v1', 'Event', 'events', true],
    ['v1', 'PersistentVolumeClaim', 'persistentvolumeclaims', true],
    ['apps/v1', 'Deployment', 'deployments', true],
    ['apps/v1', 'StatefulSet', 'statefulsets', true],
    ['apps/v1', 'DaemonSet', 'daemonsets', true],
    ['batch/v1', 'Job', 'jobs', true],
    ['batch/v1', 'CronJob', 'cronjobs', true],
    ['networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies', true],
    ['networking.k8s.io/v1', 'Ingress', 'ingresses', true],
    ['networking.k8s.io/v1', 'IngressClass', 'ingressclasses', false],
    ['policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets', true],
    ['autoscaling/v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers', true],
    ['rbac.authorization.k8s.io/v1', 'Role', 'roles', true],
    ['rbac.authorization.k8s.io/v1', 'RoleBinding', 'rolebindings', true],
  ] as const
).map(([apiVersion, kind, plural, namespaced]) => ({ apiVersion, kind, plural, namespaced, verbs: [] }));

/** The built-in kinds that a tenant's set may hold, which prune looks through when nobody noted what there was. */
export const ownedKinds: readonly KindOf[] = builtIn.filter(
  ({ namespaced, kind }) => namespaced && !['Pod', 'Event', 'PersistentVolumeClaim'].includes(kind),
);

interface ResourceList {
  readonly resources?: readonly {
    readonly name: string;
    readonly kind: string;
    readonly namespaced: boolean;
    readonly verbs?: readonly string[];
  }[];
}

interface GroupList {
  readonly groups?: readonly { readonly preferredVersion: { readonly groupVersion: string } }[];
}

/** `/api/v1`, `/apis/apps/v1`. */
const root = (apiVersion: string): string => (apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`);

/** Path of a kind's collection, or of one object of it. */
export const pathOf = (
  { apiVersion, plural, namespaced }: Resource,
  { namespace, name }: { readonly namespace?: string | undefined; readonly name?: string | undefined },
): string => {
  const within = namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root(apiVersion)}${within}/${plural}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`;
};

/** What a cluster serves, by its discovery; each group version is asked for once, unless a kind was missing there. */
export const openResources = (cluster: string, transport: Transport): Resources => {
  const known = new Map<string, Promise<readonly Resource[]>>();
  const read = async (apiVersion: string): Promise<readonly Resource[]> => {
    const { status, body } = await transport.send({ method: 'GET', path: root(apiVersion) });
    if (status === 404) return [];
    if (status !== 200)
      throw new StepFailure('ClusterUnavailable', `cluster ${cluster} does not tell its kinds: ${messageOf(body)}`);
    return ((body as ResourceList).resources ?? [])
      .filter(({ name }) => !name.includes('/'))
      .map(({ name, kind, namespaced, verbs = [] }) => ({ apiVersion, kind, plural: name, namespaced, verbs }));
  };
  const listOf = (apiVersion: string): Promise<readonly Resource[]> => {
    const asked = known.get(apiVersion) ?? read(apiVersion);
    known.set(apiVersion, asked);
    asked.catch(() => known.delete(apiVersion));
    return asked;
  };
  const find = async ({ apiVersion, kind }: KindOf): Promise<Resource | undefined> => {
    const plain = builtIn.find((one) => one.apiVersion === apiVersion && one.kind === kind);
    if (plain) return plain;
    const found = (await listOf(apiVersion)).find((one) => one.kind === kind);
    // A kind may be added while this process lives: absence is not remembered.
    if (!found) known.delete(apiVersion);
    return found;
  };
  return {
    find,
    require: async (wanted) => {
      const found = await find(wanted);
      if (found) return found;
      throw new StepFailure(
        'WorkloadRefused',
        `cluster ${cluster} has no kind ${wanted.kind} in ${wanted.apiVersion}; install what brings it, or leave the object out`,
      );
    },
    all: async () => {
      const { body } = await transport.send({ method: 'GET', path: '/apis' });
      const versions = ((body as GroupList).groups ?? []).map(({ preferredVersion }) => preferredVersion.groupVersion);
      return (await Promise.all(['v1', ...versions].map(listOf))).flat();
    },
  };
};
