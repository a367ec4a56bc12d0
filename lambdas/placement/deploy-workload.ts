import * as z from 'zod';
import type { Cluster } from '../../adapters/cluster/cluster.ts';
import { ownAppSpec, requireOwnApp, serviceAccountOf } from '../../adapters/cluster/own-app.ts';
import { ownAppObjects } from '../../adapters/cluster/own-objects.ts';
import { requireOwnNamespace } from '../../adapters/cluster/take-down.ts';
import { classParamsKind, ingressClassKind, ingressClassObjects } from '../../domain/workload/ingress-class.ts';
import { monitorKind } from '../../domain/workload/monitor.ts';
import { step } from '../step.ts';
import { placementStep, serverLeaseSeconds, serverTags } from './placement-step.ts';

const contract = {
  input: z.object(placementStep),
  output: z.object({ cluster: z.string(), namespace: z.string(), pruned: z.array(z.string()) }),
};

/** The class of the routes, once per cluster; one that is there stays as somebody made it. */
const ensureIngressClass = async (cluster: Cluster, name: string): Promise<void> => {
  if (await cluster.get({ ...ingressClassKind, name })) return;
  await cluster.apply(ingressClassObjects(name, { autoMode: await cluster.has(classParamsKind) }));
};

/**
 * Applies the tenant's own app as plan, image and database are now, and removes what an earlier version had besides; its route
 * is not touched. A repeat changes nothing. Throws WorkloadRefused with the words of Kubernetes.
 */
export const handler = step('DeployWorkload', contract, async (input, world) => {
  const { operation, tenantId, holder = operation, placementId } = input;
  await world.registry.leases.hold({ tenantId, holder, seconds: serverLeaseSeconds });
  const placement = requireOwnApp(await world.registry.placements.require(tenantId, placementId));
  const { namespace } = placement;
  const cluster = await world.cluster(placement.cluster.id);
  await requireOwnNamespace(cluster, placement);
  const spec = await ownAppSpec(world, placement, { monitoring: await cluster.has(monitorKind) });
  await ensureIngressClass(cluster, spec.route.ingressClass);
  const { roleArn } = world.ownApps;
  // Before the pods: one that starts without the association never gets credentials.
  if (roleArn !== undefined)
    await world.clusters.identities.associate({
      ...serviceAccountOf(placement),
      roleArn,
      tags: serverTags({ tenantId, holder }, 'DeployWorkload'),
    });
  const { pruned } = await cluster.applySet(await ownAppObjects(cluster, spec, world.ownApps.chart));
  return { cluster: cluster.name, namespace, pruned: [...pruned] };
});
