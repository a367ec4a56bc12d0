import type { Cluster } from './cluster.ts';
import { statusOf, untilDeadline } from './deployment-status.ts';
import { kinds } from './kinds.ts';
import { canonical, controllerOf, isOwnedBy, keyOf, ownedBy, selects, splitKey } from './objects.ts';
import { createQueue, type Queue } from './queue.ts';
import { annotationsFor, hasTemplate, revisionAnnotation, revisionOf, templateHash } from './revisions.ts';
import { boundsOf, nextScales } from './rolling-update.ts';
import { type Deployment, hashLabel, isFinished, isTerminating, labelsOf, type ReplicaSet } from './workloads.ts';

const byAge = (one: ReplicaSet, other: ReplicaSet): number => revisionOf(one) - revisionOf(other);

/**
 * Brings a Deployment's pods to its template through ReplicaSets, one per template: by rolling update or all anew (Recreate). Sets of
 * earlier templates stay for `kubectl rollout undo`, as many as `revisionHistoryLimit`.
 */
export const deployments = (cluster: Cluster): Queue => {
  const { deployments: all, replicaSets: sets, pods, events, log } = cluster;

  const setsOf = (deployment: Deployment): ReplicaSet[] =>
    sets
      .list(deployment.metadata.namespace)
      .filter((set) => isOwnedBy(set, deployment) && !isTerminating(set))
      .sort(byAge);

  const adopt = async (deployment: Deployment): Promise<void> => {
    for (const set of sets.list(deployment.metadata.namespace)) {
      if (controllerOf(set) || isTerminating(set) || !selects(deployment.spec.selector, labelsOf(set))) continue;
      const ownerReferences = [...(set.metadata.ownerReferences ?? []), ownedBy(deployment, kinds.deployments)];
      await sets.patch(set, { metadata: { uid: set.metadata.uid, ownerReferences } });
    }
  };

  const setScale = async (deployment: Deployment, set: ReplicaSet, replicas: number): Promise<void> => {
    const before = set.spec.replicas ?? 1;
    if (before === replicas) return;
    await sets.patch(set, { metadata: { uid: set.metadata.uid }, spec: { replicas } });
    const message = `Scaled ${replicas > before ? 'up' : 'down'} replica set ${set.metadata.name} from ${before} to ${replicas}`;
    events.record({ kind: kinds.deployments, object: deployment }, 'Normal', 'ScalingReplicaSet', message);
  };

  /** The set of the current template, made or renumbered where needed. */
  const currentSet = async (deployment: Deployment, known: readonly ReplicaSet[]): Promise<[ReplicaSet, boolean]> => {
    const { template, selector, minReadySeconds } = deployment.spec;
    const surge = boundsOf(deployment).maxSurge;
    const found = known.find((set) => hasTemplate(set, template));
    const latest = Math.max(0, ...known.filter((set) => set !== found).map(revisionOf));
    const revision = found && revisionOf(found) > latest ? revisionOf(found) : latest + 1;
    const annotations = annotationsFor(deployment, found, { revision, surge });
    if (deployment.metadata.annotations?.[revisionAnnotation] !== String(revision))
      await all.patch(deployment, { metadata: { annotations: { [revisionAnnotation]: String(revision) } } });
    if (found) {
      const merged = { ...found.metadata.annotations, ...annotations };
      if (canonical(found.metadata.annotations) !== canonical(merged))
        await sets.patch(found, { metadata: { uid: found.metadata.uid, annotations: merged } });
      return [sets.get(found.metadata.namespace, found.metadata.name) ?? found, false];
    }
    const hash = templateHash(template);
    const labels = { ...template.metadata?.labels, [hashLabel]: hash };
    const created = await sets.create({
      metadata: {
        name: `${deployment.metadata.name}-${hash}`,
        namespace: deployment.metadata.namespace ?? '',
        labels,
        annotations,
        ownerReferences: [ownedBy(deployment, kinds.deployments)],
      },
      spec: {
        replicas: 0,
        ...(minReadySeconds !== undefined && { minReadySeconds }),
        selector: { ...selector, matchLabels: { ...selector.matchLabels, [hashLabel]: hash } },
        template: { ...template, metadata: { ...template.metadata, labels } },
      },
    });
    return [created, true];
  };

  const countOf = ({ spec, status }: ReplicaSet) => ({
    wanted: spec.replicas ?? 1,
    available: status?.availableReplicas ?? 0,
  });

  const roll = async (deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): Promise<void> => {
    const replicas = deployment.spec.replicas ?? 1;
    if (deployment.spec.strategy?.type === 'Recreate') {
      for (const set of old) await setScale(deployment, set, 0);
      const left = pods
        .list(deployment.metadata.namespace)
        .some((pod) => !isFinished(pod) && old.some((set) => isOwnedBy(pod, set)));
      if (!left) await setScale(deployment, current, replicas);
      return;
    }
    const scales = nextScales({ replicas, ...boundsOf(deployment), current: countOf(current), old: old.map(countOf) });
    await setScale(deployment, current, scales.current);
    for (const [index, set] of old.entries()) await setScale(deployment, set, scales.old[index] ?? 0);
  };

  const forgetOld = async (deployment: Deployment, old: readonly ReplicaSet[]): Promise<void> => {
    const idle = old.filter(({ spec, status }) => spec.replicas === 0 && (status?.replicas ?? 0) === 0);
    const surplus = idle.length - (deployment.spec.revisionHistoryLimit ?? 10);
    for (const set of idle.slice(0, Math.max(0, surplus))) await sets.remove(set);
  };

  const reconcile = async (key: string): Promise<number | undefined> => {
    const { namespace, name } = splitKey(key);
    const deployment = all.get(namespace, name);
    if (!deployment || isTerminating(deployment)) return undefined;
    await adopt(deployment);
    let current: ReplicaSet | undefined;
    let isNew = false;
    if (deployment.spec.paused) {
      current = setsOf(deployment).find((set) => hasTemplate(set, deployment.spec.template));
      const active = setsOf(deployment).filter(({ spec }) => spec.replicas !== 0);
      if (active.length === 1 && active[0]) await setScale(deployment, active[0], deployment.spec.replicas ?? 1);
    } else {
      [current, isNew] = await currentSet(deployment, setsOf(deployment));
      const { uid } = current.metadata;
      const old = setsOf(deployment).filter(({ metadata }) => metadata.uid !== uid);
      await roll(deployment, current, old);
      current = sets.get(namespace, current.metadata.name);
      if ((deployment.status?.updatedReplicas ?? 0) === (deployment.spec.replicas ?? 1))
        await forgetOld(deployment, old);
    }
    const latest = all.get(namespace, name);
    // Changed meanwhile: its watch event has queued it again, and the status of an old look must not be told of the new one.
    if (!latest || latest.metadata.generation !== deployment.metadata.generation) return undefined;
    const status = statusOf(latest, { current, all: setsOf(latest), isNew });
    await all.writeStatus(latest, status);
    return untilDeadline(latest, status);
  };

  const queue = createQueue({ name: 'Deployment', reconcile, log });
  all.onChange(({ object }) => queue.add(keyOf(object)));
  sets.onChange(({ object }) => {
    const owner = controllerOf(object);
    if (owner?.kind === 'Deployment') queue.add(`${object.metadata.namespace ?? ''}/${owner.name}`);
  });
  // Recreate waits for the last old pod to end.
  pods.onChange(({ type, object }) => {
    if (type !== 'gone') return;
    const set = sets.get(object.metadata.namespace, controllerOf(object)?.name ?? '');
    const owner = set && controllerOf(set);
    if (owner?.kind === 'Deployment') queue.add(`${object.metadata.namespace ?? ''}/${owner.name}`);
  });
  return queue;
};
