import type { WorkloadResources } from './spec.ts';

/** An app with one pod stays at one: a second would double what its plan promises. */
export const scales = ({ replicas }: WorkloadResources): boolean => replicas >= 2;

/** Pods of the app at its busiest. */
export const mostReplicas = (resources: WorkloadResources): number =>
  scales(resources) ? resources.replicas * 2 : resources.replicas;

/** A rollout adds one pod before it takes one away, and the pod on its way out still counts while it ends. */
export const mostPods = (resources: WorkloadResources): number => mostReplicas(resources) + 2;
