import { z } from 'zod';
import { readScope } from '../../adapters/catalog/read-scope.ts';
import { compareRestore } from '../../adapters/restore/compare.ts';
import { step } from '../step.ts';
import { inTenantDatabase, leaseSeconds } from './tenant-database.ts';

const counts = z.object({
  table: z.string(),
  onlyNow: z.int(),
  onlyThen: z.int(),
  changed: z.int(),
  same: z.int(),
});
const contract = {
  input: z.object({ operation: z.string(), tenantId: z.string(), restoreId: z.string() }),
  output: z.object({ tables: z.array(counts), digest: z.string() }),
};

/** Compares the staged rows with the live ones; the report with its samples goes to the registry. Reads only. */
export const handler = step('CompareRestore', contract, async ({ operation, tenantId, restoreId }, world, signal) => {
  const { leases, restores } = world.registry;
  await leases.hold({ tenantId, holder: operation, seconds: leaseSeconds });
  const restore = await restores.require({ id: restoreId, tenantId, operation });
  const found = await inTenantDatabase(world, tenantId, signal, (client) =>
    compareRestore(client, { ...restore, drift: restore.plan.drift }, readScope),
  );
  await restores.noteCompared({
    id: restoreId,
    operation,
    report: {
      ...found,
      warnings: restore.plan.warnings,
      comparedAt: world.now().toISOString(),
      comparedAgain: false,
    },
  });
  return { tables: found.tables.map((table) => counts.parse(table)), digest: found.digest };
});
