import * as z from 'zod';
import { endUnlessDone } from '../../adapters/registry/endings.ts';
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
 * Compensation: the record of the backup ends and its objects go, lease and operation end with the reason. A backup that is
 * sealed stands and is answered. A repeat changes nothing.
 */
export const handler = step('AbandonRecovery', contract, async ({ operation, tenantId, failure }, world) => {
  const failed = describeFailure(failure);
  const tenant = tenantId === '(none)' ? undefined : tenantId;
  for (const backup of await world.registry.backups.ofOperation(operation))
    if (await world.registry.backups.fail(backup.id, failed.reason))
      await world.archive.remove(backup.tenantId, backup.id);
  const end = (): Promise<void> =>
    world.registry.transaction(async ({ operations, leases }) => {
      await operations.fail(operation, { ...failed, kind: 'recover-point-in-time', tenantId: tenant });
      if (tenant !== undefined) await leases.release({ tenantId: tenant, holder: operation });
    });
  return { ...failed, ...(await endUnlessDone(world.registry, operation, end)) };
});
