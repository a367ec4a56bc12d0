import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { type Stage, tenantTables } from './stage.ts';

interface Home {
  readonly isolation: string;
  readonly places: number;
  readonly rows: string;
  /** Of the tenant's row in its database. */
  readonly state: string;
}

/** Where the registry says that the tenant is, looked at there and past row-level security. */
export const homeOf = async (stage: Stage, tenantId: string): Promise<Home> => {
  const { rows: places } = await stage.control.query<{ isolation: string; database: string | null; active: boolean }>(
    'SELECT isolation, database, active FROM placements WHERE tenant_id = $1',
    [tenantId],
  );
  const active = places.find((place) => place.active)!;
  const client = await stage.laptop.admin(active.database ?? 'pool');
  const hash = createHash('sha256');
  for (const table of await tenantTables(client)) {
    const { rows } = await client.query<{ row: string }>(
      `SELECT t::text AS row FROM ${client.escapeIdentifier(table)} t WHERE tenant_id = $1 ORDER BY 1`,
      [tenantId],
    );
    hash.update(`${table} ${rows.map(({ row }) => row).join('\n')}`);
  }
  const { rows } = await client.query<{ state: string }>('SELECT state FROM tenantry.tenants WHERE tenant_id = $1', [
    tenantId,
  ]);
  // A hundred tenants are looked at, and a server has two hundred connections.
  await client.end();
  return { isolation: active.isolation, places: places.length, rows: hash.digest('hex'), state: rows[0]!.state };
};

/** Whatever a fault left half done, one more operation brings to its end. */
export const clearUp = async (stage: Stage, tenantId: string): Promise<void> => {
  const { rows } = await stage.control.query<{ phase: string }>(
    'SELECT phase FROM moves WHERE tenant_id = $1 AND ended_at IS NULL',
    [tenantId],
  );
  if (!rows[0]) return;
  const action = ['planned', 'copying'].includes(rows[0].phase) ? 'abandon' : 'finish';
  const cleared = await stage.laptop.run('migrate-tenant', { tenantId, action });
  expect(cleared.status, `${action}: ${cleared.cause}`).toBe('SUCCEEDED');
};

/** Slots and subscriptions of its moves, wherever they are. */
export const channelsOf = async (stage: Stage, tenantId: string): Promise<unknown[]> => {
  const { rows } = await stage.control.query(
    `SELECT s.name FROM moves m, LATERAL (
       SELECT slot_name::text AS name FROM pg_replication_slots UNION ALL SELECT subname::text FROM pg_subscription) s
     WHERE m.tenant_id = $1 AND s.name LIKE '%' || right(m.id, 12) || '%'`,
    [tenantId],
  );
  return rows;
};
