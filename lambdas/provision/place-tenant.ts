import * as z from 'zod';
import { StepFailure } from '../../domain/errors.ts';
import { profile } from '../../domain/tenant.ts';
import { decidePlace } from '../../domain/tier.ts';
import { step } from '../step.ts';

const { isolation, tier, force, reason } = profile;

const contract = {
  input: z.object({ operation: z.string(), tenantId: z.string(), isolation, tier, force, reason }),
  output: z.object({
    cell: z.string(),
    tier: z.string(),
    isolation: z.string(),
    placementId: z.string(),
    /** The placement rule that gave the tier, and why it holds. */
    rule: z.string(),
    why: z.string(),
  }),
};

/**
 * Chooses where the tenant's rows and its app go and takes one of the capacity, for good: the tier by the placement rules, the
 * isolation by the plan, unless told. Throws PlanForbids for what the plan does not allow, NoCapacity with the numbers of every place.
 */
export const handler = step('PlaceTenant', contract, ({ operation, tenantId, ...wish }, world) =>
  world.registry.transaction(async ({ tenants, leases, placements }) => {
    await leases.hold({ tenantId, holder: operation, seconds: 300 });
    const tenant = await tenants.require(tenantId);
    if (tenant.claimedBy !== operation || tenant.status !== 'provisioning')
      throw new StepFailure(
        'TenantNotReady',
        `tenant ${tenantId} is ${tenant.status} since operation ${tenant.changedBy}; only its own signup places it`,
      );
    const { decision, ...wanted } = decidePlace(tenant, wish);
    const placement = await placements.place({
      tenantId,
      operation,
      plan: tenant.plan,
      region: tenant.region ?? undefined,
      ...wanted,
    });
    await tenants.place(tenantId, placement.tier, placement.isolation);
    return {
      cell: placement.cell.id,
      tier: placement.tier,
      isolation: placement.isolation,
      placementId: placement.id,
      rule: decision.rule,
      why: decision.why,
    };
  }),
);
