import * as z from 'zod';
import { readScope } from '../../adapters/catalog/read-scope.ts';
import type { Restore } from '../../adapters/registry/restores.ts';
import { swapRestore } from '../../adapters/restore/swap.ts';
import { inTenantDatabase, leaseSeconds } from '../../adapters/restore/tenant-database.ts';
import { undoUntilOf } from '../../domain/restore.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({ operation: z.string(), tenantId: z.string(), restoreId: z.string() }),
  output: z.object({
    removed: z.int(),
    inserted: z.int(),
    updated: z.int(),
    /** Milliseconds in which this tenant's writers waited. */
    fencedMs: z.int(),
    undoUntil: z.string(),
  }),
};

const answer = ({ result, undoUntil }: Restore): z.input<typeof contract.output> | undefined =>
  result && undoUntil ? { ...result, undoUntil: undoUntil.toISOString() } : undefined;

/** The commit point of an in-place restore. A repeat, also of an attempt whose answer was lost, answers the same. */
export const handler = step('SwapRestore', contract, async ({ operation, tenantId, restoreId }, world, signal) => {
  const { leases, restores } = world.registry;
  const { fence } = await leases.hold({ tenantId, holder: operation, seconds: leaseSeconds });
  const restore = await restores.require({ id: restoreId, tenantId, operation });
  const known = restore.status === 'swapped' && answer(restore);
  if (known) return known;
  const { report, ...result } = await inTenantDatabase(world, tenantId, signal, (client) =>
    swapRestore(client, {
      restore: { ...restore, drift: restore.plan.drift },
      operation,
      fence,
      readScope,
      now: world.now,
    }),
  );
  const undoUntil = undoUntilOf(world.now());
  await restores.noteSwapped({ id: restoreId, operation, result, undoUntil, report });
  return { ...result, undoUntil: undoUntil.toISOString() };
});
