import { labelNames } from '../../domain/workload/object.ts';
import { type RolloutState, rolloutOf } from '../../domain/workload/rollout.ts';
import { appName } from '../../domain/workload/spec.ts';
import type { Cluster } from './cluster.ts';

/** How far the app of a namespace is, once. A Deployment that is not there has failed: nobody but Tenantry takes it away. */
export const lookAtApp = async (cluster: Cluster, namespace: string): Promise<RolloutState> => {
  const [deployment, scaler] = await Promise.all([
    cluster.get({ apiVersion: 'apps/v1', kind: 'Deployment', namespace, name: appName }),
    cluster.get({ apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', namespace, name: appName }),
  ]);
  if (!deployment)
    return { state: 'failed', reason: `there is no Deployment ${appName} in ${namespace}; deploy the app again` };
  const least = (scaler?.spec as { minReplicas?: number } | undefined)?.minReplicas;
  const first = rolloutOf(deployment, { least });
  if (first.state === 'ready') return first;
  // Only a rollout that is not done has something to explain: two more requests.
  const [pods, events] = await Promise.all([
    cluster.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace, labels: `${labelNames.name}=${appName}` }),
    cluster.list({ apiVersion: 'v1', kind: 'Event' }, { namespace }),
  ]);
  return rolloutOf(deployment, { pods, events, least });
};

/** Why a namespace is still there: what its conditions say, `NamespaceFinalizersRemaining` above all. */
export const lookAtNamespace = async (cluster: Cluster, name: string): Promise<{ gone: boolean; reason: string }> => {
  const namespace = await cluster.get({ apiVersion: 'v1', kind: 'Namespace', name });
  if (!namespace) return { gone: true, reason: `namespace ${name} is gone` };
  const { conditions = [] } = (namespace.status ?? {}) as {
    conditions?: readonly { type: string; status: string; message?: string }[];
  };
  const holding = conditions
    .filter(({ status }) => status === 'True')
    // What has finalizers is also counted as remaining content; the finalizers say who has to act.
    .toSorted(
      (a, b) => Number(b.type === 'NamespaceFinalizersRemaining') - Number(a.type === 'NamespaceFinalizersRemaining'),
    )
    .map(({ type, message }) => `${type}: ${message ?? ''}`);
  return { gone: false, reason: `namespace ${name} is being deleted${holding.map((text) => `; ${text}`).join('')}` };
};
