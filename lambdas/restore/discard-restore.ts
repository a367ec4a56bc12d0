import type { Client } from 'pg';
import * as z from 'zod';
import { clientSql } from '../../adapters/postgres/sql.ts';
import { commitOnce } from '../../adapters/registry/endings.ts';
import type { Restore } from '../../adapters/registry/restores.ts';
import { abandonEffects } from '../../adapters/restore/effects.ts';
import { dropSchemas } from '../../adapters/restore/layout.ts';
import type { Marked } from '../../adapters/restore/swap.ts';
import { inTenantDatabase, leaseSeconds } from '../../adapters/restore/tenant-database.ts';
import type { World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';
import { undoUntilOf } from '../../domain/restore.ts';
import type { SwapResult } from '../../domain/restore-report.ts';
import { tenantId } from '../../domain/tenant.ts';
import { step } from '../step.ts';

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

/**
 * The swap of an operation that was ended from outside may have committed unheard, and then the rows for its undo must stay.
 * From here on that operation can swap no more.
 */
const lateSwap = async (client: Client, { id, tenantId: tenant, operationId, status }: Restore) => {
  if (!['planned', 'staged', 'compared', 'failed'].includes(status)) return undefined;
  const { swapped } = await clientSql(client).transaction(() =>
    abandonEffects<Marked, SwapResult>(client, { operation: operationId, restoreId: id, tenantId: tenant }),
  );
  return swapped;
};

const discardIn = async (
  world: World,
  input: z.output<typeof contract.input>,
  signal: AbortSignal,
): Promise<Record<string, never>> => {
  const { operation, execution, tenantId: id, restoreId, requestedBy, reason } = input;
  const { operations, leases, restores } = world.registry;
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
  const committed = await inTenantDatabase(world, id, signal, async (client) => {
    const swapped = await lateSwap(client, restore);
    if (!swapped) await dropSchemas(client, [restore.stagingSchema, restore.undoSchema]);
    return swapped;
  });
  if (committed) {
    const { report, removed, inserted, updated, fencedMs } = committed;
    const told = report ?? restore.report;
    if (told)
      await restores.noteSwapped({
        id: restoreId,
        operation: restore.operationId,
        result: { removed, inserted, updated, fencedMs },
        undoUntil: undoUntilOf(world.now()),
        report: told,
      });
    throw new StepFailure(
      'RestoreRefused',
      `restore ${restoreId} was swapped in before operation ${restore.operationId} was ended; its rows are live: undo it, or discard it again to give up the undo`,
    );
  }
  await world.registry.transaction(async (within) => {
    await within.restores.noteDiscarded(restoreId);
    await within.operations.succeed(operation, { restoreId });
    await within.leases.release({ tenantId: id, holder: operation });
  });
  return {};
};

/** Drops a staged copy and the rows kept for undo, and ends the operation. A repeat answers the same. */
export const handler = step('DiscardRestore', contract, (input, world, signal) =>
  commitOnce(world.registry, input.operation, () => discardIn(world, input, signal)),
);
