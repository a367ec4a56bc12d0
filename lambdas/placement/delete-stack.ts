import * as z from 'zod';
import { ownClusterToRemove } from '../../adapters/clusters/own-cluster.ts';
import { step } from '../step.ts';
import { placementStep, serverLeaseSeconds } from './placement-step.ts';

const contract = {
  input: z.object(placementStep),
  output: z.object({ stack: z.string().nullable() }),
};

/**
 * Asks CloudFormation to delete the stack of the tenant's own cluster, its protections taken off first. A stack that was never
 * made, and a cluster in which another place of the tenant is, are done already. Throws StackNotReady while it is rolled back.
 */
export const handler = step('DeleteStack', contract, async (input, world) => {
  const { operation, tenantId, holder = operation, placementId } = input;
  await world.registry.leases.hold({ tenantId, holder, seconds: serverLeaseSeconds });
  const own = await ownClusterToRemove(world, tenantId, placementId);
  if (!own) return { stack: null };
  await world.clusters.deleteStack({ stack: own.stack, tenantId });
  return { stack: own.stack };
});
