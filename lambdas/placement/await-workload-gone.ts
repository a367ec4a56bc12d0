import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { hasOwnApp } from '../../adapters/cluster/own-app.ts';
import { takeDown } from '../../adapters/cluster/take-down.ts';
import { StepFailure } from '../../domain/errors.ts';
import { step } from '../step.ts';
import { placementStep, serverLeaseSeconds } from './placement-step.ts';

const contract = {
  input: z.object(placementStep),
  output: z.object({ gone: z.boolean(), reason: z.string() }),
};

/** One call looks for so long; the machine waits longer between two: a load balancer takes up to a minute to go. */
const lookMillis = 8_000;
const pauseMillis = 250;

/** A load balancer takes a minute or two; what holds a namespace longer is a finalizer whose controller does not act. */
const stuckMillis = 900_000;

/**
 * Looks whether the tenant's namespace is gone with all that was in it; `reason` names what holds it (NamespaceFinalizersRemaining).
 * Throws WorkloadRefused with that reason when it has been held for a quarter of an hour: somebody has to look.
 */
export const handler = step('AwaitWorkloadGone', contract, async (input, world, signal) => {
  const { operation, tenantId, holder = operation, placementId } = input;
  await world.registry.leases.hold({ tenantId, holder, seconds: serverLeaseSeconds });
  const placement = await world.registry.placements.get(tenantId, placementId);
  if (!placement || !hasOwnApp(placement)) return { gone: true, reason: 'the place has no app of its own' };
  const cluster = await world.findCluster(placement.cluster.id);
  if (!cluster) return { gone: true, reason: `cluster ${placement.cluster.id} is gone` };
  const end = performance.now() + lookMillis;
  for (;;) {
    const { gone, reason, since } = await takeDown(cluster, placement);
    if (!gone && since !== undefined && world.now().getTime() - since.getTime() > stuckMillis)
      throw new StepFailure(
        'WorkloadRefused',
        `the app of tenant ${tenantId} in cluster ${cluster.name} does not go: ${reason}; remove what holds it, then start again`.slice(
          0,
          2_000,
        ),
      );
    if (gone || performance.now() > end) return { gone, reason: reason.slice(0, 1_000) };
    await delay(pauseMillis, undefined, { signal });
  }
});
