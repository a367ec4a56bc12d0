import { z } from 'zod';
import { StepFailure } from '../../domain/errors.ts';
import { isolations } from '../../domain/placement.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({ operation: z.string(), tenantId: z.string(), isolation: z.enum(isolations).optional() }),
  output: z.object({ cell: z.string(), tier: z.string(), isolation: z.string() }),
};

/** Chooses where the tenant's rows go and takes one of the capacity, for good. Throws NoCapacity with the numbers of every place. */
export const handler = step('PlaceTenant', contract, ({ operation, tenantId, isolation: wanted }, world) =>
  world.registry.transaction(async ({ tenants, leases, placements }) => {
    await leases.hold({ tenantId, holder: operation, seconds: 300 });
    const tenant = await tenants.require(tenantId);
    if (tenant.claimedBy !== operation || tenant.status !== 'provisioning')
      throw new StepFailure(
        'TenantNotReady',
        `tenant ${tenantId} is ${tenant.status} since operation ${tenant.changedBy}; only its own signup places it`,
      );
    const { cell, tier, isolation } = await placements.place({
      tenantId,
      operation,
      plan: tenant.plan,
      region: tenant.region ?? undefined,
      isolation: wanted,
    });
    await tenants.place(tenantId, tier, isolation);
    return { cell: cell.id, tier, isolation };
  }),
);
