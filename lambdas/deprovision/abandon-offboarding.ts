import * as z from 'zod';
import { endOffboarding, endUnlessDone } from '../../adapters/registry/endings.ts';
import { describeFailure, failedSchema, failureSchema } from '../../domain/failure.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({ operation: z.string(), tenantId: z.string(), failure: failureSchema }),
  output: failedSchema,
};

/** Compensation: a tenant whose rows are still there is active again; the operation ends with its reason. */
export const handler = step('AbandonOffboarding', contract, async ({ operation, tenantId, failure }, world) => {
  const failed = describeFailure(failure);
  const ending = { operation, tenantId: tenantId === '(none)' ? undefined : tenantId, ...failed };
  const end = (): Promise<void> => endOffboarding(world.registry, ending);
  return { ...failed, ...(await endUnlessDone(world.registry, operation, end)) };
});
