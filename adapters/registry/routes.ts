import type { Sql } from '../postgres/sql.ts';

export interface Route {
  readonly host: string;
  readonly tenantId: string;
  readonly kind: 'subdomain' | 'custom';
  /** `off`: the host is known and answers 503. */
  readonly state: 'on' | 'off';
}

export interface Routes {
  /** Adds or changes the route of a host. A host of another tenant is left alone and answers false. */
  set(route: Route): Promise<boolean>;
  /** Turns all hosts of a tenant off, or on: a custom domain only when it is proved. */
  turn(tenantId: string, state: Route['state']): Promise<void>;
  of(tenantId: string): Promise<Route[]>;
  remove(tenantId: string): Promise<void>;
  /** Forgets one host of the tenant. */
  drop(tenantId: string, host: string): Promise<void>;
  /** URL pattern of tenants, `{tenant}` is the id: kept by set-up, `http://{tenant}.localhost` until then. */
  pattern(): Promise<string>;
  setPattern(pattern: string): Promise<void>;
}

export const openRoutes = (sql: Sql): Routes => ({
  set: async ({ host, tenantId, kind, state }) =>
    (
      await sql.query(
        `INSERT INTO routes AS route (host, tenant_id, kind, state) VALUES ($1, $2, $3, $4)
         ON CONFLICT (host) DO UPDATE SET kind = excluded.kind, state = excluded.state, updated_at = now()
         WHERE route.tenant_id = excluded.tenant_id RETURNING host`,
        [host, tenantId, kind, state],
      )
    ).length > 0,
  turn: async (tenantId, state) => {
    await sql.query(
      `UPDATE routes SET state = $2, updated_at = now() WHERE tenant_id = $1 AND ($2 = 'off' OR kind = 'subdomain' OR EXISTS (
         SELECT FROM domains d WHERE d.tenant_id = $1 AND d.domain = host AND d.proved_at IS NOT NULL))`,
      [tenantId, state],
    );
  },
  of: (tenantId) =>
    sql.query<Route>(
      `SELECT host, tenant_id AS "tenantId", kind, state FROM routes WHERE tenant_id = $1 ORDER BY kind DESC, host`,
      [tenantId],
    ),
  remove: async (tenantId) => {
    await sql.query('DELETE FROM routes WHERE tenant_id = $1', [tenantId]);
  },
  drop: async (tenantId, host) => {
    await sql.query('DELETE FROM routes WHERE tenant_id = $1 AND host = $2', [tenantId, host]);
  },
  pattern: async () => {
    const [row] = await sql.query<{ value: string }>(`SELECT value FROM settings WHERE name = 'tenant-url'`);
    return row?.value ?? 'http://{tenant}.localhost';
  },
  setPattern: async (pattern) => {
    await sql.query(
      `INSERT INTO settings (name, value) VALUES ('tenant-url', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
      [JSON.stringify(pattern)],
    );
  },
});
