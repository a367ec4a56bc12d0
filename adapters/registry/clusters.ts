import type { ClusterLoad } from '../../domain/placement.ts';
import type { Sql } from '../postgres/sql.ts';

/** An EKS cluster: shared by many tenants, who have namespaces in it, or one tenant's own. */
export interface Cluster extends ClusterLoad {
  /** Whose own it is; null when it is shared. */
  readonly tenantId: string | null;
  readonly region: string;
  /** CloudFormation stack of a tenant's own; null when it is shared. */
  readonly stack: string | null;
  /** What the stack tells once it stands: the network that a server of the tenant's own goes into. */
  readonly outputs: Readonly<Record<string, string>>;
}

export interface Clusters {
  get(id: string): Promise<Cluster | undefined>;
  list(filter?: { tenantId?: string | null }): Promise<Cluster[]>;
  /** Adds a shared cluster or changes its place and capacity; `open` stays as it is. */
  upsert(cluster: { id: string; cell: string; region: string; capacity: number }): Promise<void>;
  /** Waits for and holds the cluster's row until the transaction ends: placements into one cluster come one after another. */
  lock(id: string): Promise<void>;
  /** Notes one tenant's own cluster before CloudFormation is asked for it; a repeat changes nothing. */
  reserve(cluster: { id: string; cell: string; tenantId: string; region: string }): Promise<void>;
  noteOutputs(id: string, outputs: Readonly<Record<string, string>>): Promise<void>;
  /** Forgets one tenant's own cluster; shared ones stay. */
  remove(id: string): Promise<void>;
}

const select = `
  SELECT k.id, k.cell_id AS cell, k.tenant_id AS "tenantId", k.region, k.stack, k.outputs, k.capacity, k.open,
    (SELECT count(*)::integer FROM placements p WHERE p.cluster_id = k.id) AS used
  FROM clusters k`;

export const openClusters = (sql: Sql): Clusters => ({
  get: async (id) => (await sql.query<Cluster>(`${select} WHERE k.id = $1`, [id]))[0],
  list: ({ tenantId } = {}) => {
    if (tenantId === undefined) return sql.query<Cluster>(`${select} ORDER BY k.id`);
    return sql.query<Cluster>(`${select} WHERE k.tenant_id IS NOT DISTINCT FROM $1 ORDER BY k.id`, [tenantId]);
  },
  upsert: async ({ id, cell, region, capacity }) => {
    await sql.query(
      `INSERT INTO clusters (id, cell_id, region, capacity) VALUES ($1, $2, $3, $4)
       ON CONFLICT (id) DO UPDATE SET cell_id = excluded.cell_id, region = excluded.region, capacity = excluded.capacity,
         updated_at = now()`,
      [id, cell, region, capacity],
    );
  },
  lock: async (id) => {
    await sql.query('SELECT FROM clusters WHERE id = $1 FOR UPDATE', [id]);
  },
  reserve: async ({ id, cell, tenantId, region }) => {
    // The stack has the cluster's name: who sees one in the console finds the other.
    await sql.query(
      `INSERT INTO clusters (id, cell_id, tenant_id, region, stack, capacity) VALUES ($1, $2, $3, $4, $1, 2)
       ON CONFLICT (id) DO NOTHING`,
      [id, cell, tenantId, region],
    );
  },
  noteOutputs: async (id, outputs) => {
    await sql.query('UPDATE clusters SET outputs = $2, updated_at = now() WHERE id = $1', [
      id,
      JSON.stringify(outputs),
    ]);
  },
  remove: async (id) => {
    await sql.query('DELETE FROM clusters WHERE id = $1 AND tenant_id IS NOT NULL', [id]);
  },
});
