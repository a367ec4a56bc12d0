import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { StepFailure } from '../../domain/errors.ts';
import { step } from '../step.ts';
import { placementStep, serverLeaseSeconds } from './placement-step.ts';

const contract = {
  input: z.object(placementStep),
  output: z.object({ ready: z.boolean(), status: z.string() }),
};

/** One call looks for so long; the machine waits longer between two: an instance takes 5 to 15 minutes on AWS, seconds here. */
const lookMillis = 8_000;
const pauseMillis = 500;

const broken = /^(failed|incompatible-.*|inaccessible-.*|storage-full|deleting)$/;

/** Looks whether the tenant's server is there, and notes its address when it is. Throws ServerRefused when it never will be. */
export const handler = step('AwaitServer', contract, async (input, world, signal) => {
  const { operation, tenantId, holder = operation, placementId } = input;
  await world.registry.leases.hold({ tenantId, holder, seconds: serverLeaseSeconds });
  const { server } = await world.registry.placements.require(tenantId, placementId);
  const end = performance.now() + lookMillis;
  for (;;) {
    const found = await world.servers.describe(server!.id);
    if (!found || broken.test(found.status))
      throw new StepFailure(
        'ServerRefused',
        `server ${server!.id} is ${found?.status ?? 'gone'}; look at its events in RDS, then start again`,
      );
    const { status, host, port } = found;
    if (status === 'available' && host !== undefined && port !== undefined) {
      await world.registry.servers.noteAddress(server!.id, { host, port });
      return { ready: true, status };
    }
    if (performance.now() > end) return { ready: false, status };
    await delay(pauseMillis, undefined, { signal });
  }
});
