import type { KubeObject } from './object.ts';
import { labelsOf, type WorkloadSpec } from './spec.ts';

/** Which version of the Pod Security Standards counts: a newer Kubernetes must not refuse pods that ran before. */
const podSecurityVersion = 'v1.33';

const podSecurity = Object.fromEntries(
  ['enforce', 'audit', 'warn'].flatMap((mode) => [
    [`pod-security.kubernetes.io/${mode}`, 'restricted'],
    [`pod-security.kubernetes.io/${mode}-version`, podSecurityVersion],
  ]),
);

/** The tenant's namespace, in which no pod runs that Pod Security `restricted` refuses. */
export const namespaceObject = (spec: WorkloadSpec): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name: spec.namespace,
    labels: { ...labelsOf(spec), ...podSecurity },
    annotations: spec.tenant.name === undefined ? {} : { 'tenantry.dev/name': spec.tenant.name },
  },
});
