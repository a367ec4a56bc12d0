import type { Cluster } from './cluster.ts';
import { type Condition, keyOf, selects, splitKey, withCondition } from './objects.ts';
import type { DisruptionBudget } from './policy-objects.ts';
import { createQueue, type Queue } from './queue.ts';
import { isActive, isReady, labelsOf, type Pod } from './workloads.ts';

const share = (value: number | string, expected: number): number =>
  typeof value === 'number' ? value : Math.ceil((Number.parseInt(value, 10) / 100) * expected);

const desiredOf = ({ spec }: DisruptionBudget, expected: number): number => {
  if (spec.minAvailable !== undefined) return share(spec.minAvailable, expected);
  return Math.max(0, expected - share(spec.maxUnavailable ?? 0, expected));
};

/** Tells how many pods of a budget may be disturbed now. */
export const disruptionBudgets = (cluster: Cluster): Queue => {
  const { disruptionBudgets: all, pods, deployments, replicaSets, statefulSets, log } = cluster;

  /** How many pods their controllers want, which differs from how many are there. */
  const expectedOf = (namespace: string, found: readonly Pod[]): number => {
    const owners = new Map(
      found
        .flatMap(({ metadata }) => metadata.ownerReferences?.filter(({ controller }) => controller) ?? [])
        .map((owner) => [owner.uid, owner]),
    );
    let expected = 0;
    const seen = new Set<string>();
    for (const { kind, name, uid } of owners.values()) {
      const set = kind === 'ReplicaSet' ? replicaSets.get(namespace, name) : undefined;
      const deployer = set?.metadata.ownerReferences?.find(({ controller }) => controller);
      const owner = deployer
        ? deployments.get(namespace, deployer.name)
        : (set ?? (kind === 'StatefulSet' ? statefulSets.get(namespace, name) : undefined));
      if (seen.has(owner?.metadata.uid ?? uid)) continue;
      seen.add(owner?.metadata.uid ?? uid);
      expected += owner?.spec.replicas ?? 1;
    }
    return (
      expected + found.filter(({ metadata }) => !metadata.ownerReferences?.some(({ controller }) => controller)).length
    );
  };

  const reconcile = async (key: string): Promise<undefined> => {
    const { namespace, name } = splitKey(key);
    const budget = all.get(namespace, name);
    if (!budget) return;
    const found = pods.list(namespace).filter((pod) => isActive(pod) && selects(budget.spec.selector, labelsOf(pod)));
    const expectedPods = expectedOf(namespace, found);
    const currentHealthy = found.filter(isReady).length;
    const desiredHealthy = desiredOf(budget, expectedPods);
    const disruptionsAllowed = expectedPods > 0 ? Math.max(0, currentHealthy - desiredHealthy) : 0;
    const condition: Condition =
      disruptionsAllowed > 0
        ? { type: 'DisruptionAllowed', status: 'True', reason: 'SufficientPods', message: '' }
        : { type: 'DisruptionAllowed', status: 'False', reason: 'InsufficientPods', message: '' };
    await all.writeStatus(budget, {
      observedGeneration: budget.metadata.generation ?? 1,
      currentHealthy,
      desiredHealthy,
      expectedPods,
      disruptionsAllowed,
      conditions: withCondition(budget.status?.conditions, condition),
    });
  };

  const queue = createQueue({ name: 'PodDisruptionBudget', reconcile, log });
  all.onChange(({ object }) => queue.add(keyOf(object)));
  const again = (namespace: string | undefined): void => {
    for (const budget of all.list(namespace)) queue.add(keyOf(budget));
  };
  pods.onChange(({ object }) => again(object.metadata.namespace));
  deployments.onChange(({ object }) => again(object.metadata.namespace));
  return queue;
};
