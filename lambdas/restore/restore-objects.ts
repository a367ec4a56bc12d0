import * as z from 'zod';
import { openObjectsRestore } from '../../adapters/cluster/asked-objects.ts';
import type { Cluster } from '../../adapters/cluster/cluster.ts';
import { restoreObjects } from '../../adapters/cluster/restore-objects.ts';
import { leaseSeconds } from '../../adapters/restore/tenant-database.ts';
import type { World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';
import { changeCount } from '../../domain/restore-objects.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    tenantId: z.string(),
    restoreId: z.string(),
    /** Taken by this operation a moment ago. */
    safetyBackupId: z.string(),
  }),
  output: z.object({ changed: z.int().nonnegative(), restarted: z.boolean() }),
};

/** The way back: a backup that has the objects as they are. A namespace that is gone has none that could be lost. */
const requireSafety = async (
  { registry }: World,
  { tenantId, safetyBackupId }: z.output<typeof contract.input>,
  { cluster, namespace }: { readonly cluster: Cluster; readonly namespace: string },
): Promise<void> => {
  const backup = await registry.backups.get(safetyBackupId);
  if (backup?.tenantId === tenantId && backup.status === 'sealed' && backup.objectsState === 'archived') return;
  if (!(await cluster.get({ apiVersion: 'v1', kind: 'Namespace', name: namespace }))) return;
  throw new StepFailure(
    'RestoreRefused',
    `safety backup ${safetyBackupId} does not have the Kubernetes objects as they are (${backup?.objectsReason ?? backup?.status ?? 'it is not in the registry'}), so nothing was changed; ask again when cluster ${cluster.name} answers`,
  );
};

/** Sets the objects back, once the way back is there. A repeat, also of an attempt whose answer was lost, finishes the same. */
export const handler = step('RestoreObjects', contract, async (input, world) => {
  const { operation, tenantId, restoreId, safetyBackupId } = input;
  const { leases, restores } = world.registry;
  await leases.hold({ tenantId, holder: operation, seconds: leaseSeconds });
  const { backupId, objects } = await restores.require({ id: restoreId, tenantId, operation });
  const { cluster, restore } = await openObjectsRestore(world, { tenantId, backupId, objects: objects ?? {} });
  await requireSafety(world, input, { cluster, namespace: restore.namespace });
  const restored = await restoreObjects(cluster, {
    ...restore,
    mark: restoreId,
    begin: (report) => restores.noteObjectsBegun({ id: restoreId, operation, report, safetyBackupId }),
  });
  return { changed: changeCount(restored), restarted: restored.restart };
});
