import * as z from 'zod';
import { endUnlessDone } from '../../adapters/registry/endings.ts';
import { failureOfTask } from '../../adapters/registry/task-failure.ts';
import { describeFailure, failedSchema, failureSchema } from '../../domain/failure.ts';
import { step } from '../step.ts';
import { readSlice } from './slice.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    execution: z.string().optional(),
    /** What the execution was started with: what is no tenant id had no backup. */
    tenantIds: z.array(z.unknown()).default([]),
    /** Where the tenants of a fleet's slice are listed, instead of tenantIds. */
    sliceKey: z.string().startsWith('fleet/').optional(),
    failure: failureSchema,
    holder: z.string().optional(),
    closes: z.boolean().default(false),
  }),
  output: failedSchema.extend({
    /** Backups of these tenants that were sealed before: they stay. */
    sealed: z.int().nonnegative(),
  }),
};

/** Tenants whose objects are removed at a time: two requests each. */
const atOnce = 16;

/**
 * Compensation: ends the records of these tenants that are not sealed, removes the objects that were written for them,
 * releases the leases unless they are a parent's, and ends the operation where it is this backup's own. Records end first:
 * a dump that is still at work can then complete no record. A repeat changes nothing.
 */
export const handler = step('AbandonBackup', contract, async (input, world) => {
  const { operation, execution, closes } = input;
  const failure = await failureOfTask(world.registry, operation, input.failure);
  const failed = { ...describeFailure(failure), sealed: 0 };
  const tenantIds =
    input.sliceKey === undefined
      ? input.tenantIds.filter((id) => typeof id === 'string')
      : await readSlice(world, input.sliceKey);
  const own = new Set(tenantIds);
  const backups = (await world.registry.backups.ofOperation(operation)).filter(({ tenantId }) => own.has(tenantId));
  const ended = await world.registry.slices.fail(backups.map(({ id }) => ({ backupId: id, reason: failed.reason })));
  failed.sealed = backups.length - ended.size;
  const written = backups.filter(
    ({ id, sameAs, objectsState }) => ended.has(id) && (sameAs === null || objectsState !== null),
  );
  const remove = async (): Promise<void> => {
    for (let backup = written.pop(); backup; backup = written.pop())
      await world.archive.remove(backup.tenantId, backup.id);
  };
  await Promise.all(Array.from({ length: atOnce }, remove));
  if (input.holder === undefined) await world.registry.leases.releaseMany({ tenantIds, holder: operation });
  if (!closes) return failed;
  const tenantId = tenantIds.length === 1 ? tenantIds[0] : undefined;
  const ending = { ...failed, kind: 'back-up-tenant', tenantId, executionArn: execution } as const;
  const end = (): Promise<void> => world.registry.operations.fail(operation, ending);
  return { ...failed, ...(await endUnlessDone(world.registry, operation, end)) };
});
