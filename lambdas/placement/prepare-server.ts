import * as z from 'zod';
import { storedMigrations } from '../../adapters/pool/migrations.ts';
import { ensureWorkerLogins } from '../../adapters/pool/server-logins.ts';
import { readyDatabase, setUpTenantDatabase } from '../../adapters/pool/tenant-database.ts';
import { roleSecret } from '../../adapters/postgres/connection.ts';
import { ensureDatabase } from '../../adapters/postgres/database.ts';
import { rowsAt } from '../../adapters/registry/placements.ts';
import { appSchemaPrefix } from '../../domain/deployment.ts';
import { step } from '../step.ts';
import { placementStep, serverLeaseSeconds, serverTags } from './placement-step.ts';

const contract = {
  input: z.object(placementStep),
  output: z.object({ fingerprint: z.string() }),
};

/** Gives a new server its logins and the database that the tenant's is copied from, at the app's schema of today. Safe to repeat. */
export const handler = step('PrepareServer', contract, async (input, world) => {
  const { operation, tenantId, holder = operation, placementId } = input;
  await world.registry.leases.hold({ tenantId, holder, seconds: serverLeaseSeconds });
  const place = { ...rowsAt(await world.registry.placements.require(tenantId, placementId)), database: readyDatabase };
  const credentials = await ensureWorkerLogins(world.secrets, place, serverTags({ tenantId, holder }, 'PrepareServer'));
  const migrations = await storedMigrations(world.archive, appSchemaPrefix);
  await ensureDatabase(place, readyDatabase, await world.secrets.credentials(roleSecret(place, 'migrate')));
  const master = await world.databases.connect(place, 'migrate');
  try {
    const { fingerprint } = await setUpTenantDatabase(master, { credentials, migrations });
    return { fingerprint };
  } finally {
    await master.end();
  }
});
