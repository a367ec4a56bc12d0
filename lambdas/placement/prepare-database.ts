import { z } from 'zod';
import { prepareTenant } from '../../adapters/pool/tenant.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({ operation: z.string(), tenantId: z.string(), holder: z.string().optional() }),
  output: z.object({ cell: z.string(), database: z.string() }),
};

/** Gives the tenant its row and the app's first rows in the pool of its cell, in one transaction. A repeat changes nothing. */
export const handler = step('PrepareDatabase', contract, async ({ operation, tenantId, holder = operation }, world) => {
  const { fence } = await world.registry.leases.hold({ tenantId, holder, seconds: 120 });
  const tenant = await world.registry.tenants.require(tenantId);
  const { cell } = await world.registry.placements.require(tenantId);
  const client = await world.databases.connect(cell, 'provision');
  try {
    const profile = {
      name: tenant.name ?? undefined,
      adminEmail: tenant.adminEmail ?? undefined,
      adminName: tenant.adminName ?? undefined,
    };
    await prepareTenant(client, { tenantId, profile, fence });
    return { cell: cell.id, database: cell.database };
  } finally {
    await client.end();
  }
});
