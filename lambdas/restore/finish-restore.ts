import * as z from 'zod';
import { commitOnce } from '../../adapters/registry/endings.ts';
import type { Restore } from '../../adapters/registry/restores.ts';
import { dropSchemas } from '../../adapters/restore/layout.ts';
import { inTenantDatabase, leaseSeconds } from '../../adapters/restore/tenant-database.ts';
import type { World } from '../../adapters/world.ts';
import { restoreStatuses } from '../../domain/restore.ts';
import { changeCount, objectsDiff } from '../../domain/restore-objects.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    tenantId: z.string(),
    restoreId: z.string(),
    /** `restored`: Kubernetes objects alone. */
    outcome: z.enum(['swapped', 'restored', 'staged', 'previewed']),
  }),
  output: z.object({
    restoreId: z.string(),
    status: z.enum(restoreStatuses),
    /** Kubernetes objects that were made or changed, in a dry run that would be; absent where none were asked for. */
    objects: z.int().nonnegative().optional(),
  }),
};

/** Lines of the differences in the outcome of an operation; all of them are in the record of the restore. */
const mostLines = 100;

/** What the operation's outcome says of Kubernetes objects: how many, how each differs, and the way back. */
const objectsOutcome = ({ objectsPlan, objectsResult, safetyBackupId }: Restore) => {
  const report = objectsResult ?? objectsPlan;
  if (!report) return undefined;
  return {
    objects: changeCount(report),
    differences: objectsDiff(report, mostLines),
    ...(safetyBackupId === null ? {} : { safetyBackupId }),
  };
};

const finishIn = async (world: World, input: z.output<typeof contract.input>, signal: AbortSignal) => {
  const { operation, tenantId, restoreId, outcome } = input;
  const holder = { tenantId, holder: operation };
  await world.registry.leases.hold({ ...holder, seconds: leaseSeconds });
  const { stagingSchema, tables } = await world.registry.restores.require({ id: restoreId, tenantId, operation });
  if (outcome !== 'staged' && tables.length > 0)
    await inTenantDatabase(world, tenantId, signal, (client) => dropSchemas(client, [stagingSchema]));
  return world.registry.transaction(async ({ leases, restores, operations }) => {
    await leases.hold({ ...holder, seconds: leaseSeconds });
    const restore = await restores.finish({ id: restoreId, operation, outcome });
    const { status, result } = restore;
    const ofObjects = objectsOutcome(restore);
    await operations.succeed(operation, { restoreId, status, ...result, ...ofObjects });
    await leases.release(holder);
    return { restoreId, status, ...(ofObjects ? { objects: ofObjects.objects } : {}) };
  });
};

/** Ends a restore: staging stays only for a copy, the rows for undo only after a swap. A repeat answers the same. */
export const handler = step('FinishRestore', contract, (input, world, signal) =>
  commitOnce(world.registry, input.operation, () => finishIn(world, input, signal)),
);
