import * as z from 'zod';
import { writePlan } from '../../adapters/registry/plan-state.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({ operation: z.string(), tenantId: z.string() }),
  output: z.object({ plan: z.string() }),
};

/** Compensation: the tenant has again what it had, so that its app can be given its old size. A repeat changes nothing. */
export const handler = step('RevertPlanChange', contract, async ({ operation, tenantId }, world) => {
  const { previous } = await world.registry.planChanges.require(operation);
  await world.registry.transaction(async (parts) => {
    await parts.leases.hold({ tenantId, holder: operation, seconds: 600 });
    if (previous) await writePlan(parts, tenantId, previous);
  });
  return { plan: previous?.plan ?? (await world.registry.tenants.require(tenantId)).plan };
});
