import type { CellLoad } from '../../domain/placement.ts';
import type { DatabasePlace } from '../postgres/connection.ts';
import type { Sql } from '../postgres/sql.ts';

/** A shared database server with clusters beside it, and a capacity; it is a DatabasePlace, so `databases.connect` takes it. */
export type Cell = CellLoad & DatabasePlace;

export type CellDefinition = Omit<
  Cell,
  'used' | 'open' | 'serversUsed' | 'serverCapacity' | 'clustersUsed' | 'clusterCapacity'
> & {
  /** Servers of single tenants, 40 unless told. */
  readonly serverCapacity?: number | undefined;
  /** Databases of single tenants on the cell's own server, 500 unless told. */
  readonly databaseCapacity?: number | undefined;
  /** Clusters of single tenants, 20 unless told. */
  readonly clusterCapacity?: number | undefined;
};

export interface Cells {
  get(id: string): Promise<Cell | undefined>;
  list(): Promise<Cell[]>;
  /** Adds a cell or changes its place and capacity; `open` stays as it is. Its server takes databases of single tenants too. */
  upsert(cell: CellDefinition): Promise<void>;
  /** Waits for and holds the cell's row until the transaction ends: placements into one cell come one after another. */
  lock(id: string): Promise<void>;
}

const select = `
  SELECT c.id, c.region, c.host, c.port, c.database, c.secret_prefix AS "secretPrefix", c.capacity, c.open,
    c.server_capacity AS "serverCapacity", c.cluster_capacity AS "clusterCapacity",
    (SELECT count(*)::integer FROM placements p WHERE p.cell_id = c.id AND p.isolation = 'pooled') AS used,
    (SELECT count(*)::integer FROM servers s WHERE s.cell_id = c.id AND s.tenant_id IS NOT NULL) AS "serversUsed",
    (SELECT count(*)::integer FROM clusters k WHERE k.cell_id = c.id AND k.tenant_id IS NOT NULL) AS "clustersUsed"
  FROM cells c`;

export const openCells = (sql: Sql): Cells => ({
  get: async (id) => (await sql.query<Cell>(`${select} WHERE c.id = $1`, [id]))[0],
  list: () => sql.query<Cell>(`${select} ORDER BY c.id`),
  upsert: async (cell) => {
    await sql.query(
      `WITH cell AS (
         INSERT INTO cells (id, region, host, port, database, secret_prefix, capacity, server_capacity, cluster_capacity)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $10)
         ON CONFLICT (id) DO UPDATE SET region = excluded.region, host = excluded.host, port = excluded.port,
           database = excluded.database, secret_prefix = excluded.secret_prefix, capacity = excluded.capacity,
           server_capacity = excluded.server_capacity, cluster_capacity = excluded.cluster_capacity, updated_at = now()
         RETURNING id, host, port, secret_prefix)
       INSERT INTO servers (id, cell_id, host, port, secret_prefix, capacity)
       SELECT id, id, host, port, secret_prefix, $9 FROM cell
       ON CONFLICT (id) DO UPDATE SET host = excluded.host, port = excluded.port, secret_prefix = excluded.secret_prefix,
         capacity = excluded.capacity, updated_at = now()`,
      [
        cell.id,
        cell.region,
        cell.host,
        cell.port,
        cell.database,
        cell.secretPrefix,
        cell.capacity,
        cell.serverCapacity ?? 40,
        cell.databaseCapacity ?? 500,
        cell.clusterCapacity ?? 20,
      ],
    );
  },
  lock: async (id) => {
    await sql.query('SELECT FROM cells WHERE id = $1 FOR UPDATE', [id]);
  },
});
