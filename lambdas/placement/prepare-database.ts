import type { ClientBase } from 'pg';
import * as z from 'zod';
import { prepareTenant } from '../../adapters/pool/tenant.ts';
import { type Placement, rowsAt } from '../../adapters/registry/placements.ts';
import type { World } from '../../adapters/world.ts';
import { step } from '../step.ts';
import { placementStep } from './placement-step.ts';

const contract = {
  input: z.object(placementStep),
  output: z.object({ cell: z.string(), database: z.string() }),
};

/** A pool stays, so its connection is kept; a tenant's own database is left, or somebody could not drop or copy it. */
const onDatabase = async (
  { databases }: World,
  placement: Placement,
  work: (client: ClientBase) => Promise<void>,
): Promise<void> => {
  if (placement.isolation === 'pooled') return databases.lend(rowsAt(placement), 'provision', work);
  const client = await databases.connect(rowsAt(placement), 'provision');
  try {
    await work(client);
  } finally {
    await client.end();
  }
};

/** Gives the tenant its row and the app's first rows where its placement is, in one transaction. A repeat changes nothing. */
export const handler = step('PrepareDatabase', contract, async (input, world) => {
  const { operation, tenantId, holder = operation, placementId } = input;
  const { fence } = await world.registry.leases.hold({ tenantId, holder, seconds: 120 });
  const tenant = await world.registry.tenants.require(tenantId);
  const placement = await world.registry.placements.require(tenantId, placementId);
  const profile = {
    name: tenant.name ?? undefined,
    adminEmail: tenant.adminEmail ?? undefined,
    adminName: tenant.adminName ?? undefined,
  };
  await onDatabase(world, placement, (client) => prepareTenant(client, { tenantId, profile, fence }));
  return { cell: placement.cell.id, database: placement.database };
});
