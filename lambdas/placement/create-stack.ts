import * as z from 'zod';
import { ownCluster } from '../../adapters/clusters/own-cluster.ts';
import { step } from '../step.ts';
import { placementStep, serverLeaseSeconds, serverTags } from './placement-step.ts';

const contract = {
  input: z.object(placementStep),
  output: z.object({ stack: z.string().nullable() }),
};

/**
 * Asks CloudFormation for the tenant's own cluster and its network, under a name and with addresses that a repeat finds again.
 * Answers at once: a control plane takes a quarter of an hour. A place without a cluster of its own is done already. Throws
 * StackRefused with AWS's reason, NoCapacity when no addresses are left.
 */
export const handler = step('CreateStack', contract, async (input, world) => {
  const { operation, tenantId, holder = operation, placementId } = input;
  await world.registry.leases.hold({ tenantId, holder, seconds: serverLeaseSeconds });
  const placement = await world.registry.placements.require(tenantId, placementId);
  const own = ownCluster(placement);
  if (!own) return { stack: null };
  const vpcCidr = await world.clusters.network(own.id, world.registry.clusters);
  const tags = serverTags({ tenantId, holder }, 'CreateStack');
  await world.clusters.createStack({ stack: own.stack, token: placement.id, vpcCidr, tags });
  return { stack: own.stack };
});
