import { z } from 'zod';
import { StepFailure } from '../../domain/errors.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({ operation: z.string(), tenantId: z.string() }),
  output: z.object({ cell: z.string(), tier: z.string(), isolation: z.string() }),
};

/** Chooses the tenant's cell and takes one of its capacity, for good. Throws NoCapacity with the numbers of every cell. */
export const handler = step('PlaceTenant', contract, ({ operation, tenantId }, world) =>
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
    });
    await tenants.place(tenantId, tier, isolation);
    return { cell: cell.id, tier, isolation };
  }),
);
