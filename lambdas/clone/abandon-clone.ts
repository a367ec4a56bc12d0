import * as z from 'zod';
import { endUnlessDone, settleProvisioning } from '../../adapters/registry/endings.ts';
import { failureOfTask } from '../../adapters/registry/task-failure.ts';
import { describeFailure, failedSchema, failureSchema } from '../../domain/failure.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    /** The source; `(none)` when the execution was started without one. */
    tenantId: z.string(),
    newTenantId: z.string(),
    failure: failureSchema,
    placementReleased: z.boolean().default(true),
  }),
  output: failedSchema,
};

/**
 * Compensation: the claim of the new name is taken back, capacity and lease are freed, the operation ends with its reason. A
 * clone that stands already is left alone and answered. A repeat changes nothing.
 */
export const handler = step('AbandonClone', contract, async (input, world) => {
  const { operation, tenantId, newTenantId, failure, placementReleased } = input;
  const failed = describeFailure(await failureOfTask(world.registry, operation, failure));
  const end = (): Promise<void> =>
    world.registry.transaction(async (parts) => {
      const source = tenantId === '(none)' ? undefined : tenantId;
      await parts.operations.fail(operation, { ...failed, kind: 'clone-tenant', tenantId: source });
      const made = newTenantId === '(none)' ? undefined : newTenantId;
      await settleProvisioning(parts, { ...failed, operation, tenantId: made }, placementReleased);
      for (const { id } of await parts.restores.ofOperation(operation))
        await parts.restores.abandon({ id, operation, failure: `${failed.failedStep}: ${failed.reason}` });
    });
  return { ...failed, ...(await endUnlessDone(world.registry, operation, end)) };
});
