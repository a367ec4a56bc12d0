import { ApiError } from '../api-client.ts';
import type { Cluster } from './cluster.ts';
import type { Job } from './job-objects.ts';
import { kinds } from './kinds.ts';
import { nodeName } from './node.ts';
import {
  type Condition,
  conditionOf,
  controllerOf,
  isOwnedBy,
  keyOf,
  ownedBy,
  splitKey,
  timestamp,
  withCondition,
} from './objects.ts';
import { createQueue, type Queue } from './queue.ts';
import { suffix } from './replica-sets.ts';
import { isActive, isReady, isTerminating, type Pod } from './workloads.ts';

type Verdict = { readonly type: 'Complete' | 'Failed'; readonly reason: string; readonly message: string };

interface Tally {
  readonly active: readonly Pod[];
  readonly succeeded: number;
  readonly failed: number;
}

const limitOf = ({ spec }: Job): number => spec.backoffLimit ?? 6;

const overdue = ({ spec, status }: Job): boolean =>
  spec.activeDeadlineSeconds !== undefined &&
  status?.startTime !== undefined &&
  Date.parse(status.startTime) + spec.activeDeadlineSeconds * 1_000 <= Date.now();

/** Restarts of containers inside pods count as failures too, where the pod is restarted in place. */
const restartsOf = (pods: readonly Pod[]): number =>
  pods
    .flatMap(({ status }) => status?.containerStatuses ?? [])
    .reduce((sum, { restartCount }) => sum + restartCount, 0);

const verdictOf = (job: Job, { active, succeeded, failed }: Tally): Verdict | undefined => {
  const completions = job.spec.completions ?? job.spec.parallelism ?? 1;
  if (succeeded >= completions)
    return { type: 'Complete', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' };
  if (failed > limitOf(job) || restartsOf(active) > limitOf(job))
    return { type: 'Failed', reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' };
  if (overdue(job))
    return { type: 'Failed', reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' };
  return undefined;
};

export const isOver = ({ status }: Job): boolean =>
  ['Complete', 'Failed'].some((type) => conditionOf(status?.conditions, type)?.status === 'True');

/** Pause before a failed pod is followed by another: 250 ms, doubled up to 10 s. */
const pauseAfter = (failed: number): number => (failed === 0 ? 0 : Math.min(250 * 2 ** (failed - 1), 10_000));

/** Runs pods to their end, as many as a Job asks for, until enough have succeeded or too many failed. */
export const jobs = (cluster: Cluster): Queue => {
  const { jobs: all, pods, events, log } = cluster;

  const tallyOf = (job: Job): Tally => {
    const own = pods.list(job.metadata.namespace).filter((pod) => isOwnedBy(pod, job));
    const ended = (phase: string): number => own.filter(({ status }) => status?.phase === phase).length;
    return { active: own.filter(isActive), succeeded: ended('Succeeded'), failed: ended('Failed') };
  };

  const create = (job: Job): Promise<Pod> => {
    const { metadata, spec } = job.spec.template;
    const { name, uid } = job.metadata;
    const labels = {
      'job-name': name,
      'batch.kubernetes.io/job-name': name,
      'batch.kubernetes.io/controller-uid': uid,
    };
    return pods.create({
      metadata: {
        name: `${name}-${suffix()}`,
        namespace: job.metadata.namespace ?? '',
        labels: { ...labels, ...metadata?.labels },
        ...(metadata?.annotations && { annotations: metadata.annotations }),
        ownerReferences: [ownedBy(job, kinds.jobs)],
      },
      spec: { ...spec, nodeName: spec.nodeName ?? nodeName },
    });
  };

  const lastEnd = (job: Job): number =>
    Math.max(
      0,
      ...pods
        .list(job.metadata.namespace)
        .filter((pod) => isOwnedBy(pod, job))
        .flatMap(({ status }) => status?.containerStatuses ?? [])
        .map(({ state }) => Date.parse(state.terminated?.finishedAt ?? '') || 0),
    );

  const fill = async (job: Job, tally: Tally): Promise<number | undefined> => {
    const left = (job.spec.completions ?? job.spec.parallelism ?? 1) - tally.succeeded - tally.active.length;
    const missing = Math.min(left, (job.spec.parallelism ?? 1) - tally.active.length);
    const wait = missing > 0 && tally.failed > 0 ? lastEnd(job) + pauseAfter(tally.failed) - Date.now() : 0;
    if (wait > 0) return wait;
    for (let made = 0; made < missing; made += 1) {
      try {
        const { metadata } = await create(job);
        events.record({ kind: kinds.jobs, object: job }, 'Normal', 'SuccessfulCreate', `Created pod: ${metadata.name}`);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        events.record({ kind: kinds.jobs, object: job }, 'Warning', 'FailedCreate', `Error creating: ${error.message}`);
        return 2_000;
      }
    }
    return undefined;
  };

  const expire = async (job: Job): Promise<number | undefined> => {
    const ttl = job.spec.ttlSecondsAfterFinished;
    if (ttl === undefined) return undefined;
    const ends = (job.status?.conditions ?? []).map(({ lastTransitionTime }) => Date.parse(lastTransitionTime ?? ''));
    const wait = Math.max(...ends) + ttl * 1_000 - Date.now();
    if (wait > 0) return wait;
    await all.remove(job);
    return undefined;
  };

  const reconcile = async (key: string): Promise<number | undefined> => {
    const { namespace, name } = splitKey(key);
    const job = all.get(namespace, name);
    if (!job || isTerminating(job)) return undefined;
    if (isOver(job)) return expire(job);
    const verdict = verdictOf(job, tallyOf(job));
    let again: number | undefined;
    if (verdict || job.spec.suspend) for (const pod of tallyOf(job).active) await pods.remove(pod);
    else again = await fill(job, tallyOf(job));
    const latest = all.get(namespace, name);
    if (!latest) return undefined;
    const { active, succeeded, failed } = tallyOf(job);
    const startTime = latest.status?.startTime ?? timestamp();
    const said: readonly Condition[] = latest.status?.conditions ?? [];
    await all.writeStatus(latest, {
      active: active.length,
      ready: active.filter(isReady).length,
      succeeded,
      failed,
      startTime,
      ...(said.length > 0 && { conditions: said }),
      ...(verdict && { conditions: withCondition(said, { ...verdict, status: 'True' }) }),
      ...(verdict?.type === 'Complete' && { completionTime: timestamp() }),
    });
    if (verdict) {
      const complete = verdict.type === 'Complete';
      const about = { kind: kinds.jobs, object: job };
      events.record(about, complete ? 'Normal' : 'Warning', complete ? 'Completed' : verdict.reason, verdict.message);
      return undefined;
    }
    const { activeDeadlineSeconds } = job.spec;
    if (activeDeadlineSeconds === undefined) return again;
    const deadline = Date.parse(startTime) + activeDeadlineSeconds * 1_000 - Date.now() + 20;
    return Math.min(again ?? deadline, deadline);
  };

  const queue = createQueue({ name: 'Job', reconcile, log });
  all.onChange(({ object }) => queue.add(keyOf(object)));
  pods.onChange(({ object }) => {
    const owner = controllerOf(object);
    if (owner?.kind === 'Job') queue.add(`${object.metadata.namespace ?? ''}/${owner.name}`);
  });
  return queue;
};
