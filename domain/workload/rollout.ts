import type { KubeObject } from './object.ts';

/** How far a Deployment is: `failed` never gets ready without somebody changing something. */
export interface RolloutState {
  readonly state: 'ready' | 'progressing' | 'failed';
  /** Why it is not ready, in Kubernetes' own words; what is ready otherwise. */
  readonly reason: string;
}

export interface RolloutFacts {
  readonly pods?: readonly KubeObject[];
  readonly events?: readonly KubeObject[];
  /** What its autoscaler will raise it to at least; a new Deployment has one replica until then. */
  readonly least?: number | undefined;
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

interface Deployment {
  readonly metadata: { readonly generation?: number };
  readonly spec?: { readonly replicas?: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly availableReplicas?: number;
    readonly conditions?: readonly Condition[];
  };
}

interface Waiting {
  readonly reason?: string;
  readonly message?: string;
}

interface Pod {
  readonly metadata: { readonly name: string; readonly creationTimestamp?: string };
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly containerStatuses?: readonly {
      readonly ready?: boolean;
      readonly restartCount?: number;
      readonly state?: { readonly waiting?: Waiting };
      readonly lastState?: { readonly terminated?: { readonly reason?: string; readonly exitCode?: number } };
    }[];
  };
}

interface Event {
  readonly type?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTimestamp?: string | null;
  readonly eventTime?: string | null;
  readonly metadata: { readonly creationTimestamp?: string };
}

const conditionOf = ({ status }: Deployment, type: string): Condition | undefined =>
  status?.conditions?.find((one) => one.type === type);

const sentence = ({ reason, message }: Waiting): string => [reason, message].filter(Boolean).join(': ');

/** What keeps the pods from being ready, the newest pod first. */
const podReason = (pods: readonly Pod[]): string | undefined => {
  const newest = pods.toSorted((a, b) =>
    (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? ''),
  );
  for (const { metadata, status } of newest) {
    for (const { state, lastState, ready, restartCount = 0 } of status?.containerStatuses ?? []) {
      const exit = lastState?.terminated;
      const ended = exit ? ` (it ended with ${exit.reason ?? 'exit'} ${exit.exitCode ?? ''})` : '';
      if (state?.waiting?.reason && state.waiting.reason !== 'ContainerCreating')
        return `pod ${metadata.name}: ${sentence(state.waiting)}${ended}`;
      if (!ready && restartCount > 0) return `pod ${metadata.name}: restarted ${restartCount} times${ended}`;
    }
    const unscheduled = status?.conditions?.find((one) => one.type === 'PodScheduled' && one.status === 'False');
    if (unscheduled) return `pod ${metadata.name}: ${sentence(unscheduled)}`;
  }
  return undefined;
};

const timeOf = ({ lastTimestamp, eventTime, metadata }: Event): string =>
  lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? '';

const eventReason = (events: readonly Event[]): string | undefined => {
  const warnings = events.filter(({ type }) => type === 'Warning');
  const newest = warnings.toSorted((a, b) => timeOf(b).localeCompare(timeOf(a)))[0];
  return newest && sentence(newest);
};

/**
 * What a Deployment tells of its rollout, as `kubectl rollout status` reads it: the controller has seen the newest generation
 * and all replicas are updated and available, none of the old ones left. A quota or Pod Security that refuses a pod shows
 * as ReplicaFailure, a rollout without progress for `progressDeadlineSeconds` as Progressing=False; an image that cannot be
 * pulled is tried again until then. `pods` and `events` only say why; a name that can be no image is never tried again.
 */
export const rolloutOf = (
  deployment: KubeObject,
  { pods = [], events = [], least = 1 }: RolloutFacts = {},
): RolloutState => {
  const { metadata, spec, status } = deployment as unknown as Deployment;
  const told = { replicas: 0, updatedReplicas: 0, availableReplicas: 0, observedGeneration: 0, ...status };
  const wanted = Math.max(spec?.replicas ?? 1, least);
  const seen = told.observedGeneration >= (metadata.generation ?? 1);
  const detail = podReason(pods as unknown as Pod[]) ?? eventReason(events as unknown as Event[]);
  if (seen) {
    const whole = told.updatedReplicas === wanted && told.availableReplicas === wanted && told.replicas === wanted;
    if (whole) return { state: 'ready', reason: `${wanted} of ${wanted} pods available` };
    const refused = conditionOf(deployment as unknown as Deployment, 'ReplicaFailure');
    if (refused?.status === 'True') return { state: 'failed', reason: sentence(refused) };
    const progress = conditionOf(deployment as unknown as Deployment, 'Progressing');
    if (progress?.status === 'False')
      return { state: 'failed', reason: [sentence(progress), detail].filter(Boolean).join('; ') };
    if (detail?.includes('InvalidImageName')) return { state: 'failed', reason: detail };
  }
  const count = `${told.availableReplicas} of ${wanted} pods available, ${told.updatedReplicas} updated`;
  return { state: 'progressing', reason: detail === undefined ? count : `${count}; ${detail}` };
};
