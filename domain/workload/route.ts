import type { KubeObject } from './object.ts';
import { appName, labelsOf, type WorkloadSpec } from './spec.ts';

/** Annotations of the AWS load balancer controller; another class has its own. */
const albAnnotations = (certificateArn: string | undefined): Record<string, string> => ({
  'alb.ingress.kubernetes.io/scheme': 'internet-facing',
  'alb.ingress.kubernetes.io/target-type': 'ip',
  'alb.ingress.kubernetes.io/healthcheck-path': '/healthz',
  'alb.ingress.kubernetes.io/listen-ports':
    certificateArn === undefined ? '[{"HTTP":80}]' : '[{"HTTP":80},{"HTTPS":443}]',
  ...(certificateArn === undefined
    ? {}
    : {
        'alb.ingress.kubernetes.io/certificate-arn': certificateArn,
        'alb.ingress.kubernetes.io/ssl-redirect': '443',
      }),
});

/**
 * What sends the tenant's hosts to its own app. No part of `workloadObjects`: it is applied when the app is ready and the
 * database has its say, and taken away first.
 */
export const routeObject = (spec: Pick<WorkloadSpec, 'tenant' | 'namespace' | 'route'>): KubeObject => {
  const { hosts, ingressClass, certificateArn } = spec.route;
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: {
      name: appName,
      namespace: spec.namespace,
      labels: labelsOf(spec),
      ...(ingressClass === 'alb' ? { annotations: albAnnotations(certificateArn) } : {}),
    },
    spec: {
      ingressClassName: ingressClass,
      rules: hosts.map((host) => ({
        host,
        http: {
          paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: appName, port: { name: 'http' } } } }],
        },
      })),
    },
  };
};
