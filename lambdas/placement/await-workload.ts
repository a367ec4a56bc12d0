import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { lookAtApp } from '../../adapters/cluster/look.ts';
import { requireOwnApp } from '../../adapters/cluster/own-app.ts';
import { StepFailure } from '../../domain/errors.ts';
import { step } from '../step.ts';
import { placementStep, serverLeaseSeconds } from './placement-step.ts';

const contract = {
  input: z.object(placementStep),
  output: z.object({ ready: z.boolean(), reason: z.string() }),
};

/** One call looks for so long; the machine waits longer between two: a pod takes seconds, a new node a minute or two. */
const lookMillis = 8_000;
const pauseMillis = 250;

/** Looks whether every pod of the tenant's own app is new and healthy. Throws WorkloadRefused when it never will be. */
export const handler = step('AwaitWorkload', contract, async (input, world, signal) => {
  const { operation, tenantId, holder = operation, placementId } = input;
  await world.registry.leases.hold({ tenantId, holder, seconds: serverLeaseSeconds });
  const placement = requireOwnApp(await world.registry.placements.require(tenantId, placementId));
  const cluster = await world.cluster(placement.cluster.id);
  const end = performance.now() + lookMillis;
  for (;;) {
    const { state, reason } = await lookAtApp(cluster, placement.namespace);
    if (state === 'failed')
      throw new StepFailure(
        'WorkloadRefused',
        `the app of tenant ${tenantId} in ${cluster.name}/${placement.namespace} cannot get ready: ${reason}`.slice(
          0,
          2_000,
        ),
      );
    if (state === 'ready') return { ready: true, reason };
    if (performance.now() > end) return { ready: false, reason: reason.slice(0, 1_000) };
    await delay(pauseMillis, undefined, { signal });
  }
});
