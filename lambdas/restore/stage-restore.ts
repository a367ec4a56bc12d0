import * as z from 'zod';
import { readScope } from '../../adapters/catalog/read-scope.ts';
import { stageRestore } from '../../adapters/restore/stage.ts';
import { inTenantDatabase, leaseSeconds } from '../../adapters/restore/tenant-database.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    /** Beside whose tables the rows are loaded. */
    tenantId: z.string(),
    /** Whose backup it is, where a new tenant is made of it. */
    sourceTenantId: z.string().optional(),
    restoreId: z.string(),
  }),
  output: z.object({ tables: z.int(), rows: z.int(), bytes: z.int() }),
};

/**
 * Loads the backup beside the live tables and proves it whole and of the tenant that it is said to be of, before a row of it
 * goes anywhere else. A repeat loads it again from nothing.
 */
export const handler = step('StageRestore', contract, async (input, world, signal) => {
  const { operation, tenantId, sourceTenantId = tenantId, restoreId } = input;
  const { leases, restores, backups } = world.registry;
  await leases.hold({ tenantId, holder: operation, seconds: leaseSeconds });
  const restore = await restores.require({ id: restoreId, tenantId, operation });
  const backup = await backups.get(restore.backupId);
  const manifest = await world.archive.manifest(
    sourceTenantId,
    backup?.archiveId ?? restore.backupId,
    backup?.manifestSha256,
  );
  const staged = await inTenantDatabase(world, tenantId, signal, (client) =>
    stageRestore(client, {
      restore: { ...restore, tenantId: sourceTenantId },
      manifest,
      openMember: world.archive.members(
        manifest,
        manifest.members.filter(({ root }) => restore.tables.includes(root)),
      ),
      readScope,
      signal,
    }),
  );
  await restores.noteStaged({ id: restoreId, operation, staged: staged.tables });
  return { tables: staged.tables.length, rows: staged.rows, bytes: staged.bytes };
});
