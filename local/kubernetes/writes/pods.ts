import type { V1PodDisruptionBudgetSpec } from '@kubernetes/client-node';
import type { ClusterObjects } from '../cluster-objects.ts';
import { disruptionBudgetKind } from '../kinds.ts';
import { isObject, type JsonObject, type KubeObject, timestamp } from '../object.ts';
import { objectSelector } from '../selectors.ts';
import { badRequest, conflict, StatusError } from '../status.ts';
import type { Target } from './target.ts';

/** The pod on the node that a Binding names, as the scheduler asks for it. Throws 409 where it has one. */
export const withBinding = ({ kind }: Target, pod: KubeObject, binding: JsonObject): KubeObject => {
  const { name: nodeName } = (isObject(binding.target) ? binding.target : {}) as { name?: string };
  const spec = pod.spec as { nodeName?: string };
  if (!nodeName) throw badRequest('target.name: Required value');
  if (spec.nodeName) {
    throw conflict(kind, pod.metadata.name, `pod ${pod.metadata.name} is already assigned to node "${spec.nodeName}"`);
  }
  const status = (pod.status ?? {}) as { conditions?: JsonObject[] };
  const scheduled = { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: timestamp() };
  return {
    ...pod,
    spec: { ...spec, nodeName },
    status: {
      ...status,
      conditions: [...(status.conditions ?? []).filter(({ type }) => type !== 'PodScheduled'), scheduled],
    },
  };
};

/** Throws 429 where a PodDisruptionBudget allows no pod less. */
export const checkEviction = (objects: ClusterObjects, pod: KubeObject): void => {
  const budget = objects.list(disruptionBudgetKind, pod.metadata.namespace).find(({ spec }) => {
    const { selector } = spec as V1PodDisruptionBudgetSpec;
    return objectSelector(selector)(pod.metadata.labels ?? {});
  });
  const { disruptionsAllowed = 0 } = (budget?.status ?? {}) as { disruptionsAllowed?: number };
  if (!budget || disruptionsAllowed > 0) return;
  throw new StatusError(429, 'TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", {
    causes: [
      {
        reason: 'DisruptionBudget',
        message: `The disruption budget ${budget.metadata.name} allows no disruption now`,
      },
    ],
  });
};
