import { z } from 'zod';
import { dropSchemas } from '../../adapters/restore/layout.ts';
import { StepFailure } from '../../domain/errors.ts';
import { tenantId } from '../../domain/tenant.ts';
import { step } from '../step.ts';
import { inTenantDatabase, leaseSeconds } from './tenant-database.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    execution: z.string().default(''),
    tenantId,
    restoreId: z.string(),
    reason: z.string().max(1_000).optional(),
    requestedBy: z.string().optional(),
  }),
  output: z.object({}),
};

/** Drops a staged copy and the rows kept for undo, and ends the operation. A repeat answers the same. */
export const handler = step('DiscardRestore', contract, async (input, world, signal) => {
  const { operation, execution, tenantId: id, restoreId, requestedBy, reason } = input;
  const { operations, leases, restores } = world.registry;
  if ((await operations.get(operation))?.status === 'succeeded') return {};
  await operations.open({
    id: operation,
    kind: 'restore-tenant',
    tenantId: id,
    executionArn: execution,
    input: { action: 'discard', tenantId: id, restoreId, ...(reason === undefined ? {} : { reason }) },
    requestedBy,
  });
  const restore = await restores.require({ id: restoreId, tenantId: id });
  await leases.hold({ tenantId: id, holder: operation, seconds: leaseSeconds });
  // While people think, the lease is free; the copy they think about must stay.
  if (restore.endedAt === null)
    throw new StepFailure(
      'RestoreRefused',
      `restore ${restoreId} is ${restore.status} and operation ${restore.operationId} works on it; reject or stop that first`,
    );
  await inTenantDatabase(world, id, signal, (client) =>
    dropSchemas(client, [restore.stagingSchema, restore.undoSchema]),
  );
  await world.registry.transaction(async (within) => {
    await within.restores.noteDiscarded(restoreId);
    await within.operations.succeed(operation, { restoreId });
    await within.leases.release({ tenantId: id, holder: operation });
  });
  return {};
});
