import * as z from 'zod';
import { endProvisioning, endUnlessDone } from '../../adapters/registry/endings.ts';
import { describeFailure, failedSchema, failureSchema } from '../../domain/failure.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    /** `(none)` when the execution was started without one. */
    tenantId: z.string(),
    failure: failureSchema,
    placementReleased: z.boolean().default(true),
  }),
  output: failedSchema,
};

/**
 * Compensation: takes this operation's claim back and ends the operation with its reason. A signup that stands already is
 * left alone and answered. A repeat changes nothing.
 */
export const handler = step(
  'ReleaseTenant',
  contract,
  async ({ operation, tenantId, failure, placementReleased }, world) => {
    const failed = describeFailure(failure);
    const ending = { operation, tenantId: tenantId === '(none)' ? undefined : tenantId, ...failed };
    const end = (): Promise<void> => endProvisioning(world.registry, ending, placementReleased);
    return { ...failed, ...(await endUnlessDone(world.registry, operation, end)) };
  },
);
