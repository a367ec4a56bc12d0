import { z } from 'zod';
import { roleSecret } from '../../adapters/postgres/connection.ts';
import { step } from '../step.ts';
import { placementStep, serverLeaseSeconds, serverTags } from './placement-step.ts';

const contract = {
  input: z.object(placementStep),
  output: z.object({ server: z.string() }),
};

/**
 * Asks RDS for the tenant's own server, under a name and with a password that a repeat finds again. Answers at once: the instance
 * takes minutes. Throws ServerRefused with AWS's reason.
 */
export const handler = step('CreateServer', contract, async (input, world) => {
  const { operation, tenantId, holder = operation, placementId } = input;
  await world.registry.leases.hold({ tenantId, holder, seconds: serverLeaseSeconds });
  const { server } = await world.registry.placements.require(tenantId, placementId);
  const tags = serverTags({ tenantId, holder }, 'CreateServer');
  const master = await world.secrets.ensure(roleSecret(server!, 'migrate'), 'tenantry_owner', tags);
  await world.servers.create({ instance: server!.id, master, tags });
  return { server: server!.id };
});
