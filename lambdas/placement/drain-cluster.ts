import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { drain } from '../../adapters/clusters/drain.ts';
import { ownClusterToRemove } from '../../adapters/clusters/own-cluster.ts';
import { step } from '../step.ts';
import { placementStep, serverLeaseSeconds } from './placement-step.ts';

const contract = {
  input: z.object(placementStep),
  output: z.object({ drained: z.boolean(), left: z.array(z.string()) }),
};

const lookMillis = 8_000;
const pauseMillis = 250;

/**
 * Removes from the tenant's own cluster all that has load balancers, and looks whether they are gone: those of a cluster that is
 * deleted stay, and its VPC with them. A cluster that does not stand has none.
 */
export const handler = step('DrainCluster', contract, async (input, world, signal) => {
  const { operation, tenantId, holder = operation, placementId } = input;
  await world.registry.leases.hold({ tenantId, holder, seconds: serverLeaseSeconds });
  const own = await ownClusterToRemove(world, tenantId, placementId);
  if (!own || (await world.clusters.describe(own.id))?.status !== 'ACTIVE') return { drained: true, left: [] };
  const cluster = await world.cluster(own.id);
  const end = performance.now() + lookMillis;
  for (;;) {
    const left = await drain(cluster);
    if (left.length === 0 || performance.now() > end) return { drained: left.length === 0, left };
    await delay(pauseMillis, undefined, { signal });
  }
});
