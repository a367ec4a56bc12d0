import { z } from 'zod';
import { countTenantRows } from '../../adapters/pool/release.ts';
import { findTenant } from '../../adapters/pool/tenant.ts';
import { StepFailure } from '../../domain/errors.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({ operation: z.string(), tenantId: z.string() }),
  output: z.object({}),
};

/** Proves in the tenant's database that no row of it is left; throws TenantStillPresent with the counts. Read-only. */
export const handler = step('VerifyGone', contract, async ({ operation, tenantId }, world) => {
  await world.registry.leases.hold({ tenantId, holder: operation, seconds: 300 });
  const placement = await world.registry.placements.get(tenantId);
  if (!placement) return {};
  const client = await world.databases.connect(placement.cell, 'provision');
  try {
    const left = await countTenantRows(client, tenantId);
    const tables = Object.entries(left).map(([table, rows]) => `${table} ${rows}`);
    if (await findTenant(client, tenantId)) tables.push('tenantry.tenants 1');
    const { rows: copies } = await client.query<{ name: string }>(
      'SELECT nspname AS name FROM pg_namespace WHERE nspname = ANY($1)',
      [await world.registry.restores.schemasOf(tenantId)],
    );
    tables.push(...copies.map(({ name }) => `schema ${name}`));
    if (tables.length === 0) return {};
    throw new StepFailure(
      'TenantStillPresent',
      `tenant ${tenantId} still has rows in ${placement.cell.id}: ${tables.join(', ')}; release its database again`,
    );
  } finally {
    await client.end();
  }
});
