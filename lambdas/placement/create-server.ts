import * as z from 'zod';
import { roleSecret } from '../../adapters/postgres/connection.ts';
import type { Placement } from '../../adapters/registry/placements.ts';
import type { ServerNetwork } from '../../adapters/servers.ts';
import { step } from '../step.ts';
import { placementStep, serverLeaseSeconds, serverTags } from './placement-step.ts';

const contract = {
  input: z.object(placementStep),
  output: z.object({ server: z.string() }),
};

/** The network of a tenant's own cluster, which its stack has told; the server of a shared one lies in the shared network. */
const networkOf = ({ cluster }: Placement): ServerNetwork | undefined => {
  const { DatabaseSubnetGroup: subnetGroup, DatabaseSecurityGroup: securityGroup } = cluster?.outputs ?? {};
  return subnetGroup && securityGroup ? { subnetGroup, securityGroup } : undefined;
};

/**
 * Asks RDS for the tenant's own server, under a name and with a password that a repeat finds again. Answers at once: the instance
 * takes minutes. Throws ServerRefused with AWS's reason.
 */
export const handler = step('CreateServer', contract, async (input, world) => {
  const { operation, tenantId, holder = operation, placementId } = input;
  await world.registry.leases.hold({ tenantId, holder, seconds: serverLeaseSeconds });
  const placement = await world.registry.placements.require(tenantId, placementId);
  const { server } = placement;
  const tags = serverTags({ tenantId, holder }, 'CreateServer');
  const master = await world.secrets.ensure(roleSecret(server!, 'migrate'), 'tenantry_owner', tags);
  await world.servers.create({ instance: server!.id, master, tags, network: networkOf(placement) });
  return { server: server!.id };
});
