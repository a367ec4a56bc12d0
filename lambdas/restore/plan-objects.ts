import * as z from 'zod';
import { openObjectsRestore } from '../../adapters/cluster/asked-objects.ts';
import { planObjects } from '../../adapters/cluster/restore-objects.ts';
import { leaseSeconds } from '../../adapters/restore/tenant-database.ts';
import { changeCount } from '../../domain/restore-objects.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({ operation: z.string(), tenantId: z.string(), restoreId: z.string() }),
  output: z.object({
    /** Objects that would be made or changed. */
    changed: z.int().nonnegative(),
    same: z.int().nonnegative(),
    left: z.int().nonnegative(),
  }),
};

/** Asks the cluster what restoring the objects would change; the differences go to the registry. Changes nothing there. */
export const handler = step('PlanObjects', contract, async ({ operation, tenantId, restoreId }, world) => {
  const { leases, restores } = world.registry;
  await leases.hold({ tenantId, holder: operation, seconds: leaseSeconds });
  const { backupId, objects } = await restores.require({ id: restoreId, tenantId, operation });
  const { cluster, restore } = await openObjectsRestore(world, { tenantId, backupId, objects: objects ?? {} });
  const report = await planObjects(cluster, restore);
  await restores.noteObjectsPlanned({ id: restoreId, operation, report });
  const changed = changeCount(report);
  return { changed, same: report.objects.length - changed, left: report.left.length };
});
