/**
 * The Kubernetes release whose API is served: that of the models which check the objects (@kubernetes/client-node 2 was
 * made from release 1.36). The suffix has the form of EKS's own.
 */
export const kubernetesVersion = {
  major: '1',
  minor: '36',
  gitVersion: 'v1.36.0-eks-tenantry',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '2026-04-01T00:00:00Z',
  goVersion: '',
  compiler: '',
  platform: 'linux/amd64',
} as const;
