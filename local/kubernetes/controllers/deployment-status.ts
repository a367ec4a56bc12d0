import { type Condition, conditionOf, timestamp, withCondition } from './objects.ts';
import { boundsOf } from './rolling-update.ts';
import type { Deployment, ReplicaSet } from './workloads.ts';

const total = (sets: readonly ReplicaSet[], count: (status: NonNullable<ReplicaSet['status']>) => number | undefined) =>
  sets.reduce((sum, { status }) => sum + ((status && count(status)) ?? 0), 0);

type Status = NonNullable<Deployment['status']>;

const progressed = (before: Status | undefined, now: Status): boolean =>
  (now.updatedReplicas ?? 0) > (before?.updatedReplicas ?? 0) ||
  (now.replicas ?? 0) - (now.updatedReplicas ?? 0) < (before?.replicas ?? 0) - (before?.updatedReplicas ?? 0) ||
  (now.readyReplicas ?? 0) > (before?.readyReplicas ?? 0) ||
  (now.availableReplicas ?? 0) > (before?.availableReplicas ?? 0);

const isComplete = ({ spec }: Deployment, now: Status): boolean => {
  const replicas = spec.replicas ?? 1;
  return now.updatedReplicas === replicas && now.replicas === replicas && (now.availableReplicas ?? 0) === replicas;
};

/** Seconds without progress after which a rollout counts as failed; Kubernetes' default is ten minutes. */
const deadlineOf = ({ spec }: Deployment): number => spec.progressDeadlineSeconds ?? 600;

const progressing = (status: Condition['status'], reason: string, message: string): Condition => ({
  type: 'Progressing',
  status,
  reason,
  message,
});

/** The Progressing condition after this look at the world; `lastUpdateTime` is the last sign of progress. */
const progressOf = (deployment: Deployment, current: ReplicaSet, now: Status, isNew: boolean): Condition => {
  const before = deployment.status;
  const known = conditionOf(before?.conditions, 'Progressing');
  const set = `ReplicaSet "${current.metadata.name}"`;
  if (isComplete(deployment, now))
    return progressing('True', 'NewReplicaSetAvailable', `${set} has successfully progressed.`);
  if (isNew) return progressing('True', 'NewReplicaSetCreated', `Created new replica set "${current.metadata.name}"`);
  if (!known || known.reason === 'NewReplicaSetAvailable' || progressed(before, now))
    return progressing('True', 'ReplicaSetUpdated', `${set} is progressing.`);
  if (known.reason === 'ProgressDeadlineExceeded') {
    // A changed Deployment has its whole deadline again, or whoever waits for it would be told of the failure before.
    const changed = (before?.observedGeneration ?? 0) < (deployment.metadata.generation ?? 1);
    return changed ? progressing('True', 'ReplicaSetUpdated', `${set} is progressing.`) : known;
  }
  const since = Date.parse(known.lastUpdateTime ?? known.lastTransitionTime ?? timestamp());
  if (Date.now() > since + deadlineOf(deployment) * 1_000)
    return progressing('False', 'ProgressDeadlineExceeded', `${set} has timed out progressing.`);
  return known;
};

/** When to look again for a rollout that may run into its deadline; undefined when it cannot. */
export const untilDeadline = (deployment: Deployment, status: Status): number | undefined => {
  const condition = conditionOf(status.conditions, 'Progressing');
  if (condition?.status !== 'True' || condition.reason === 'NewReplicaSetAvailable') return undefined;
  const since = Date.parse(condition.lastUpdateTime ?? '');
  return Math.max(since + deadlineOf(deployment) * 1_000 - Date.now(), 0) + 50;
};

const withUpdateTime = (
  before: readonly Condition[] | undefined,
  condition: Condition,
  touched: boolean,
): Condition[] => {
  const known = conditionOf(before, condition.type);
  const same = !touched && known?.status === condition.status && known?.reason === condition.reason;
  const lastUpdateTime = (same ? known?.lastUpdateTime : undefined) ?? timestamp();
  return withCondition(before, condition).map((other) =>
    other.type === condition.type ? { ...other, lastUpdateTime } : other,
  );
};

/** What a Deployment's status says about its ReplicaSets, in Kubernetes' words: Available, Progressing, ReplicaFailure. */
export const statusOf = (
  deployment: Deployment,
  { current, all, isNew }: { current: ReplicaSet | undefined; all: readonly ReplicaSet[]; isNew: boolean },
): Status => {
  const replicas = deployment.spec.replicas ?? 1;
  const before = deployment.status;
  const available = total(all, ({ availableReplicas }) => availableReplicas);
  const counted: Status = {
    observedGeneration: deployment.metadata.generation ?? 1,
    replicas: total(all, (status) => status.replicas),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: total(all, ({ readyReplicas }) => readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, total(all, (status) => status.replicas) - available, replicas - available),
  };
  const enough = available >= replicas - boundsOf(deployment).maxUnavailable;
  let conditions = withUpdateTime(
    before?.conditions,
    enough
      ? {
          type: 'Available',
          status: 'True',
          reason: 'MinimumReplicasAvailable',
          message: 'Deployment has minimum availability.',
        }
      : {
          type: 'Available',
          status: 'False',
          reason: 'MinimumReplicasUnavailable',
          message: 'Deployment does not have minimum availability.',
        },
    false,
  );
  if (current && !deployment.spec.paused) {
    const condition = progressOf(deployment, current, counted, isNew);
    const touched = condition.reason === 'ReplicaSetUpdated' && progressed(before, counted);
    conditions = withUpdateTime(conditions, condition, touched);
  }
  const failure = all.map(({ status }) => conditionOf(status?.conditions, 'ReplicaFailure')).find((found) => found);
  conditions = conditions.filter(({ type }) => type !== 'ReplicaFailure');
  if (failure) conditions.push({ ...failure, lastUpdateTime: failure.lastTransitionTime ?? timestamp() });
  return { ...counted, conditions };
};
