import { type KubeObject, labelNames, manager } from '../../domain/workload/object.ts';
import { type RolloutState, rolloutOf } from '../../domain/workload/rollout.ts';
import type { Cluster } from './cluster.ts';

const minimumOf = (scalers: readonly KubeObject[], name: string): number | undefined => {
  const specs = scalers.map(({ spec }) => spec as { scaleTargetRef: { name: string }; minReplicas?: number });
  return specs.find(({ scaleTargetRef }) => scaleTargetRef.name === name)?.minReplicas;
};

/**
 * How far the app of a namespace is, once: ready when all of its Deployments are. One without any has failed: nobody but
 * Tenantry takes them away.
 */
export const lookAtApp = async (cluster: Cluster, namespace: string): Promise<RolloutState> => {
  const ours = { namespace, labels: `${labelNames.managedBy}=${manager}` };
  const [deployments, scalers] = await Promise.all([
    cluster.list({ apiVersion: 'apps/v1', kind: 'Deployment' }, ours),
    cluster.list({ apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' }, ours),
  ]);
  if (deployments.length === 0)
    return { state: 'failed', reason: `there is no Deployment in ${namespace}; deploy the app again` };
  const facts = deployments.map((object) => ({ object, least: minimumOf(scalers, object.metadata.name) }));
  const slow = facts.filter(({ object, least }) => rolloutOf(object, { least }).state !== 'ready');
  const [first] = facts;
  if (slow.length === 0) return rolloutOf(first!.object, { least: first!.least });
  // Only a rollout that is not done has something to explain: two more requests.
  const [pods, events] = await Promise.all([
    cluster.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace }),
    cluster.list({ apiVersion: 'v1', kind: 'Event' }, { namespace }),
  ]);
  const states = slow.map(({ object, least }) => rolloutOf(object, { least, events, pods: podsOf(object, pods) }));
  return states.find(({ state }) => state === 'failed') ?? states[0]!;
};

const podsOf = ({ spec }: KubeObject, pods: readonly KubeObject[]): KubeObject[] => {
  const wanted = (spec as { selector?: { matchLabels?: Record<string, string> } }).selector?.matchLabels ?? {};
  return pods.filter(({ metadata }) =>
    Object.entries(wanted).every(([name, value]) => metadata.labels?.[name] === value),
  );
};

/** When the first of these objects was asked to go; undefined while none was. */
export const deletedSince = (objects: readonly KubeObject[]): Date | undefined => {
  const times = objects.flatMap(({ metadata }) => (metadata.deletionTimestamp as string | undefined) ?? []);
  const [first] = times.toSorted();
  return first === undefined ? undefined : new Date(first);
};

/** Why a namespace is still there: what its conditions say, `NamespaceFinalizersRemaining` above all. */
export const lookAtNamespace = async (
  cluster: Cluster,
  name: string,
): Promise<{ gone: boolean; reason: string; since?: Date | undefined }> => {
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
  return {
    gone: false,
    since: deletedSince([namespace]),
    reason: `namespace ${name} is being deleted${holding.map((text) => `; ${text}`).join('')}`,
  };
};
