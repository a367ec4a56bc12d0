import type { Deployment } from './workloads.ts';

/** Pods of one ReplicaSet, by number. */
export interface Count {
  readonly wanted: number;
  readonly available: number;
}

export interface Rollout {
  readonly replicas: number;
  readonly maxSurge: number;
  readonly maxUnavailable: number;
  readonly current: Count;
  /** Oldest first. */
  readonly old: readonly Count[];
}

export interface Scales {
  readonly current: number;
  readonly old: readonly number[];
}

const share = (value: number | string, replicas: number, round: (value: number) => number): number =>
  typeof value === 'number' ? value : round((Number.parseInt(value, 10) / 100) * replicas);

/** `maxSurge` rounds up, `maxUnavailable` down; both zero would stand still, so one may be unavailable then. */
export const boundsOf = ({ spec }: Deployment): { maxSurge: number; maxUnavailable: number } => {
  const replicas = spec.replicas ?? 1;
  if (spec.strategy?.type === 'Recreate') return { maxSurge: 0, maxUnavailable: replicas };
  const { maxSurge = '25%', maxUnavailable = '25%' } = spec.strategy?.rollingUpdate ?? {};
  const surge = share(maxSurge, replicas, Math.ceil);
  const unavailable = Math.min(share(maxUnavailable, replicas, Math.floor), replicas);
  return { maxSurge: surge, maxUnavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
};

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const nextCurrent = ({ replicas, maxSurge, current, old }: Rollout): number => {
  if (current.wanted >= replicas) return replicas;
  const room = replicas + maxSurge - current.wanted - sum(old.map(({ wanted }) => wanted));
  return current.wanted + Math.max(0, Math.min(room, replicas - current.wanted));
};

/**
 * One step of a rolling update, as Kubernetes' deployment controller takes it: the new set grows while all pods are at most
 * `replicas + maxSurge`, then the old sets shrink, unhealthy pods first, while at least `replicas - maxUnavailable` are available.
 */
export const nextScales = (rollout: Rollout): Scales => {
  const { replicas, maxUnavailable, current, old } = rollout;
  const grown = nextCurrent(rollout);
  const fewest = replicas - maxUnavailable;
  const scales = old.map(({ wanted }) => wanted);
  let room = grown + sum(scales) - fewest - (grown - Math.min(current.available, grown));
  for (const [index, { wanted, available }] of old.entries()) {
    const unhealthy = Math.max(0, Math.min(room, wanted - Math.min(available, wanted)));
    scales[index] = wanted - unhealthy;
    room -= unhealthy;
  }
  let spare = Math.min(room, current.available + sum(old.map(({ available }) => available)) - fewest);
  for (const [index, wanted] of scales.entries()) {
    const fewer = Math.max(0, Math.min(spare, wanted));
    scales[index] = wanted - fewer;
    spare -= fewer;
  }
  return { current: grown, old: scales };
};
