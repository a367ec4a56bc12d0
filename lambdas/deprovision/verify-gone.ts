import type { Client } from 'pg';
import * as z from 'zod';
import { hasOwnApp } from '../../adapters/cluster/own-app.ts';
import { countTenantRows } from '../../adapters/pool/release.ts';
import { findTenant } from '../../adapters/pool/tenant.ts';
import { type Placement, rowsAt } from '../../adapters/registry/placements.ts';
import type { World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({ operation: z.string(), tenantId: z.string() }),
  output: z.object({}),
};

const asProvision = async <Found>(
  world: World,
  place: Parameters<World['databases']['connect']>[0],
  look: (client: Client) => Promise<Found>,
): Promise<Found> => {
  const client = await world.databases.connect(place, 'provision');
  try {
    return await look(client);
  } finally {
    await client.end();
  }
};

const leftInPool = (world: World, { tenantId, cell }: Placement): Promise<string[]> =>
  asProvision(world, cell, async (client) => {
    const rows = await countTenantRows(client, tenantId);
    const left = Object.entries(rows).map(([table, count]) => `${table} ${count}`);
    if (await findTenant(client, tenantId)) left.push('tenantry.tenants 1');
    const { rows: copies } = await client.query<{ name: string }>(
      'SELECT nspname AS name FROM pg_namespace WHERE nspname = ANY($1)',
      [await world.registry.restores.schemasOf(tenantId)],
    );
    return [...left, ...copies.map(({ name }) => `schema ${name}`)];
  });

const leftOnServer = (world: World, placement: Placement): Promise<string[]> =>
  asProvision(world, { ...rowsAt(placement), database: 'postgres' }, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `SELECT 'database ' || datname AS name FROM pg_database WHERE datname = $1
       UNION ALL SELECT 'login ' || rolname FROM pg_roles WHERE rolname = $1`,
      [placement.database],
    );
    return rows.map(({ name }) => name);
  });

const leftOfApp = async (world: World, placement: Placement): Promise<string[]> => {
  if (!hasOwnApp(placement)) return [];
  const { cluster, namespace } = placement;
  if (cluster.stack !== null) {
    const stack = await world.clusters.describeStack(cluster.stack);
    return stack ? [`stack ${cluster.stack} (${stack.status})`] : [];
  }
  const opened = await world.findCluster(cluster.id);
  const found = await opened?.get({ apiVersion: 'v1', kind: 'Namespace', name: namespace });
  return found ? [`namespace ${namespace} of cluster ${cluster.id}`] : [];
};

const leftOfRows = async (world: World, placement: Placement): Promise<string[]> => {
  if (placement.isolation === 'pooled') return leftInPool(world, placement);
  if (placement.isolation === 'database') return leftOnServer(world, placement);
  const server = await world.servers.describe(placement.server!.id);
  return server ? [`server ${placement.server!.id} (${server.status})`] : [];
};

/** Proves at every place of the tenant that nothing of it is left; throws TenantStillPresent with what is. Read-only. */
export const handler = step('VerifyGone', contract, async ({ operation, tenantId }, world) => {
  await world.registry.leases.hold({ tenantId, holder: operation, seconds: 300 });
  for (const placement of await world.registry.placements.all(tenantId)) {
    const left = [...(await leftOfRows(world, placement)), ...(await leftOfApp(world, placement))];
    if (left.length === 0) continue;
    const where = placement.server?.id ?? placement.cell.id;
    throw new StepFailure(
      'TenantStillPresent',
      `tenant ${tenantId} is still in ${where}: ${left.join(', ')}; release its placement again`,
    );
  }
  return {};
});
