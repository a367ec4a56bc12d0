import * as z from 'zod';
import { defaultPlan } from '../../domain/plans.ts';
import { newTenantId, profile } from '../../domain/tenant.ts';
import { refuseForbidden } from '../../domain/tier.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    execution: z.string(),
    tenantId: newTenantId,
    ...profile,
    requestedBy: z.string().optional(),
  }),
  output: z.object({ tenantId: z.string(), plan: z.string() }),
};

/**
 * Reserves the slug and the custom domain for this operation. Of many signups of one slug exactly one wins; TenantExists for
 * the others, which leave nothing but their operation's record. The claim comes before the lease: a loser must hear that
 * the name is taken, not that it is busy. Throws PlanForbids for a tier or isolation that the plan does not allow.
 */
export const handler = step('ClaimTenant', contract, async (input, world) => {
  const { operation, execution, tenantId, requestedBy, plan = defaultPlan, ...told } = input;
  await world.registry.operations.open({
    id: operation,
    kind: 'provision-tenant',
    tenantId,
    executionArn: execution,
    input: { tenantId, plan, ...told },
    requestedBy,
  });
  refuseForbidden(plan, told);
  const tenant = await world.registry.transaction(async ({ tenants, leases }) => {
    const claimed = await tenants.claim({ id: tenantId, operation, plan, ...told });
    await leases.hold({ tenantId, holder: operation, seconds: 300 });
    return claimed;
  });
  return { tenantId, plan: tenant.plan };
});
