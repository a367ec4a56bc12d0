import * as z from 'zod';
import { dropTenantDatabase } from '../../adapters/pool/tenant-database.ts';
import { rowsAt } from '../../adapters/registry/placements.ts';
import { step } from '../step.ts';
import { placementStep } from './placement-step.ts';

const contract = {
  input: z.object(placementStep),
  output: z.object({ database: z.string().nullable() }),
};

/**
 * Drops the tenant's own database with everything in it, its login and its secret. A place in a pool, and one that was never
 * made, is done already. A server of the tenant's own goes as a whole: its database is not dropped first.
 */
export const handler = step('DropDatabase', contract, async (input, world) => {
  const { operation, tenantId, holder = operation, placementId } = input;
  await world.registry.leases.hold({ tenantId, holder, seconds: 330 });
  const placement = await world.registry.placements.get(tenantId, placementId);
  if (!placement?.server) return { database: null };
  if ((await world.registry.placements.sharedParts(placement)).rows) return { database: null };
  if (placement.isolation === 'database') {
    const master = await world.databases.connect({ ...rowsAt(placement), database: 'postgres' }, 'migrate');
    try {
      await dropTenantDatabase(master, placement.database);
    } finally {
      await master.end();
    }
  }
  await world.secrets.remove(placement.appSecretId);
  return { database: placement.database };
});
