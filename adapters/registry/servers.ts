import type { ServerLoad } from '../../domain/placement.ts';
import type { Sql } from '../postgres/sql.ts';

/** A PostgreSQL server that holds databases of single tenants: shared by many of them, or one tenant's own. */
export interface Server extends ServerLoad {
  /** Whose own it is; null when it is shared. */
  readonly tenantId: string | null;
  /** Null until RDS has told where it listens. */
  readonly host: string | null;
  readonly port: number | null;
  /** Its logins are kept as `<secretPrefix>/<role>`. */
  readonly secretPrefix: string;
}

export interface Servers {
  get(id: string): Promise<Server | undefined>;
  list(filter?: { tenantId?: string | null }): Promise<Server[]>;
  /** Adds a shared server or changes its place and capacity; `open` stays as it is. */
  upsert(server: Omit<Server, 'used' | 'open' | 'tenantId'> & { host: string; port: number }): Promise<void>;
  /** Waits for and holds the server's row until the transaction ends: placements on one server come one after another. */
  lock(id: string): Promise<void>;
  /** Notes one tenant's own server before RDS is asked for it; a repeat changes nothing. */
  reserve(server: { id: string; cell: string; tenantId: string; secretPrefix: string }): Promise<void>;
  noteAddress(id: string, address: { host: string; port: number }): Promise<void>;
  /** Forgets one tenant's own server; shared ones stay. */
  remove(id: string): Promise<void>;
}

const select = `
  SELECT s.id, s.cell_id AS cell, s.tenant_id AS "tenantId", s.host, s.port, s.secret_prefix AS "secretPrefix", s.capacity, s.open,
    (SELECT count(*)::integer FROM placements p WHERE p.server_id = s.id) AS used
  FROM servers s`;

export const openServers = (sql: Sql): Servers => ({
  get: async (id) => (await sql.query<Server>(`${select} WHERE s.id = $1`, [id]))[0],
  list: ({ tenantId } = {}) => {
    if (tenantId === undefined) return sql.query<Server>(`${select} ORDER BY s.id`);
    return sql.query<Server>(`${select} WHERE s.tenant_id IS NOT DISTINCT FROM $1 ORDER BY s.id`, [tenantId]);
  },
  upsert: async ({ id, cell, host, port, secretPrefix, capacity }) => {
    await sql.query(
      `INSERT INTO servers (id, cell_id, host, port, secret_prefix, capacity) VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (id) DO UPDATE SET cell_id = excluded.cell_id, host = excluded.host, port = excluded.port,
         secret_prefix = excluded.secret_prefix, capacity = excluded.capacity, updated_at = now()`,
      [id, cell, host, port, secretPrefix, capacity],
    );
  },
  lock: async (id) => {
    await sql.query('SELECT FROM servers WHERE id = $1 FOR UPDATE', [id]);
  },
  reserve: async ({ id, cell, tenantId, secretPrefix }) => {
    await sql.query(
      `INSERT INTO servers (id, cell_id, tenant_id, secret_prefix, capacity) VALUES ($1, $2, $3, $4, 1) ON CONFLICT (id) DO NOTHING`,
      [id, cell, tenantId, secretPrefix],
    );
  },
  noteAddress: async (id, { host, port }) => {
    await sql.query('UPDATE servers SET host = $2, port = $3, updated_at = now() WHERE id = $1', [id, host, port]);
  },
  remove: async (id) => {
    await sql.query('DELETE FROM servers WHERE id = $1 AND tenant_id IS NOT NULL', [id]);
  },
});
