import { z } from 'zod';
import { readScope } from '../../adapters/catalog/read-scope.ts';
import { stageRestore } from '../../adapters/restore/stage.ts';
import { step } from '../step.ts';
import { inTenantDatabase, leaseSeconds } from './tenant-database.ts';

const contract = {
  input: z.object({ operation: z.string(), tenantId: z.string(), restoreId: z.string() }),
  output: z.object({ tables: z.int(), rows: z.int(), bytes: z.int() }),
};

/** Loads the backup beside the live tables and proves it whole and this tenant's. A repeat loads it again from nothing. */
export const handler = step('StageRestore', contract, async ({ operation, tenantId, restoreId }, world, signal) => {
  const { leases, restores, backups } = world.registry;
  await leases.hold({ tenantId, holder: operation, seconds: leaseSeconds });
  const restore = await restores.require({ id: restoreId, tenantId, operation });
  const backup = await backups.get(restore.backupId);
  const manifest = await world.archive.manifest(
    tenantId,
    backup?.archiveId ?? restore.backupId,
    backup?.manifestSha256,
  );
  const staged = await inTenantDatabase(world, tenantId, signal, (client) =>
    stageRestore(client, {
      restore,
      manifest,
      openMember: (member) => world.archive.member(manifest, member),
      readScope,
      signal,
    }),
  );
  await restores.noteStaged({ id: restoreId, operation, staged: staged.tables });
  return { tables: staged.tables.length, rows: staged.rows, bytes: staged.bytes };
});
