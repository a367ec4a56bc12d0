import type {
  V1CronJobSpec,
  V1DaemonSetSpec,
  V1DeploymentSpec,
  V1JobSpec,
  V1ReplicaSetSpec,
  V1StatefulSetSpec,
} from '@kubernetes/client-node';
import type { KubeObject } from '../object.ts';
import { defaultPodSpec } from './pod.ts';

const defaultDeployment = (spec: V1DeploymentSpec): void => {
  spec.replicas ??= 1;
  spec.strategy ??= {};
  spec.strategy.type ??= 'RollingUpdate';
  if (spec.strategy.type === 'RollingUpdate') {
    spec.strategy.rollingUpdate = { maxUnavailable: '25%', maxSurge: '25%', ...spec.strategy.rollingUpdate };
  }
  spec.revisionHistoryLimit ??= 10;
  spec.progressDeadlineSeconds ??= 600;
  defaultPodSpec(spec.template?.spec);
};

const defaultReplicaSet = (spec: V1ReplicaSetSpec): void => {
  spec.replicas ??= 1;
  defaultPodSpec(spec.template?.spec);
};

const defaultStatefulSet = (spec: V1StatefulSetSpec): void => {
  spec.replicas ??= 1;
  spec.podManagementPolicy ??= 'OrderedReady';
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ??= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') spec.updateStrategy.rollingUpdate ??= { partition: 0 };
  spec.revisionHistoryLimit ??= 10;
  spec.persistentVolumeClaimRetentionPolicy ??= { whenDeleted: 'Retain', whenScaled: 'Retain' };
  defaultPodSpec(spec.template?.spec);
};

const defaultDaemonSet = (spec: V1DaemonSetSpec): void => {
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ??= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate = { maxUnavailable: 1, maxSurge: 0, ...spec.updateStrategy.rollingUpdate };
  }
  spec.revisionHistoryLimit ??= 10;
  defaultPodSpec(spec.template?.spec);
};

const defaultJob = (spec: V1JobSpec): void => {
  spec.completions ??= spec.parallelism === undefined ? 1 : spec.completions;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= 6;
  spec.completionMode ??= 'NonIndexed';
  spec.suspend ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed';
  defaultPodSpec(spec.template?.spec);
};

const defaultCronJob = (spec: V1CronJobSpec): void => {
  spec.concurrencyPolicy ??= 'Allow';
  spec.suspend ??= false;
  spec.successfulJobsHistoryLimit ??= 3;
  spec.failedJobsHistoryLimit ??= 1;
  if (spec.jobTemplate?.spec) defaultPodSpec(spec.jobTemplate.spec.template?.spec);
};

/** A job finds its pods by its own uid, unless it says `manualSelector`. Kubernetes does this at creation. */
const selectJobPods = (object: KubeObject): void => {
  const spec = object.spec as V1JobSpec;
  if (spec.manualSelector || spec.selector) return;
  const labels = { 'batch.kubernetes.io/controller-uid': object.metadata.uid ?? '' };
  spec.selector = { matchLabels: labels };
  spec.template.metadata = {
    ...spec.template.metadata,
    labels: {
      ...spec.template.metadata?.labels,
      ...labels,
      'batch.kubernetes.io/job-name': object.metadata.name,
      'controller-uid': object.metadata.uid ?? '',
      'job-name': object.metadata.name,
    },
  };
};

/** Source: k8s.io/kubernetes pkg/apis/{apps,batch}/v1/defaults.go. */
export const defaultWorkload = (object: KubeObject, created: boolean): void => {
  switch (object.kind) {
    case 'Deployment':
      defaultDeployment(object.spec as V1DeploymentSpec);
      break;
    case 'ReplicaSet':
      defaultReplicaSet(object.spec as V1ReplicaSetSpec);
      break;
    case 'StatefulSet':
      defaultStatefulSet(object.spec as V1StatefulSetSpec);
      break;
    case 'DaemonSet':
      defaultDaemonSet(object.spec as V1DaemonSetSpec);
      break;
    case 'Job':
      if (created) selectJobPods(object);
      defaultJob(object.spec as V1JobSpec);
      break;
    case 'CronJob':
      defaultCronJob(object.spec as V1CronJobSpec);
      break;
  }
};
