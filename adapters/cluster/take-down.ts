import { StepFailure } from '../../domain/errors.ts';
import { labelNames } from '../../domain/workload/object.ts';
import type { Cluster } from './cluster.ts';
import { lookAtNamespace } from './look.ts';
import type { OwnPlace } from './own-app.ts';
import { remainingRoutes, removeRoutes } from './route.ts';

/** Refuses to touch a namespace that is another tenant's, or nobody's. Answers whether it is there. */
export const requireOwnNamespace = async (
  cluster: Cluster,
  { namespace, tenantId }: Pick<OwnPlace, 'namespace' | 'tenantId'>,
): Promise<boolean> => {
  const found = await cluster.get({ apiVersion: 'v1', kind: 'Namespace', name: namespace });
  const owner = found?.metadata.labels?.[labelNames.tenant];
  if (found && owner !== tenantId)
    throw new StepFailure(
      'WorkloadRefused',
      `namespace ${namespace} of cluster ${cluster.name} belongs to ${owner ?? 'nobody that Tenantry knows'}, not to tenant ${tenantId}; delete or rename it by hand`,
    );
  return found !== undefined;
};

export interface End {
  readonly gone: boolean;
  /** Whether routes or load balancers are still there, for which the namespace waits. */
  readonly routes: boolean;
  readonly reason: string;
  /** When Kubernetes was asked for the first time to delete what is still there. */
  readonly since?: Date | undefined;
}

/**
 * One look at the end of a tenant's own app, which is also the next push: routes and load balancers go first, while their
 * controller can still clean up after them (research/kubernetes.md trap 5), then the namespace. `reason` names what holds it.
 */
export const takeDown = async (cluster: Cluster, place: Pick<OwnPlace, 'namespace' | 'tenantId'>): Promise<End> => {
  const { namespace } = place;
  if (!(await requireOwnNamespace(cluster, place)))
    return { gone: true, routes: false, reason: `namespace ${namespace} is gone` };
  const { names, since } = await remainingRoutes(cluster, namespace);
  if (names.length > 0) {
    await removeRoutes(cluster, namespace);
    return { gone: false, routes: true, since, reason: `namespace ${namespace} still has ${names.join(', ')}` };
  }
  await cluster.remove({ apiVersion: 'v1', kind: 'Namespace', name: namespace });
  return { ...(await lookAtNamespace(cluster, namespace)), routes: false };
};
