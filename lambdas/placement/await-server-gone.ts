import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { removeWorkerLogins } from '../../adapters/pool/server-logins.ts';
import { step } from '../step.ts';
import { placementStep, serverLeaseSeconds } from './placement-step.ts';

const contract = {
  input: z.object(placementStep),
  output: z.object({ gone: z.boolean() }),
};

const lookMillis = 8_000;
const pauseMillis = 500;

/** Looks whether the tenant's server is gone, and removes its logins' secrets when it is. */
export const handler = step('AwaitServerGone', contract, async (input, world, signal) => {
  const { operation, tenantId, holder = operation, placementId } = input;
  await world.registry.leases.hold({ tenantId, holder, seconds: serverLeaseSeconds });
  const placement = await world.registry.placements.get(tenantId, placementId);
  if (placement?.isolation !== 'server') return { gone: true };
  const { server } = placement;
  const end = performance.now() + lookMillis;
  while (await world.servers.describe(server!.id)) {
    if (performance.now() > end) return { gone: false };
    await delay(pauseMillis, undefined, { signal });
  }
  await removeWorkerLogins(world.secrets, server!);
  return { gone: true };
});
