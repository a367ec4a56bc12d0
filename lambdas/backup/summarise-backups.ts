import * as z from 'zod';
import { step } from '../step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    /** One answer per slice; a slice that failed as a whole answers anything, or nothing. */
    results: z.array(z.unknown()),
  }),
  output: z.object({
    tenants: z.int().nonnegative(),
    sealed: z.int().nonnegative(),
    failed: z.int().nonnegative(),
  }),
};

const sliceResult = z.object({ count: z.int().nonnegative(), failed: z.int().nonnegative() });

/**
 * Ends the fleet's operation. The records count, not the answers: a slice whose execution died has said nothing, and its
 * tenants have no new archive all the same. Records that are still open end here. A repeat answers the same.
 */
export const handler = step('SummariseBackups', contract, async ({ operation, results }, world) => {
  const { backups, leases, operations, slices } = world.registry;
  const records = await backups.ofOperation(operation);
  const unsealed = records.filter(({ status }) => status !== 'sealed' && status !== 'deleted');
  await slices.fail(unsealed.map(({ id }) => ({ backupId: id, reason: 'its slice ended without an answer' })));
  if (unsealed.length > 0)
    await leases.releaseMany({ tenantIds: unsealed.map(({ tenantId }) => tenantId), holder: operation });
  const told = results.reduce<number>((sum, result) => sum + (sliceResult.safeParse(result).data?.failed ?? 0), 0);
  const sealed = records.length - unsealed.length;
  const failed = Math.max(unsealed.length, told);
  const summary = { tenants: sealed + failed, sealed, failed };
  if (failed === 0) await operations.succeed(operation, summary);
  else
    await operations.fail(operation, {
      kind: 'back-up-fleet',
      failedStep: 'SummariseBackups',
      error: 'BackupIncomplete',
      reason: `${failed} of ${summary.tenants} due tenants have no new archive; their records say why`,
    });
  return summary;
});
