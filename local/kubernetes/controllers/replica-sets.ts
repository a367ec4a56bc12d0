import { randomInt } from 'node:crypto';
import { ApiError } from '../api-client.ts';
import type { Cluster } from './cluster.ts';
import { kinds } from './kinds.ts';
import { nodeName } from './node.ts';
import {
  type Condition,
  controllerOf,
  isOwnedBy,
  keyOf,
  ownedBy,
  selects,
  splitKey,
  withCondition,
} from './objects.ts';
import { createQueue, type Queue } from './queue.ts';
import {
  isActive,
  isAvailable,
  isReady,
  isTerminating,
  labelsOf,
  type Pod,
  type ReplicaSet,
  readySince,
} from './workloads.ts';

/** Kubernetes' alphabet of generated names: no vowels, nothing that looks like another. */
const letters = 'bcdfghjklmnpqrstvwxz2456789';

export const suffix = (length = 5): string => {
  let text = '';
  while (text.length < length) text += letters[randomInt(letters.length)];
  return text;
};

/** Which pods to give up first: those that serve nobody, then the youngest. */
const leastUseful = (one: Pod, other: Pod): number => {
  const rank = (pod: Pod): number => (isReady(pod) ? 2 : pod.status?.phase === 'Running' ? 1 : 0);
  if (rank(one) !== rank(other)) return rank(one) - rank(other);
  return one.metadata.creationTimestamp < other.metadata.creationTimestamp ? 1 : -1;
};

const withoutFailure = (conditions: readonly Condition[] | undefined): Condition[] =>
  (conditions ?? []).filter(({ type }) => type !== 'ReplicaFailure');

/** Keeps as many pods as a ReplicaSet asks for. What the API refuses is told as ReplicaFailure / FailedCreate and tried again. */
export const replicaSets = (cluster: Cluster): Queue => {
  const { pods, replicaSets: sets, events, log } = cluster;

  const failures = new Map<string, number>();

  /** Pause after a refusal: 250 ms, doubled up to 10 s. A quota that grows starts no watch event of ours. */
  const retryAfter = (key: string): number => {
    const count = failures.get(key) ?? 0;
    failures.set(key, count + 1);
    return Math.min(250 * 2 ** count, 10_000);
  };

  const adopt = async (set: ReplicaSet): Promise<void> => {
    for (const pod of pods.list(set.metadata.namespace)) {
      if (controllerOf(pod) || !isActive(pod) || !selects(set.spec.selector, labelsOf(pod))) continue;
      const ownerReferences = [...(pod.metadata.ownerReferences ?? []), ownedBy(set, kinds.replicaSets)];
      await pods.patch(pod, { metadata: { uid: pod.metadata.uid, ownerReferences } });
    }
  };

  const create = (set: ReplicaSet): Promise<Pod> => {
    const { metadata, spec } = set.spec.template;
    return pods.create({
      metadata: {
        name: `${set.metadata.name}-${suffix()}`,
        namespace: set.metadata.namespace ?? '',
        labels: metadata?.labels ?? {},
        ...(metadata?.annotations && { annotations: metadata.annotations }),
        ownerReferences: [ownedBy(set, kinds.replicaSets)],
      },
      spec: { ...spec, nodeName: spec.nodeName ?? nodeName },
    });
  };

  const scale = async (set: ReplicaSet, have: Pod[]): Promise<ApiError | undefined> => {
    const about = { kind: kinds.replicaSets, object: set };
    const missing = (set.spec.replicas ?? 1) - have.length;
    for (let made = 0; made < missing; made += 1) {
      try {
        const { metadata } = await create(set);
        events.record(about, 'Normal', 'SuccessfulCreate', `Created pod: ${metadata.name}`);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        events.record(about, 'Warning', 'FailedCreate', `Error creating: ${error.message}`);
        return error;
      }
    }
    const surplus = [...have].sort(leastUseful).slice(0, Math.max(0, -missing));
    for (const pod of surplus) {
      await pods.remove(pod);
      events.record(about, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`);
    }
    return undefined;
  };

  const podsOf = (set: ReplicaSet): Pod[] =>
    pods.list(set.metadata.namespace).filter((pod) => isOwnedBy(pod, set) && isActive(pod));

  /** When the next pod has been ready for long enough; undefined when none is waited for. */
  const nextAvailable = (set: ReplicaSet, have: readonly Pod[]): number | undefined => {
    const wanted = (set.spec.minReadySeconds ?? 0) * 1_000;
    const waits = have.map((pod) => (readySince(pod) ?? Number.NaN) + wanted - Date.now()).filter((wait) => wait > 0);
    return waits.length > 0 ? Math.min(...waits) + 10 : undefined;
  };

  const reconcile = async (key: string): Promise<number | undefined> => {
    const { namespace, name } = splitKey(key);
    const set = sets.get(namespace, name);
    if (!set || isTerminating(set)) return undefined;
    await adopt(set);
    const refused = await scale(set, podsOf(set));
    const have = podsOf(set);
    const current = sets.get(namespace, name);
    if (!current) return undefined;
    const minReady = set.spec.minReadySeconds ?? 0;
    const templateLabels = set.spec.template.metadata?.labels ?? {};
    const known = current.status?.conditions;
    const conditions = refused
      ? withCondition(known, {
          type: 'ReplicaFailure',
          status: 'True',
          reason: 'FailedCreate',
          message: refused.message,
        })
      : withoutFailure(known);
    await sets.writeStatus(current, {
      replicas: have.length,
      fullyLabeledReplicas: have.filter((pod) => selects({ matchLabels: templateLabels }, labelsOf(pod))).length,
      readyReplicas: have.filter(isReady).length,
      availableReplicas: have.filter((pod) => isAvailable(pod, minReady)).length,
      observedGeneration: set.metadata.generation ?? 1,
      ...(conditions.length > 0 && { conditions }),
    });
    // Throwing would say the same in the log at every try; the condition and the event say it already.
    if (refused) return retryAfter(key);
    failures.delete(key);
    return nextAvailable(set, have);
  };

  const queue = createQueue({ name: 'ReplicaSet', reconcile, log });
  sets.onChange(({ type, object }) => {
    if (type === 'gone') failures.delete(keyOf(object));
    queue.add(keyOf(object));
  });
  pods.onChange(({ object }) => {
    const owner = controllerOf(object);
    if (owner?.kind === 'ReplicaSet') queue.add(`${object.metadata.namespace ?? ''}/${owner.name}`);
  });
  return queue;
};
