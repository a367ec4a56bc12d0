import type { KubeObject } from './object.ts';
import { mostReplicas, scales } from './scale.ts';
import { appName, appSelector, namespaced, type WorkloadSpec } from './spec.ts';

/** How the pods are reached, how many of them stay while a node is emptied, and how many there are under load. */
export const serviceObjects = (spec: WorkloadSpec): KubeObject[] => {
  const service = namespaced(spec, 'v1', 'Service', appName, {
    spec: {
      type: 'ClusterIP',
      selector: appSelector,
      ports: [{ name: 'http', port: 80, targetPort: 'http', protocol: 'TCP' }],
    },
  });
  // A budget over a single pod would keep its node from ever being emptied.
  if (!scales(spec)) return [service];
  return [
    service,
    namespaced(spec, 'policy/v1', 'PodDisruptionBudget', appName, {
      spec: { maxUnavailable: 1, selector: { matchLabels: appSelector } },
    }),
    namespaced(spec, 'autoscaling/v2', 'HorizontalPodAutoscaler', appName, {
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: appName },
        minReplicas: spec.resources.replicas,
        maxReplicas: mostReplicas(spec),
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } } },
        ],
      },
    }),
  ];
};
