import * as z from 'zod';
import { backupIdOf } from '../../adapters/registry/backups.ts';
import type { World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';

/** The backups that one snapshot serves, as they travel from step to step. */
export const sliceBackups = z.array(z.object({ tenantId: z.string(), backupId: z.string() }));

export const failedBackups = z.array(z.object({ tenantId: z.string(), backupId: z.string(), reason: z.string() }));
export type FailedBackups = z.infer<typeof failedBackups>;

/**
 * Which backups a step is about. A few travel in the machine's state; those of a fleet, up to 5,000, lie in the bucket, where
 * ListDueTenants put them: a state holds 256 KiB.
 */
export const sliceFields = {
  backups: sliceBackups.default([]),
  sliceKey: z.string().startsWith('fleet/').optional(),
};

/** The longest list of reasons that a step answers; the records say all of them. */
export const told = 20;

export const shortReason = (reason: string): string => reason.slice(0, 300);

/** Longer than DumpDatabase may run as a Lambda: each step of a backup renews it, and a dump that takes hours meanwhile. */
export const leaseSeconds = 900;

/** The tenants of a slice of a fleet. */
export const readSlice = async (world: World, key: string): Promise<string[]> => {
  const text = await world.archive.objects.text(key);
  if (text === undefined)
    throw new StepFailure(
      'InvalidStepInput',
      `sliceKey: ${key} is not in the archive bucket; start the fleet's backup again`,
    );
  return z.array(z.string()).parse(JSON.parse(text));
};

/** The backups of a slice, wherever it is kept: their ids follow from the operation and the tenant. */
export const backupsOf = async (
  world: World,
  {
    operation,
    backups,
    sliceKey,
  }: { operation: string; backups: z.infer<typeof sliceBackups>; sliceKey?: string | undefined },
): Promise<z.infer<typeof sliceBackups>> => {
  if (sliceKey === undefined) return backups;
  const tenantIds = await readSlice(world, sliceKey);
  // A tenant that OpenBackup skipped has no record, and nothing is to be done for it.
  const opened = new Set((await world.registry.slices.records(operation, tenantIds)).map(({ tenantId }) => tenantId));
  return tenantIds
    .filter((tenantId) => opened.has(tenantId))
    .map((tenantId) => ({ tenantId, backupId: backupIdOf(operation, tenantId) }));
};

/**
 * Holds the leases of a slice and answers, for those that it cannot have, why. A tenant that is alone makes the step fail
 * instead, so that the machine waits for it; of many, one busy tenant must not hold up the others. Throws StaleOperation when
 * the holder has ended.
 */
export const holdSlice = async (
  world: World,
  { tenantIds, holder, alone }: { tenantIds: readonly string[]; holder: string; alone: boolean },
): Promise<ReadonlyMap<string, string>> => {
  const { leases } = world.registry;
  const held = await leases.holdMany({ tenantIds, holder, seconds: leaseSeconds });
  const busy = new Map<string, string>();
  for (const tenantId of tenantIds) {
    if (held.has(tenantId)) continue;
    try {
      await leases.hold({ tenantId, holder, seconds: leaseSeconds });
    } catch (error) {
      if (alone || !(error instanceof StepFailure) || error.name !== 'TenantBusy') throw error;
      busy.set(tenantId, shortReason(error.message));
    }
  }
  return busy;
};
