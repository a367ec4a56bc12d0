import { ApiError, isApiError } from '../api-client.ts';
import type { Cluster } from './cluster.ts';
import { kinds } from './kinds.ts';
import { nodeName } from './node.ts';
import { controllerOf, isOwnedBy, keyOf, ownedBy, splitKey } from './objects.ts';
import { createQueue, type Queue } from './queue.ts';
import { templateHash } from './revisions.ts';
import type { StatefulSet } from './stateful-set-objects.ts';
import { isAvailable, isFinished, isReady, isTerminating, labelsOf, type Pod } from './workloads.ts';

const revisionLabel = 'controller-revision-hash';

const ordinalOf = (set: StatefulSet, { metadata }: Pod): number =>
  Number(metadata.name.slice(set.metadata.name.length + 1));

const revisionOf = (set: StatefulSet): string => `${set.metadata.name}-${templateHash(set.spec.template)}`;

/** Pause after a refused pod: a quota that grows starts no watch event of ours. */
const retry = 2_000;

/**
 * Keeps the numbered pods of a StatefulSet: in order, each ready before the next (or all at once with Parallel), from the last one down
 * when the template changed. Claims of its templates are made and stay.
 */
export const statefulSets = (cluster: Cluster): Queue => {
  const { statefulSets: all, pods, claims, events, log } = cluster;

  const podsOf = (set: StatefulSet): Pod[] =>
    pods
      .list(set.metadata.namespace)
      .filter((pod) => isOwnedBy(pod, set))
      .sort((one, other) => ordinalOf(set, one) - ordinalOf(set, other));

  const claim = async (set: StatefulSet, podName: string): Promise<void> => {
    for (const { metadata, spec } of set.spec.volumeClaimTemplates ?? []) {
      const name = `${metadata.name}-${podName}`;
      if (claims.get(set.metadata.namespace, name)) continue;
      const labels = set.spec.selector.matchLabels ?? {};
      await claims
        .create({ metadata: { name, namespace: set.metadata.namespace ?? '', labels }, spec })
        .catch((error: unknown) => {
          if (!isApiError(error, 409)) throw error;
        });
    }
  };

  const create = async (set: StatefulSet, ordinal: number): Promise<void> => {
    const { metadata, spec } = set.spec.template;
    const name = `${set.metadata.name}-${ordinal}`;
    await claim(set, name);
    await pods.create({
      metadata: {
        name,
        namespace: set.metadata.namespace ?? '',
        labels: {
          ...metadata?.labels,
          [revisionLabel]: revisionOf(set),
          'statefulset.kubernetes.io/pod-name': name,
          'apps.kubernetes.io/pod-index': String(ordinal),
        },
        ...(metadata?.annotations && { annotations: metadata.annotations }),
        ownerReferences: [ownedBy(set, kinds.statefulSets)],
      },
      spec: { ...spec, nodeName: spec.nodeName ?? nodeName },
    });
    events.record(
      { kind: kinds.statefulSets, object: set },
      'Normal',
      'SuccessfulCreate',
      `create Pod ${name} in StatefulSet ${set.metadata.name} successful`,
    );
  };

  /** Takes one step, or all at once with Parallel; the pods' events bring the next one. */
  const step = async (set: StatefulSet): Promise<void> => {
    const replicas = set.spec.replicas ?? 1;
    const parallel = set.spec.podManagementPolicy === 'Parallel';
    const have = new Map(podsOf(set).map((pod) => [ordinalOf(set, pod), pod]));
    for (const [ordinal, pod] of [...have].reverse()) {
      if (ordinal < replicas && !isFinished(pod)) continue;
      if (!isTerminating(pod)) await pods.remove(pod);
      if (!parallel) return;
    }
    for (let ordinal = 0; ordinal < replicas; ordinal += 1) {
      const pod = have.get(ordinal);
      if (!pod) await create(set, ordinal);
      if (!parallel && (!pod || isTerminating(pod) || !isReady(pod))) {
        // A pod that cannot get ready with an old template is replaced, or it would stand in the way for ever.
        if (pod && !isTerminating(pod) && labelsOf(pod)[revisionLabel] !== revisionOf(set)) await pods.remove(pod);
        return;
      }
    }
    const stale = [...have.values()].filter((pod) => labelsOf(pod)[revisionLabel] !== revisionOf(set)).at(-1);
    if (stale && [...have.values()].every((pod) => !isTerminating(pod)) && have.size === replicas)
      await pods.remove(stale);
  };

  const reconcile = async (key: string): Promise<number | undefined> => {
    const { namespace, name } = splitKey(key);
    const set = all.get(namespace, name);
    if (!set || isTerminating(set)) return undefined;
    let refused: ApiError | undefined;
    try {
      await step(set);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status === 409) throw error;
      refused = error;
      events.record(
        { kind: kinds.statefulSets, object: set },
        'Warning',
        'FailedCreate',
        `create Pod in StatefulSet ${name} failed error: ${error.message}`,
      );
    }
    const latest = all.get(namespace, name);
    if (!latest) return undefined;
    const have = podsOf(latest).filter((pod) => !isTerminating(pod));
    const updateRevision = revisionOf(latest);
    const updated = have.filter((pod) => labelsOf(pod)[revisionLabel] === updateRevision).length;
    const done = updated === have.length && have.length === (latest.spec.replicas ?? 1) && have.every(isReady);
    const currentRevision = done ? updateRevision : (latest.status?.currentRevision ?? updateRevision);
    await all.writeStatus(latest, {
      observedGeneration: latest.metadata.generation ?? 1,
      replicas: have.length,
      readyReplicas: have.filter(isReady).length,
      availableReplicas: have.filter((pod) => isAvailable(pod, latest.spec.minReadySeconds)).length,
      currentReplicas: have.filter((pod) => labelsOf(pod)[revisionLabel] === currentRevision).length,
      updatedReplicas: updated,
      currentRevision,
      updateRevision,
    });
    return refused ? retry : undefined;
  };

  const queue = createQueue({ name: 'StatefulSet', reconcile, log });
  all.onChange(({ object }) => queue.add(keyOf(object)));
  pods.onChange(({ object }) => {
    const owner = controllerOf(object);
    if (owner?.kind === 'StatefulSet') queue.add(`${object.metadata.namespace ?? ''}/${owner.name}`);
  });
  return queue;
};
