import { z } from 'zod';
import type { World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';

/** The backups that one snapshot serves, as they travel from step to step. */
export const sliceBackups = z.array(z.object({ tenantId: z.string(), backupId: z.string() }));

export const failedBackups = z.array(z.object({ tenantId: z.string(), backupId: z.string(), reason: z.string() }));

/** 200 reasons of this length and their ids are 80 KiB, a third of what a state may hold. */
export const shortReason = (reason: string): string => reason.slice(0, 300);

/** Longer than DumpDatabase may run: each step of a backup renews it. */
const leaseSeconds = 900;

/**
 * Holds the lease of one tenant of a slice, or says why not. A tenant that is alone makes the step fail instead, so that the
 * machine waits for it; of many, one busy tenant must not hold up the others.
 */
export const holdOne = async (
  world: World,
  { tenantId, holder, alone }: { tenantId: string; holder: string; alone: boolean },
): Promise<string | undefined> => {
  try {
    await world.registry.leases.hold({ tenantId, holder, seconds: leaseSeconds });
    return undefined;
  } catch (error) {
    if (alone || !(error instanceof StepFailure) || error.name !== 'TenantBusy') throw error;
    return shortReason(error.message);
  }
};
