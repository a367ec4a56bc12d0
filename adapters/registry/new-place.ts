import { createHash } from 'node:crypto';
import { sqlName } from '../../domain/names.ts';
import type { PlacementDecision } from '../../domain/placement.ts';
import type { Sql } from '../postgres/sql.ts';
import { type Cell, openCells } from './cells.ts';
import { type Clusters, openClusters } from './clusters.ts';
import type { Placement, TenantRequest } from './placements.ts';
import { openServers } from './servers.ts';

/** Deterministic, so that a repeat finds its own; the prefix of the secrets that only this place has. */
export const placementId = (operation: string, tenantId: string): string =>
  `p-${createHash('sha256').update(`${operation}/${tenantId}`).digest('hex').slice(0, 12)}`;

/** `tenantry/t/acme/p-3f2a1b...`: under it lie the logins of one place alone; the slash keeps acme and acme2 apart in IAM. */
export const placementSecrets = (tenantId: string, id: string): string => `tenantry/t/${tenantId}/${id}`;

export type Placed = PlacementDecision & { readonly kind: 'placed' };

/** The choice was made on numbers that others may change: it counts only if the place, once locked, still has room. */
export const hasRoom = async (sql: Sql, decision: Placed): Promise<boolean> => {
  const [cells, servers, clusters] = [openCells(sql), openServers(sql), openClusters(sql)];
  await cells.lock(decision.cell);
  if (decision.server !== undefined) await servers.lock(decision.server);
  if (decision.cluster !== undefined) await clusters.lock(decision.cluster);
  const cell = await cells.get(decision.cell);
  if (!cell?.open && !decision.rowsStay) return false;
  if (!(await hasRoomForApp(clusters, cell, decision))) return false;
  if (decision.rowsStay) return true;
  if (decision.isolation === 'server') return cell!.serversUsed < cell!.serverCapacity;
  const server = decision.server === undefined ? undefined : await servers.get(decision.server);
  const { used, capacity, open } =
    decision.isolation === 'database' ? (server ?? { used: 0, capacity: 0, open: false }) : cell!;
  return open && used < capacity;
};

const hasRoomForApp = async (
  clusters: Clusters,
  cell: Cell | undefined,
  { tier, cluster }: Placed,
): Promise<boolean> => {
  if (tier === 'shared') return true;
  if (cluster === undefined) return cell !== undefined && cell.clustersUsed < cell.clusterCapacity;
  const found = await clusters.get(cluster);
  return found !== undefined && (found.tenantId !== null || (found.open && found.used < found.capacity));
};

/** Names say whose it is; the end keeps two places of one tenant in one server or cluster apart. */
const nameEnd = (id: string): string => id.slice(2, 8);

/** Where the rows of the new place are: those of the active place, or a place of their own, its server noted. */
const rowsOf = async (
  sql: Sql,
  { tenantId }: TenantRequest,
  { cell, isolation, server, rowsStay }: Placed,
  id: string,
  current: Placement | undefined,
): Promise<{ server: string | null; database: string | null; secret: string | null }> => {
  if (rowsStay && current?.server)
    return { server: current.server.id, database: current.database, secret: current.appSecretId };
  if (isolation === 'pooled') return { server: null, database: null, secret: null };
  const secrets = placementSecrets(tenantId, id);
  const own = `tenantry-${tenantId}-${nameEnd(id)}`;
  if (isolation === 'server') await openServers(sql).reserve({ id: own, cell, tenantId, secretPrefix: secrets });
  return {
    server: isolation === 'server' ? own : server!,
    database: `${sqlName(tenantId)}_${nameEnd(id)}`,
    secret: `${secrets}/app`,
  };
};

/** Where the app of the new place runs, a cluster of its own noted. */
const appOf = async (
  sql: Sql,
  { tenantId }: TenantRequest,
  { cell, tier, cluster }: Placed,
  id: string,
): Promise<{ cluster: string | null; namespace: string | null }> => {
  if (tier === 'shared') return { cluster: null, namespace: null };
  const namespace = `t-${tenantId}-${nameEnd(id)}`;
  if (cluster !== undefined) return { cluster, namespace };
  const own = `tenantry-${tenantId}-${nameEnd(id)}`;
  const { region } = (await openCells(sql).get(cell))!;
  await openClusters(sql).reserve({ id: own, cell, tenantId, region });
  return { cluster: own, namespace };
};

/** Notes a new place of the tenant, its own server and cluster with it. `current` is the place that it has now. */
export const insertPlace = async (
  sql: Sql,
  request: TenantRequest,
  decision: Placed,
  { active, current }: { active: boolean; current: Placement | undefined },
): Promise<void> => {
  const { tenantId, operation } = request;
  const id = placementId(operation, tenantId);
  const rows = await rowsOf(sql, request, decision, id, current);
  const app = await appOf(sql, request, decision, id);
  await sql.query(
    `INSERT INTO placements (id, tenant_id, active, cell_id, tier, isolation, server_id, database, app_secret_id, cluster_id, namespace,
       placed_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING`,
    [
      id,
      tenantId,
      active,
      decision.cell,
      decision.tier,
      decision.isolation,
      rows.server,
      rows.database,
      rows.secret,
      app.cluster,
      app.namespace,
      operation,
    ],
  );
};
