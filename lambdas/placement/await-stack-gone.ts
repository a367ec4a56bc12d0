import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { ownClusterToRemove } from '../../adapters/clusters/own-cluster.ts';
import { StepFailure } from '../../domain/errors.ts';
import { step } from '../step.ts';
import { placementStep, serverLeaseSeconds } from './placement-step.ts';

const contract = {
  input: z.object(placementStep),
  output: z.object({ gone: z.boolean(), status: z.string() }),
};

const lookMillis = 8_000;
const pauseMillis = 250;

/**
 * Looks whether the tenant's stack is gone. One whose deletion failed is asked for once more, for AWS lets network interfaces go
 * late, and StackNotReady thrown with the reason: each retry is one more attempt.
 */
export const handler = step('AwaitStackGone', contract, async (input, world, signal) => {
  const { operation, tenantId, holder = operation, placementId } = input;
  await world.registry.leases.hold({ tenantId, holder, seconds: serverLeaseSeconds });
  const own = await ownClusterToRemove(world, tenantId, placementId);
  if (!own) return { gone: true, status: 'none' };
  const end = performance.now() + lookMillis;
  for (;;) {
    const found = await world.clusters.describeStack(own.stack);
    if (!found) return { gone: true, status: 'gone' };
    if (found.status === 'DELETE_FAILED') {
      await world.clusters.deleteStack({ stack: own.stack, tenantId });
      throw new StepFailure(
        'StackNotReady',
        `stack ${own.stack} could not be deleted: ${found.reason}`.slice(0, 2_000),
      );
    }
    if (performance.now() > end) return { gone: false, status: found.status };
    await delay(pauseMillis, undefined, { signal });
  }
});
