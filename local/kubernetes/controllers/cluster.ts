import type { ApiClient } from '../api-client.ts';
import type { Job } from './job-objects.ts';
import { kinds } from './kinds.ts';
import type { Ingress, Service } from './network-objects.ts';
import type { KubeObject } from './objects.ts';
import type { Autoscaler, Claim, DisruptionBudget, Namespace, Quota } from './policy-objects.ts';
import { createRecorder, type Recorder } from './recorder.ts';
import { createResource, type Resource } from './resource.ts';
import type { StatefulSet } from './stateful-set-objects.ts';
import type { Deployment, Pod, ReplicaSet } from './workloads.ts';

/** One cluster as its controllers see it. */
export interface Cluster {
  readonly client: ApiClient;
  readonly log: (line: string) => void;
  readonly events: Recorder;
  readonly namespaces: Resource<Namespace>;
  readonly pods: Resource<Pod>;
  readonly services: Resource<Service>;
  readonly ingresses: Resource<Ingress>;
  readonly deployments: Resource<Deployment>;
  readonly replicaSets: Resource<ReplicaSet>;
  readonly statefulSets: Resource<StatefulSet>;
  readonly jobs: Resource<Job>;
  readonly quotas: Resource<Quota>;
  readonly claims: Resource<Claim>;
  readonly disruptionBudgets: Resource<DisruptionBudget>;
  readonly autoscalers: Resource<Autoscaler>;
  /** Everything of the above that is watched. */
  readonly watched: readonly Resource<KubeObject>[];
}

export const openCluster = (client: ApiClient, log: (line: string) => void): Cluster => {
  const watched: Resource<KubeObject>[] = [];
  const open = <Type extends KubeObject>(kind: (typeof kinds)[keyof typeof kinds]): Resource<Type> => {
    const resource = createResource<Type>(client, kind, log);
    watched.push(resource as unknown as Resource<KubeObject>);
    return resource;
  };
  return {
    client,
    log,
    events: createRecorder(client, log),
    namespaces: open(kinds.namespaces),
    pods: open(kinds.pods),
    services: open(kinds.services),
    ingresses: open(kinds.ingresses),
    deployments: open(kinds.deployments),
    replicaSets: open(kinds.replicaSets),
    statefulSets: open(kinds.statefulSets),
    jobs: open(kinds.jobs),
    quotas: open(kinds.resourceQuotas),
    claims: open(kinds.persistentVolumeClaims),
    disruptionBudgets: open(kinds.disruptionBudgets),
    autoscalers: open(kinds.autoscalers),
    watched,
  };
};
