import { z } from 'zod';
import { prepareTenant } from '../../adapters/pool/tenant.ts';
import { rowsAt } from '../../adapters/registry/placements.ts';
import { step } from '../step.ts';
import { placementStep } from './placement-step.ts';

const contract = {
  input: z.object(placementStep),
  output: z.object({ cell: z.string(), database: z.string() }),
};

/** Gives the tenant its row and the app's first rows where its placement is, in one transaction. A repeat changes nothing. */
export const handler = step('PrepareDatabase', contract, async (input, world) => {
  const { operation, tenantId, holder = operation, placementId } = input;
  const { fence } = await world.registry.leases.hold({ tenantId, holder, seconds: 120 });
  const tenant = await world.registry.tenants.require(tenantId);
  const placement = await world.registry.placements.require(tenantId, placementId);
  const client = await world.databases.connect(rowsAt(placement), 'provision');
  try {
    const profile = {
      name: tenant.name ?? undefined,
      adminEmail: tenant.adminEmail ?? undefined,
      adminName: tenant.adminName ?? undefined,
    };
    await prepareTenant(client, { tenantId, profile, fence });
    return { cell: placement.cell.id, database: placement.database };
  } finally {
    await client.end();
  }
});
