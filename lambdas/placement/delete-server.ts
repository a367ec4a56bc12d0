import * as z from 'zod';
import { step } from '../step.ts';
import { placementStep, serverLeaseSeconds } from './placement-step.ts';

const contract = {
  input: z.object(placementStep),
  output: z.object({ server: z.string().nullable() }),
};

/**
 * Asks RDS to delete the tenant's own server, its protection taken off first. Without a final snapshot: the last archive was
 * sealed before, and a snapshot would keep what an offboarding promises to erase. A server that was never made is done already.
 */
export const handler = step('DeleteServer', contract, async (input, world) => {
  const { operation, tenantId, holder = operation, placementId } = input;
  await world.registry.leases.hold({ tenantId, holder, seconds: serverLeaseSeconds });
  const placement = await world.registry.placements.get(tenantId, placementId);
  if (placement?.isolation !== 'server') return { server: null };
  if ((await world.registry.placements.sharedParts(placement)).rows) return { server: null };
  await world.servers.remove({ instance: placement.server!.id, tenantId });
  return { server: placement.server!.id };
});
