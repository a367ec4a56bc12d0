import * as z from 'zod';
import type { Recovery } from '../../adapters/registry/recoveries.ts';
import type { World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';

/** What every step of a recovery is told. */
export const recoveryStep = { operation: z.string(), tenantId: z.string() };

/** The recovery that this operation planned; throws StaleOperation when there is none, or the operation is over. */
export const requireRecovery = async (
  { registry }: World,
  { operation, tenantId }: { operation: string; tenantId: string },
): Promise<Recovery> => {
  const recovery = await registry.recoveries.get(operation);
  const known = await registry.operations.get(operation);
  if (recovery?.tenantId === tenantId && known && !known.endedAt) return recovery;
  throw new StepFailure(
    'StaleOperation',
    `operation ${operation} ${recovery ? `has already ${known?.status}` : `planned no recovery of tenant ${tenantId}`}; start a new one`,
  );
};
