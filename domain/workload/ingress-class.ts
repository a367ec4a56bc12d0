import { type KubeObject, labelNames, manager } from './object.ts';

/** The kind that EKS Auto Mode has for load balancers; other clusters do not know it. */
export const classParamsKind = { apiVersion: 'eks.amazonaws.com/v1', kind: 'IngressClassParams' } as const;

export const ingressClassKind = { apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass' } as const;

const labels = { [labelNames.managedBy]: manager };

/**
 * The class of the tenants' routes, which an EKS Auto Mode cluster comes without (EKS user guide, "Create an IngressClass to
 * configure an Application Load Balancer"). All routes of a cluster share one load balancer: it costs 16 dollars a month and
 * takes 100 rules. `autoMode`: whether the cluster knows IngressClassParams.
 */
export const ingressClassObjects = (name: string, { autoMode }: { readonly autoMode: boolean }): KubeObject[] => {
  const ingressClass = {
    ...ingressClassKind,
    metadata: { name, labels },
    spec: {
      controller: 'eks.amazonaws.com/alb',
      ...(autoMode
        ? { parameters: { apiGroup: 'eks.amazonaws.com', kind: classParamsKind.kind, name, scope: 'Cluster' } }
        : {}),
    },
  };
  if (!autoMode) return [ingressClass];
  const params = {
    ...classParamsKind,
    metadata: { name, labels },
    spec: { scheme: 'internet-facing', group: { name: 'tenantry' } },
  };
  return [params, ingressClass];
};
