import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { hasOwnApp, serviceAccountOf } from '../../adapters/cluster/own-app.ts';
import { takeDown } from '../../adapters/cluster/take-down.ts';
import { tiers } from '../../domain/placement.ts';
import { step } from '../step.ts';
import { placementStep, serverLeaseSeconds } from './placement-step.ts';

const contract = {
  input: z.object(placementStep),
  /** The tier tells the machine what else there is to take down. */
  output: z.object({ tier: z.enum(tiers), namespace: z.string().nullable() }),
};

/** Where no load balancer has to go first, the namespace is asked for in this call; else AwaitWorkloadGone does it. */
const patienceMillis = 8_000;
const pauseMillis = 100;

/**
 * Begins to take the tenant's own app down: its route and load balancers first, then the namespace. A place of tier `shared`,
 * one that was never made, and a cluster that is gone are done already. Throws WorkloadRefused when the namespace is not the
 * tenant's.
 */
export const handler = step('RemoveWorkload', contract, async (input, world, signal) => {
  const { operation, tenantId, holder = operation, placementId } = input;
  await world.registry.leases.hold({ tenantId, holder, seconds: serverLeaseSeconds });
  const placement = await world.registry.placements.get(tenantId, placementId);
  if (!placement || !hasOwnApp(placement)) return { tier: placement?.tier ?? ('shared' as const), namespace: null };
  const answer = { tier: placement.tier, namespace: placement.namespace };
  const cluster = await world.findCluster(placement.cluster.id);
  if (!cluster) return answer;
  if (world.ownApps.roleArn !== undefined) await world.clusters.identities.dissociate(serviceAccountOf(placement));
  const end = performance.now() + patienceMillis;
  for (;;) {
    const { gone, routes } = await takeDown(cluster, placement);
    if (gone || !routes || performance.now() > end) return answer;
    await delay(pauseMillis, undefined, { signal });
  }
});
