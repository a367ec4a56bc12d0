import * as z from 'zod';
import { step } from '../step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    tenantId: z.string(),
    restoreId: z.string(),
    token: z.string().min(1),
    attempt: z.int().nonnegative().default(0),
  }),
  output: z.object({}),
};

/** Parks the operation until somebody answers its task token. The lease is free meanwhile: people take days. */
export const handler = step(
  'RequestApproval',
  contract,
  async ({ operation, tenantId, restoreId, token, attempt }, world) => {
    await world.registry.transaction(async ({ restores, operations, leases }) => {
      await restores.require({ id: restoreId, tenantId, operation });
      // A repeat behind the answer must not take the lease from the steps that follow.
      if (!(await operations.awaitApproval(operation, token, attempt))) return;
      await restores.noteAwaiting({ id: restoreId, operation });
      await leases.release({ tenantId, holder: operation });
    });
    return {};
  },
);
