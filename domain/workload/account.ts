import type { KubeObject } from './object.ts';
import { appName, namespaced, type WorkloadSpec } from './spec.ts';

/** Whom the pods are to AWS (EKS Pod Identity associates a role with it); to the Kubernetes API they are nobody. */
export const serviceAccountObject = (spec: WorkloadSpec): KubeObject =>
  namespaced(spec, 'v1', 'ServiceAccount', appName, { automountServiceAccountToken: false });

/** What the tenant's own people may do: look at what runs and read its logs, in their namespace alone. Never Secrets. */
export const staffObjects = (spec: WorkloadSpec): KubeObject[] => {
  if (spec.staffGroup === undefined) return [];
  const read = ['get', 'list', 'watch'];
  return [
    namespaced(spec, 'rbac.authorization.k8s.io/v1', 'Role', 'tenant-staff', {
      rules: [
        { apiGroups: [''], resources: ['pods', 'pods/log', 'services', 'events', 'resourcequotas'], verbs: read },
        { apiGroups: ['apps'], resources: ['deployments', 'replicasets'], verbs: read },
        { apiGroups: ['networking.k8s.io'], resources: ['ingresses', 'networkpolicies'], verbs: read },
      ],
    }),
    namespaced(spec, 'rbac.authorization.k8s.io/v1', 'RoleBinding', 'tenant-staff', {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'tenant-staff' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: spec.staffGroup }],
    }),
  ];
};
