import type { KubeObject } from './object.ts';
import { mebibytes, millicores } from './quantity.ts';
import { mostPods } from './scale.ts';
import { appName, namespaced, type WorkloadSpec } from './spec.ts';

/**
 * What the namespace may use together. It has a LimitRange with it: a quota on CPU and memory refuses every pod that names
 * none (Kubernetes, "Resource Quotas").
 */
export const quotaObjects = (spec: WorkloadSpec): KubeObject[] => {
  const { resources } = spec;
  const pods = mostPods(resources);
  const cpu = `${millicores(resources.cpu) * pods}m`;
  const memory = `${mebibytes(resources.memory) * pods}Mi`;
  const one = { cpu: resources.cpu, memory: resources.memory };
  return [
    namespaced(spec, 'v1', 'ResourceQuota', appName, {
      spec: {
        hard: {
          pods: String(pods),
          'requests.cpu': cpu,
          'requests.memory': memory,
          'limits.cpu': cpu,
          'limits.memory': memory,
          'services.loadbalancers': '0',
          'services.nodeports': '0',
          persistentvolumeclaims: resources.storage === undefined ? '0' : '4',
          'requests.storage': resources.storage ?? '0',
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
