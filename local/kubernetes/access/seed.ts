import { randomUUID } from 'node:crypto';
import type { V1PolicyRule } from '@kubernetes/client-node';
import type { ClusterObjects } from '../cluster-objects.ts';
import { fillDefaults } from '../defaults/defaults.ts';
import { apiVersionOf, clusterRoleBindingKind, clusterRoleKind, type Kind, namespaceKind } from '../kinds.ts';
import { type KubeObject, timestamp } from '../object.ts';
import { mastersGroup } from './authorization.ts';

const read = ['get', 'list', 'watch'];
const write = ['create', 'delete', 'deletecollection', 'patch', 'update'];

const rule = (apiGroups: string[], resources: string[], verbs: string[]): V1PolicyRule => ({
  apiGroups,
  resources,
  verbs,
});

const coreReadable = [
  'configmaps',
  'endpoints',
  'events',
  'limitranges',
  'namespaces',
  'persistentvolumeclaims',
  'pods',
  'resourcequotas',
  'serviceaccounts',
  'services',
];
const coreWritable = ['configmaps', 'persistentvolumeclaims', 'pods', 'secrets', 'serviceaccounts', 'services'];
const workloadGroups = ['apps', 'batch', 'autoscaling', 'networking.k8s.io', 'policy', 'discovery.k8s.io'];

const viewRules = [rule([''], coreReadable, read), rule(workloadGroups, ['*'], read)];
const editRules = [
  ...viewRules,
  rule([''], ['secrets'], read),
  rule([''], coreWritable, write),
  rule(['apps', 'batch', 'autoscaling', 'networking.k8s.io', 'policy'], ['*'], write),
];
const adminRules = [...editRules, rule(['rbac.authorization.k8s.io'], ['roles', 'rolebindings'], [...read, ...write])];

/** The user-facing roles of every cluster. Source: Kubernetes documentation, Using RBAC Authorization; lists shortened to the kinds served here. */
const roles: Readonly<Record<string, readonly V1PolicyRule[]>> = {
  'cluster-admin': [rule(['*'], ['*'], ['*'])],
  admin: adminRules,
  edit: editRules,
  view: viewRules,
};

const firstNamespaces = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];

const labels = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };

const objectOf = (kind: Kind, name: string, rest: object): KubeObject => ({
  apiVersion: apiVersionOf(kind),
  kind: kind.kind,
  metadata: { name, uid: randomUUID(), creationTimestamp: timestamp(), ...(kind === namespaceKind ? {} : { labels }) },
  ...rest,
});

/** What is in a new cluster: the first namespaces and the user-facing roles. Resolves when it is on disk; repeat: nothing. */
export const seedCluster = async (objects: ClusterObjects): Promise<void> => {
  const wanted: [Kind, KubeObject][] = [
    ...firstNamespaces.map((name): [Kind, KubeObject] => [namespaceKind, objectOf(namespaceKind, name, {})]),
    ...Object.entries(roles).map(([name, rules]): [Kind, KubeObject] => [
      clusterRoleKind,
      objectOf(clusterRoleKind, name, { rules }),
    ]),
    [
      clusterRoleBindingKind,
      objectOf(clusterRoleBindingKind, 'cluster-admin', {
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: mastersGroup }],
      }),
    ],
  ];
  const missing = wanted.filter(([kind, { metadata }]) => !objects.get(kind, undefined, metadata.name));
  await Promise.all(
    missing.map(([kind, object]) => {
      fillDefaults(object, undefined, objects);
      return objects.put(kind, object);
    }),
  );
};
