import { z } from 'zod';
import { commitOnce } from '../../adapters/registry/endings.ts';
import { dropSchemas } from '../../adapters/restore/layout.ts';
import { inTenantDatabase, leaseSeconds } from '../../adapters/restore/tenant-database.ts';
import type { World } from '../../adapters/world.ts';
import { restoreStatuses } from '../../domain/restore.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    tenantId: z.string(),
    restoreId: z.string(),
    outcome: z.enum(['swapped', 'staged', 'previewed']),
  }),
  output: z.object({ restoreId: z.string(), status: z.enum(restoreStatuses) }),
};

const finishIn = async (world: World, input: z.output<typeof contract.input>, signal: AbortSignal) => {
  const { operation, tenantId, restoreId, outcome } = input;
  const holder = { tenantId, holder: operation };
  await world.registry.leases.hold({ ...holder, seconds: leaseSeconds });
  const { stagingSchema } = await world.registry.restores.require({ id: restoreId, tenantId, operation });
  if (outcome !== 'staged')
    await inTenantDatabase(world, tenantId, signal, (client) => dropSchemas(client, [stagingSchema]));
  return world.registry.transaction(async ({ leases, restores, operations }) => {
    await leases.hold({ ...holder, seconds: leaseSeconds });
    const { status, result } = await restores.finish({ id: restoreId, operation, outcome });
    await operations.succeed(operation, { restoreId, status, ...result });
    await leases.release(holder);
    return { restoreId, status };
  });
};

/** Ends a restore: staging stays only for a copy, the rows for undo only after a swap. A repeat answers the same. */
export const handler = step('FinishRestore', contract, (input, world, signal) =>
  commitOnce(world.registry, input.operation, () => finishIn(world, input, signal)),
);
