import * as z from 'zod';
import { readScope } from '../../adapters/catalog/read-scope.ts';
import { loadClone } from '../../adapters/restore/clone.ts';
import { dropSchemas } from '../../adapters/restore/layout.ts';
import { inTenantDatabase, leaseSeconds } from '../../adapters/restore/tenant-database.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    /** The new one. */
    tenantId: z.string(),
    sourceTenantId: z.string(),
    restoreId: z.string(),
  }),
  output: z.object({ tables: z.int(), rows: z.int() }),
};

/** Puts the staged rows in under the new name, while no route leads to the tenant. A repeat answers the same. */
export const handler = step('LoadClone', contract, async (input, world, signal) => {
  const { operation, tenantId, sourceTenantId, restoreId } = input;
  const { leases, restores } = world.registry;
  const { fence } = await leases.hold({ tenantId, holder: operation, seconds: leaseSeconds });
  const restore = await restores.require({ id: restoreId, tenantId, operation });
  const { rows, tables, millis } = await inTenantDatabase(world, tenantId, signal, async (client) => {
    const cloned = await loadClone(client, { restore, sourceTenantId, operation, fence, readScope });
    await dropSchemas(client, [restore.stagingSchema]);
    return cloned;
  });
  await restores.noteCloned({ id: restoreId, operation, rows, millis });
  return { tables, rows };
});
