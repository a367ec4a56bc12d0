import * as z from 'zod';
import { endUnlessDone } from '../../adapters/registry/endings.ts';
import { settlePlanChange } from '../../adapters/registry/plan-state.ts';
import { describeFailure, failedSchema, failureSchema } from '../../domain/failure.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    /** `(none)` when the execution was started without one. */
    tenantId: z.string(),
    failure: failureSchema,
  }),
  output: failedSchema,
};

/**
 * Compensation: the tenant has its old plan, the wish waits no longer, the operation ends with its reason and the lease is free. A
 * change that stands already is left alone and answered. A repeat changes nothing.
 */
export const handler = step('AbandonPlanChange', contract, async ({ operation, tenantId, failure }, world) => {
  const failed = describeFailure(failure);
  const known = tenantId === '(none)' ? undefined : tenantId;
  const ending = { operation, tenantId: known, ...failed };
  const end = (): Promise<void> =>
    world.registry.transaction(async (parts) => {
      await parts.operations.fail(operation, { ...ending, kind: 'change-plan' });
      await settlePlanChange(parts, ending);
      if (known !== undefined) await parts.leases.release({ tenantId: known, holder: operation });
    });
  return { ...failed, ...(await endUnlessDone(world.registry, operation, end)) };
});
