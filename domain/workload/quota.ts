import type { KubeObject } from './object.ts';
import { mebibytes, millicores } from './quantity.ts';
import { appName, namespaced, type WorkloadSpec } from './spec.ts';

/**
 * What the namespace may use together. It has a LimitRange with it: a quota on CPU and memory refuses every pod that names
 * none (Kubernetes, "Resource Quotas").
 */
export const quotaObjects = (spec: WorkloadSpec): KubeObject[] => {
  const { resources, quota } = spec;
  const cpu = `${millicores(resources.cpu) * quota.pods}m`;
  const memory = `${mebibytes(resources.memory) * quota.pods}Mi`;
  const one = { cpu: resources.cpu, memory: resources.memory };
  return [
    namespaced(spec, 'v1', 'ResourceQuota', appName, {
      spec: {
        hard: {
          pods: String(quota.pods),
          'requests.cpu': cpu,
          'requests.memory': memory,
          'limits.cpu': cpu,
          'limits.memory': memory,
          'services.loadbalancers': String(quota.loadBalancers),
          'services.nodeports': '0',
          persistentvolumeclaims: mebibytes(quota.storage) === 0 ? '0' : String(quota.pods),
          'requests.storage': quota.storage,
        },
      },
    }),
    namespaced(spec, 'v1', 'LimitRange', appName, {
      spec: {
        limits: [
          {
            type: 'Container',
            default: one,
            defaultRequest: one,
            max: { cpu: `${millicores(resources.cpu) * 2}m`, memory: `${mebibytes(resources.memory) * 2}Mi` },
          },
        ],
      },
    }),
  ];
};
