import { z } from 'zod';
import { dropSchemas } from '../../adapters/restore/layout.ts';
import { restoreStatuses } from '../../domain/restore.ts';
import { step } from '../step.ts';
import { inTenantDatabase, leaseSeconds } from './tenant-database.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    tenantId: z.string(),
    restoreId: z.string(),
    outcome: z.enum(['swapped', 'staged', 'previewed']),
  }),
  output: z.object({ restoreId: z.string(), status: z.enum(restoreStatuses) }),
};

/** Ends a restore: staging stays only for a copy, the rows for undo only after a swap. A repeat answers the same. */
export const handler = step(
  'FinishRestore',
  contract,
  async ({ operation, tenantId, restoreId, outcome }, world, signal) => {
    const { operations, restores } = world.registry;
    const restore = await restores.require({ id: restoreId, tenantId, operation });
    if ((await operations.get(operation))?.status === 'succeeded') return { restoreId, status: restore.status };
    await world.registry.leases.hold({ tenantId, holder: operation, seconds: leaseSeconds });
    if (outcome !== 'staged')
      await inTenantDatabase(world, tenantId, signal, (client) => dropSchemas(client, [restore.stagingSchema]));
    const { status } = await world.registry.transaction(async (within) => {
      await within.leases.hold({ tenantId, holder: operation, seconds: leaseSeconds });
      const finished = await within.restores.finish({ id: restoreId, operation, outcome });
      await within.operations.succeed(operation, { restoreId, status: finished.status, ...finished.result });
      await within.leases.release({ tenantId, holder: operation });
      return finished;
    });
    return { restoreId, status };
  },
);
