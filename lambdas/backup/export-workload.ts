import * as z from 'zod';
import { archiveObjects, removeObjects } from '../../adapters/cluster/archived-objects.ts';
import type { ExpectedObjects } from '../../adapters/registry/backup-objects.ts';
import type { World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';
import { step } from '../step.ts';
import { backupsOf, leaseSeconds, shortReason, sliceFields } from './slice.ts';

const contract = {
  input: z.object({ operation: z.string(), ...sliceFields, holder: z.string().optional() }),
  output: z.object({ exported: z.int().nonnegative(), missing: z.int().nonnegative() }),
};

/** Tenants at a time: each is about twenty short requests to its cluster and two to the bucket. */
const atOnce = 8;

/** True when the objects are in the backup; false, with the reason on the record, when there are none to be had. */
const exportOne = async (world: World, { tenantId, backupId }: ExpectedObjects): Promise<boolean> => {
  const { placements, backupObjects, backups } = world.registry;
  const placement = await placements.require(tenantId);
  const archived = await archiveObjects(world, placement, backupId);
  if (!archived) {
    const where = `${placement.cluster?.id ?? 'no cluster'}/${placement.namespace ?? '-'}`;
    await backupObjects.noteReason(backupId, `there is no namespace ${where} of placement ${placement.id}`);
    return false;
  }
  if (await backupObjects.note(backupId, archived)) return true;
  // The backup was sealed without them, or has failed or expired and was cleaned up: they would belong to nobody.
  const backup = await backups.get(backupId);
  if (backup?.status !== 'sealed' || backup.objectsState !== 'archived') await removeObjects(world, tenantId, backupId);
  return true;
};

/**
 * Puts the Kubernetes objects of the slice's own apps beside their rows, each noted as soon as it is there; what an earlier
 * attempt noted is not done again. One tenant's cluster does not hold up the others: each reason is on its record, and the
 * first ClusterUnavailable is thrown when all had their turn, so that the machine tries those again.
 */
export const handler = step('ExportWorkload', contract, async (input, world, signal) => {
  const { operation, holder = operation } = input;
  const { leases, backupObjects } = world.registry;
  const tenantIds = (await backupsOf(world, input)).map(({ tenantId }) => tenantId);
  const queue = await backupObjects.expected(operation, tenantIds);
  await leases.holdMany({ tenantIds: queue.map(({ tenantId }) => tenantId), holder, seconds: leaseSeconds });
  const done = { exported: 0, missing: 0 };
  let unavailable: StepFailure | undefined;
  const work = async (): Promise<void> => {
    for (let one = queue.pop(); one; one = queue.pop()) {
      signal.throwIfAborted();
      try {
        done[(await exportOne(world, one)) ? 'exported' : 'missing'] += 1;
      } catch (error) {
        if (!(error instanceof StepFailure)) throw error;
        await backupObjects.noteReason(one.backupId, shortReason(`${error.name}: ${error.message}`));
        if (error.name === 'ClusterUnavailable') unavailable ??= error;
        else done.missing += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  if (unavailable) throw unavailable;
  return done;
});
