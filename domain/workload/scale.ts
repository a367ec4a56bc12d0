import type { WorkloadSpec } from './spec.ts';

type Sizes = Pick<WorkloadSpec, 'resources' | 'quota'>;

/** An app with one pod stays at one: a second would double what its plan promises. */
export const scales = ({ resources }: Sizes): boolean => resources.replicas >= 2;

/** Pods of the app at its busiest: twice its usual number, and one less than its quota, which a rollout needs. */
export const mostReplicas = ({ resources, quota }: Sizes): number =>
  resources.replicas >= 2
    ? Math.max(resources.replicas, Math.min(resources.replicas * 2, quota.pods - 1))
    : resources.replicas;
