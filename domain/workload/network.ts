import type { KubeObject } from './object.ts';
import { appSelector, containerPort, namespaced, type WorkloadSpec } from './spec.ts';

/** Where Prometheus runs, when the cluster has ServiceMonitors. */
const monitoringNamespace = 'monitoring';

/** The EKS Pod Identity agent on every node; without this rule default-deny takes the app's AWS credentials away. */
const podIdentityAgent = ['169.254.170.23/32', 'fd00:ec2::23/128'];

const everyPod = { podSelector: {} };
const tcp = (port: number) => ({ protocol: 'TCP', port });
const blocks = (cidrs: readonly string[]) => cidrs.map((cidr) => ({ ipBlock: { cidr } }));
const inNamespace = (name: string) => ({
  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } },
});

/**
 * Who may talk to the tenant's pods, and to whom they may talk: nobody, but for what is named here. DNS goes by port alone:
 * EKS Auto Mode answers it on the node, where no pod selector reaches. Inert where the cluster's network does not enforce
 * policies (VPC CNI: `enable-network-policy-controller`).
 */
export const networkPolicies = (spec: WorkloadSpec): KubeObject[] => {
  const { network, database, monitoring } = spec;
  const policy = (name: string, rules: Readonly<Record<string, unknown>>): KubeObject =>
    namespaced(spec, 'networking.k8s.io/v1', 'NetworkPolicy', name, { spec: rules });
  const app = { podSelector: { matchLabels: appSelector } };
  const sources =
    'namespace' in network.ingress ? [inNamespace(network.ingress.namespace)] : blocks(network.ingress.cidrs);
  return [
    policy('default-deny', { ...everyPod, policyTypes: ['Ingress', 'Egress'] }),
    policy('allow-dns', {
      ...everyPod,
      policyTypes: ['Egress'],
      egress: [{ ports: [{ protocol: 'UDP', port: 53 }, tcp(53)] }],
    }),
    policy('allow-namespace', {
      ...everyPod,
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from: [everyPod] }],
      egress: [{ to: [everyPod] }],
    }),
    policy('allow-requests', {
      ...app,
      policyTypes: ['Ingress'],
      // A rule without sources would let everybody in, so none is written.
      ingress: sources.length > 0 ? [{ from: sources, ports: [tcp(containerPort)] }] : [],
    }),
    policy('allow-database', {
      ...app,
      policyTypes: ['Egress'],
      egress:
        network.databaseCidrs.length > 0 ? [{ to: blocks(network.databaseCidrs), ports: [tcp(database.port)] }] : [],
    }),
    policy('allow-pod-identity', {
      ...app,
      policyTypes: ['Egress'],
      egress: [{ to: blocks(podIdentityAgent), ports: [tcp(80)] }],
    }),
    ...(monitoring
      ? [
          policy('allow-monitoring', {
            ...app,
            policyTypes: ['Ingress'],
            ingress: [{ from: [inNamespace(monitoringNamespace)], ports: [tcp(containerPort)] }],
          }),
        ]
      : []),
  ];
};
