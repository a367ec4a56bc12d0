import type { ClientBase } from 'pg';
import * as z from 'zod';
import { readScope } from '../../adapters/catalog/read-scope.ts';
import { commitOnce } from '../../adapters/registry/endings.ts';
import type { Restore } from '../../adapters/registry/restores.ts';
import { inTenantDatabase, leaseSeconds } from '../../adapters/restore/tenant-database.ts';
import { undoBytes, undoRestore } from '../../adapters/restore/undo.ts';
import type { World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';
import { stepRoute, stepRoutes } from '../../domain/step-route.ts';
import { tenantId } from '../../domain/tenant.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    execution: z.string(),
    tenantId,
    restoreId: z.string(),
    /** Undo also where users wrote since the swap; those writes are lost. */
    force: z.boolean().default(false),
    reason: z.string().max(1_000).optional(),
    requestedBy: z.string().optional(),
    /** Where the rows are put back, whatever their size. */
    through: z.enum(stepRoutes).optional(),
    /** Puts them back in this very call: what the container task is asked. */
    here: z.boolean().default(false),
  }),
  output: z.object({
    removed: z.int(),
    inserted: z.int(),
    updated: z.int(),
    /** Nothing is done yet: the rows take longer than a Lambda lives, and a container task puts them back. */
    large: z.literal(true).optional(),
  }),
};

type Input = z.output<typeof contract.input>;
type Output = z.input<typeof contract.output>;

const refuseTooLate = (restore: Restore, now: Date): void => {
  if (restore.status !== 'swapped')
    throw new StepFailure(
      'RestoreRefused',
      `restore ${restore.id} is ${restore.status}; only a swapped one can be undone`,
    );
  if (restore.undoUntil && restore.undoUntil < now)
    throw new StepFailure(
      'RestoreRefused',
      `restore ${restore.id} could be undone until ${restore.undoUntil.toISOString()}; restore the safety backup instead`,
    );
};

/** Rows that were replaced, and those that replaced them, are gone through to find what others wrote, and to put them back. */
const passes = 2;

const isForTask = async (client: ClientBase, restore: Restore, { here, through }: Input): Promise<boolean> =>
  !here && (through ?? stepRoute({ bytes: await undoBytes(client, restore), passes })) === 'task';

const undoIn = async (world: World, input: Input, signal: AbortSignal): Promise<Output> => {
  const { operation, execution, tenantId: id, restoreId, force, requestedBy, reason } = input;
  const { operations, leases, restores } = world.registry;
  await operations.open({
    id: operation,
    kind: 'restore-tenant',
    tenantId: id,
    executionArn: execution,
    input: { action: 'undo', tenantId: id, restoreId, force, ...(reason === undefined ? {} : { reason }) },
    requestedBy,
  });
  const restore = await restores.require({ id: restoreId, tenantId: id });
  const { fence } = await leases.hold({ tenantId: id, holder: operation, seconds: leaseSeconds });
  const undo = await (async () => {
    if (restore.status === 'undone' && restore.undo) return restore.undo;
    refuseTooLate(restore, world.now());
    return inTenantDatabase(world, id, signal, async (client) => {
      if (await isForTask(client, restore, input)) return undefined;
      return undoRestore(client, { restore, operation, fence, force, readScope });
    });
  })();
  if (!undo) return { removed: 0, inserted: 0, updated: 0, large: true };
  await world.registry.transaction(async (within) => {
    await within.restores.noteUndone({ id: restoreId, undo });
    await within.operations.succeed(operation, { restoreId, ...undo });
    await within.leases.release({ tenantId: id, holder: operation });
  });
  return undo;
};

/**
 * Puts back what a swap replaced, and ends the operation; or answers that a container task has to. A repeat, and an undo of
 * what is undone, answers the same.
 */
export const handler = step('UndoRestore', contract, (input, world, signal) =>
  commitOnce(world.registry, input.operation, () => undoIn(world, input, signal)),
);
