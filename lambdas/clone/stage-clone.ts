import { z } from 'zod';
import { readScope } from '../../adapters/catalog/read-scope.ts';
import { stageRestore } from '../../adapters/restore/stage.ts';
import { step } from '../step.ts';
import { inNewDatabase, leaseSeconds } from './new-database.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    /** The new one. */
    tenantId: z.string(),
    sourceTenantId: z.string(),
    restoreId: z.string(),
  }),
  output: z.object({ tables: z.int(), rows: z.int(), bytes: z.int() }),
};

/**
 * Loads the source's backup beside the tables of the new tenant and proves it whole and the source's, before a row of it gets
 * another name. A repeat loads it again from nothing.
 */
export const handler = step('StageClone', contract, async (input, world, signal) => {
  const { operation, tenantId, sourceTenantId, restoreId } = input;
  const { leases, restores, backups } = world.registry;
  await leases.hold({ tenantId, holder: operation, seconds: leaseSeconds });
  const restore = await restores.require({ id: restoreId, tenantId, operation });
  const backup = await backups.get(restore.backupId);
  const manifest = await world.archive.manifest(
    sourceTenantId,
    backup?.archiveId ?? restore.backupId,
    backup?.manifestSha256,
  );
  const staged = await inNewDatabase(world, tenantId, signal, (client) =>
    stageRestore(client, {
      restore: { ...restore, tenantId: sourceTenantId },
      manifest,
      openMember: (member) => world.archive.member(manifest, member),
      readScope,
      signal,
    }),
  );
  await restores.noteStaged({ id: restoreId, operation, staged: staged.tables });
  return { tables: staged.tables.length, rows: staged.rows, bytes: staged.bytes };
});
