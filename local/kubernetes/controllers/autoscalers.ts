import type { Cluster } from './cluster.ts';
import { type Condition, keyOf, splitKey, withCondition } from './objects.ts';
import { createQueue, type Queue } from './queue.ts';
import { isTerminating } from './workloads.ts';

const conditionsFor = (found: boolean): Condition[] => [
  found
    ? {
        type: 'AbleToScale',
        status: 'True',
        reason: 'SucceededGetScale',
        message: "the HPA controller was able to get the target's current scale",
      }
    : {
        type: 'AbleToScale',
        status: 'False',
        reason: 'FailedGetScale',
        message: "the HPA controller was unable to get the target's current scale",
      },
  {
    type: 'ScalingActive',
    status: 'False',
    reason: 'FailedGetResourceMetric',
    message: 'a laptop measures no metrics: the target is only kept between its minimum and its maximum',
  },
];

/** Keeps the targets of autoscalers between minimum and maximum. Nothing is measured here, so nothing moves in between. */
export const autoscalers = (cluster: Cluster): Queue => {
  const { autoscalers: all, deployments, statefulSets, log } = cluster;

  const scale = async (namespace: string, kind: string, name: string, replicas: number): Promise<void> => {
    const deployment = kind === 'Deployment' ? deployments.get(namespace, name) : undefined;
    const set = kind === 'StatefulSet' ? statefulSets.get(namespace, name) : undefined;
    if (deployment) await deployments.patch(deployment, { spec: { replicas } }, 'scale');
    else if (set) await statefulSets.patch(set, { spec: { replicas } }, 'scale');
  };

  const reconcile = async (key: string): Promise<undefined> => {
    const { namespace, name } = splitKey(key);
    const autoscaler = all.get(namespace, name);
    if (!autoscaler || isTerminating(autoscaler)) return;
    const { scaleTargetRef: target, minReplicas = 1, maxReplicas } = autoscaler.spec;
    const found = (target.kind === 'Deployment' ? deployments : statefulSets).get(namespace, target.name);
    const wanted = found?.spec.replicas ?? 1;
    // Zero replicas switch an autoscaler off.
    const desired = wanted === 0 ? 0 : Math.min(Math.max(wanted, minReplicas), maxReplicas);
    if (found && desired !== wanted) await scale(namespace, target.kind, target.name, desired);
    const latest = all.get(namespace, name);
    if (!latest) return;
    await all.writeStatus(latest, {
      observedGeneration: latest.metadata.generation ?? 1,
      currentReplicas: found?.status?.replicas ?? 0,
      desiredReplicas: found ? desired : 0,
      currentMetrics: null,
      conditions: conditionsFor(found !== undefined).reduce<Condition[]>(
        (conditions, condition) => withCondition(conditions, condition),
        [...(latest.status?.conditions ?? [])],
      ),
    });
  };

  const queue = createQueue({ name: 'HorizontalPodAutoscaler', reconcile, log });
  all.onChange(({ object }) => queue.add(keyOf(object)));
  const again = (kind: string, namespace: string | undefined, name: string): void => {
    for (const autoscaler of all.list(namespace)) {
      const { scaleTargetRef: target } = autoscaler.spec;
      if (target.kind === kind && target.name === name) queue.add(keyOf(autoscaler));
    }
  };
  deployments.onChange(({ object }) => again('Deployment', object.metadata.namespace, object.metadata.name));
  statefulSets.onChange(({ object }) => again('StatefulSet', object.metadata.namespace, object.metadata.name));
  return queue;
};
