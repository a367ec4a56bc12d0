import * as z from 'zod';
import { clientSql } from '../../adapters/postgres/sql.ts';
import { endUnlessDone } from '../../adapters/registry/endings.ts';
import type { Restore } from '../../adapters/registry/restores.ts';
import { failureOfTask } from '../../adapters/registry/task-failure.ts';
import { abandonEffects } from '../../adapters/restore/effects.ts';
import { dropSchemas } from '../../adapters/restore/layout.ts';
import type { Marked } from '../../adapters/restore/swap.ts';
import { inTenantDatabase } from '../../adapters/restore/tenant-database.ts';
import type { World } from '../../adapters/world.ts';
import { describeFailure, failedSchema, failureSchema } from '../../domain/failure.ts';
import { undoUntilOf } from '../../domain/restore.ts';
import { wayBack } from '../../domain/restore-objects.ts';
import type { SwapResult } from '../../domain/restore-report.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    /** `(none)` when the execution was started without one. */
    tenantId: z.string(),
    restoreId: z.string().optional(),
    failure: failureSchema,
  }),
  output: failedSchema,
};

/** Restores that this operation planned, opened again, or wanted to undo. */
const concerned = async (world: World, operation: string): Promise<Restore[]> => {
  const { restores, operations } = world.registry;
  const own = await restores.ofOperation(operation);
  const input = (await operations.get(operation))?.input as { action?: unknown; restoreId?: unknown } | undefined;
  if (input?.action !== 'undo' || typeof input.restoreId !== 'string') return own;
  const undone = await restores.get(input.restoreId);
  return undone ? [...own, undone] : own;
};

/**
 * Cleans up one restore. What the operation has committed in the tenant's database stands, whatever the machine heard of it:
 * the record then says so, and undo stays possible.
 */
const cleanUp = async (
  world: World,
  { operation, restore, failure }: { operation: string; restore: Restore; failure: string },
  signal: AbortSignal,
): Promise<void> => {
  const { tenantId, id } = restore;
  const { restores } = world.registry;
  const own = restore.operationId === operation;
  const copyToKeep = own && restore.openedBy !== operation;
  if (restore.objects && restore.tables.length === 0) {
    if (own) await restores.abandon({ id, operation, failure });
    return;
  }
  const { swapped, undone } = await inTenantDatabase(world, tenantId, signal, async (client) => {
    const effects = await clientSql(client).transaction(() =>
      abandonEffects<Marked, SwapResult>(client, { operation, restoreId: id, tenantId }),
    );
    if (own && (effects.swapped || !copyToKeep)) await dropSchemas(client, [restore.stagingSchema]);
    return effects;
  });
  if (undone) await restores.noteUndone({ id, undo: undone });
  const report = swapped?.report ?? restore.report;
  if (swapped && report && restore.status !== 'swapped') {
    const { removed, inserted, updated, fencedMs } = swapped;
    const result = { removed, inserted, updated, fencedMs };
    await restores.noteSwapped({ id, operation, result, undoUntil: undoUntilOf(world.now()), report });
  }
  if (own) await restores.abandon({ id, operation, failure });
};

/** Kubernetes objects that were set back stay so; the reason says what takes them back. */
const withWayBack = async ({ registry }: World, operation: string, reason: string): Promise<string> => {
  const begun = (await registry.restores.ofOperation(operation)).find(({ safetyBackupId }) => safetyBackupId !== null);
  if (!begun?.safetyBackupId) return reason;
  const way = `; Kubernetes objects had been set back; as they were before they are in safety backup ${begun.safetyBackupId}: ${wayBack(begun.tenantId, begun.safetyBackupId)}`;
  return `${reason.slice(0, 2_000 - way.length)}${way}`;
};

/**
 * Compensation: nothing of this operation can commit any more, staging is dropped (a copy that was opened again stays), the
 * operation ends with its reason and the lease is free. A repeat answers the same.
 */
export const handler = step('AbandonRestore', contract, async ({ operation, tenantId, failure }, world, signal) => {
  const told = describeFailure(await failureOfTask(world.registry, operation, failure));
  const failed = { ...told, reason: await withWayBack(world, operation, told.reason) };
  const known = await world.registry.operations.get(operation);
  // What stands is not cleaned away: the copy of a restore that was finished belongs to its tenant.
  if (known?.status !== 'succeeded')
    for (const restore of await concerned(world, operation))
      await cleanUp(world, { operation, restore, failure: `${failed.failedStep}: ${failed.reason}` }, signal);
  const end = (): Promise<void> =>
    world.registry.transaction(async ({ operations, leases }) => {
      const tenant = tenantId === '(none)' ? undefined : tenantId;
      await operations.fail(operation, { ...failed, kind: 'restore-tenant', tenantId: tenant });
      if (tenant !== undefined) await leases.release({ tenantId: tenant, holder: operation });
    });
  return { ...failed, ...(await endUnlessDone(world.registry, operation, end)) };
});
