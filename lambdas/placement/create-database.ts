import * as z from 'zod';
import { workerLogins } from '../../adapters/pool/server-logins.ts';
import { createTenantDatabase } from '../../adapters/pool/tenant-database.ts';
import { rowsAt } from '../../adapters/registry/placements.ts';
import { step } from '../step.ts';
import { placementStep } from './placement-step.ts';

const contract = {
  input: z.object(placementStep),
  output: z.object({ database: z.string() }),
};

/** Makes the tenant's own database, empty but for the app's schema, and the login that alone may use it. A repeat changes nothing. */
export const handler = step('CreateDatabase', contract, async (input, world) => {
  const { operation, tenantId, holder = operation, placementId } = input;
  await world.registry.leases.hold({ tenantId, holder, seconds: 180 });
  const placement = await world.registry.placements.require(tenantId, placementId);
  const place = rowsAt(placement);
  const credentials = await workerLogins(world.secrets, place);
  const tags = { tenant: tenantId, operation: holder, step: 'CreateDatabase' };
  const app = await world.secrets.ensure(placement.appSecretId, placement.database, tags);
  const master = await world.databases.connect({ ...place, database: 'postgres' }, 'migrate');
  try {
    await createTenantDatabase(master, { database: placement.database, app, credentials });
    return { database: placement.database };
  } finally {
    await master.end();
  }
});
