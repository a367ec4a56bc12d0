import { StepFailure } from '../../domain/errors.ts';
import { type Isolation, type PlacementRequest, placeTenant, type Tier } from '../../domain/placement.ts';
import type { DatabasePlace } from '../postgres/connection.ts';
import type { Sql } from '../postgres/sql.ts';
import { type Cell, openCells } from './cells.ts';
import { type Cluster, openClusters } from './clusters.ts';
import { hasRoom, insertPlace, type Placed, placementId } from './new-place.ts';
import { openServers, type Server } from './servers.ts';

/** Where a cell, a server or a cluster is; how much of it is taken is counted where a place is chosen. */
type CellPlace = Omit<Cell, 'used' | 'serversUsed' | 'clustersUsed'>;
type ServerPlace = Omit<Server, 'used'>;
type ClusterPlace = Omit<Cluster, 'used'>;

export interface Placement {
  readonly id: string;
  readonly tenantId: string;
  /** False for the place that a move prepares, and for the one that it left and keeps for its way back. */
  readonly active: boolean;
  readonly tier: Tier;
  readonly isolation: Isolation;
  readonly cell: CellPlace;
  /** Server of a database of its own; undefined in the pool. */
  readonly server: ServerPlace | undefined;
  /** Its name on that server, or that of the pool. */
  readonly database: string;
  /** Login of the app. */
  readonly appSecretId: string;
  /** Where the tenant's own app runs; undefined for tier `shared`. */
  readonly cluster: ClusterPlace | undefined;
  /** Of the own app in that cluster: `t-acme-3f2a1b`, so that two places of one tenant fit into one cluster. */
  readonly namespace: string | undefined;
  readonly placedBy: string;
  readonly placedAt: Date;
}

export type TenantRequest = PlacementRequest & { readonly tenantId: string; readonly operation: string };

/** Places of tenants. The region that a tenant's data must not leave counts in every choice for that tenant. */
export interface Placements {
  /** Gives the tenant its active place and takes one of the capacity; a repeat answers the same. Throws NoCapacity. */
  place(request: TenantRequest): Promise<Placement>;
  /** Gives the tenant one more place, not active: where a move goes. A repeat by the operation answers the same. Throws NoCapacity. */
  reserve(request: TenantRequest): Promise<Placement>;
  /** What `reserve` would decide now; takes nothing. Throws NoCapacity. */
  choose(request: PlacementRequest & { readonly tenantId?: string }): Promise<Placed>;
  /** The active place, or the one with that id. */
  get(tenantId: string, id?: string): Promise<Placement | undefined>;
  /** Like `get`; throws TenantNotReady when the tenant has no such place. */
  require(tenantId: string, id?: string): Promise<Placement>;
  /** Every place that the tenant has, the active one first. */
  all(tenantId: string): Promise<Placement[]>;
  /** What of a place another place of the tenant uses too: it outlives this one. */
  sharedParts(placement: Placement): Promise<{ readonly rows: boolean; readonly cluster: boolean }>;
  /** Makes one place of the tenant the active one, which routes follow at once. */
  activate(tenantId: string, id: string): Promise<void>;
  /** Gives one place back, or all of the tenant; servers and clusters of its own that no place uses are forgotten with them. */
  release(tenantId: string, id?: string): Promise<void>;
  /** The database behind a name of `sharedDatabase`. */
  database(name: string): Promise<{ readonly place: DatabasePlace; readonly isolation: Isolation } | undefined>;
  /** Names of the tenants' own databases on a server. */
  databasesOn(serverId: string): Promise<string[]>;
  /** Ids of the tenants whose rows are in a cell's pool. */
  tenantsOf(cellId: string): Promise<string[]>;
}

interface Row extends Omit<Placement, 'server' | 'database' | 'appSecretId' | 'cluster' | 'namespace'> {
  readonly server: ServerPlace | null;
  readonly cluster: ClusterPlace | null;
  readonly namespace: string | null;
  readonly ownDatabase: string | null;
  readonly ownSecretId: string | null;
}

/** Where the rows are; throws ServerNotReady while the tenant's own server is being made. */
export const rowsAt = ({ cell, server, database, tenantId }: Placement): DatabasePlace => {
  if (!server) return cell;
  const { host, port, secretPrefix } = server;
  if (host === null || port === null)
    throw new StepFailure(
      'ServerNotReady',
      `server ${server.id} of tenant ${tenantId} has no address yet; wait for it`,
    );
  return { host, port, database, secretPrefix };
};

/** One name for all tenants whose rows are in one database, which one snapshot can serve: the cell of a pool, else the place itself. */
export const sharedDatabase = ({ id, isolation, cell }: Placement): string => (isolation === 'pooled' ? cell.id : id);

const select = `SELECT p.id, p.tenant_id AS "tenantId", p.active, p.tier, p.isolation,
    json_build_object('id', c.id, 'region', c.region, 'host', c.host, 'port', c.port, 'database', c.database,
      'secretPrefix', c.secret_prefix, 'capacity', c.capacity, 'open', c.open, 'serverCapacity', c.server_capacity,
      'clusterCapacity', c.cluster_capacity) AS cell,
    CASE WHEN s.id IS NOT NULL THEN json_build_object('id', s.id, 'cell', s.cell_id, 'tenantId', s.tenant_id, 'host', s.host,
      'port', s.port, 'secretPrefix', s.secret_prefix, 'capacity', s.capacity, 'open', s.open) END AS server,
    CASE WHEN k.id IS NOT NULL THEN json_build_object('id', k.id, 'cell', k.cell_id, 'tenantId', k.tenant_id, 'region', k.region,
      'stack', k.stack, 'outputs', k.outputs, 'capacity', k.capacity, 'open', k.open) END AS cluster, p.namespace,
    p.database AS "ownDatabase", p.app_secret_id AS "ownSecretId", p.placed_by AS "placedBy", p.placed_at AS "placedAt"
  FROM placements p JOIN cells c ON c.id = p.cell_id LEFT JOIN servers s ON s.id = p.server_id
    LEFT JOIN clusters k ON k.id = p.cluster_id`;

/** `condition` names the placement `p`. */
const find = async (sql: Sql, condition: string, values: readonly string[]): Promise<Placement[]> => {
  const rows = await sql.query<Row>(`${select} WHERE ${condition} ORDER BY p.active DESC, p.placed_at, p.id`, values);
  return rows.map(({ server, cluster, namespace, ownDatabase, ownSecretId, ...row }) => ({
    ...row,
    server: server ?? undefined,
    cluster: cluster ?? undefined,
    namespace: namespace ?? undefined,
    database: ownDatabase ?? row.cell.database,
    appSecretId: ownSecretId ?? `${row.cell.secretPrefix}/app`,
  }));
};

export const openPlacements = (sql: Sql): Placements => {
  const get = async (tenantId: string, id?: string, within: Sql = sql): Promise<Placement | undefined> => {
    if (id === undefined) return (await find(within, 'p.tenant_id = $1 AND p.active', [tenantId]))[0];
    return (await find(within, 'p.tenant_id = $1 AND p.id = $2', [tenantId, id]))[0];
  };
  const residencyOf = async (within: Sql, tenantId: string | undefined): Promise<string | undefined> => {
    if (tenantId === undefined) return undefined;
    const text = 'SELECT residency FROM tenants WHERE id = $1';
    return (await within.query<{ residency: string | null }>(text, [tenantId]))[0]?.residency ?? undefined;
  };
  const choose = async (
    request: PlacementRequest & { readonly tenantId?: string },
    within: Sql = sql,
  ): Promise<Placed> => {
    const residency = request.residency ?? (await residencyOf(within, request.tenantId));
    const decision = placeTenant(
      { ...request, residency },
      await openCells(within).list(),
      await openServers(within).list({ tenantId: null }),
      await openClusters(within).list({ tenantId: null }),
    );
    if (decision.kind === 'no-capacity') throw new StepFailure('NoCapacity', decision.reason);
    return decision;
  };
  const tryPlace = async (within: Sql, request: TenantRequest, active: boolean): Promise<Placement | undefined> => {
    const wanted = active ? undefined : placementId(request.operation, request.tenantId);
    const known = await get(request.tenantId, wanted, within);
    if (known) return known;
    const decision = await choose(request, within);
    if (!(await hasRoom(within, decision))) return undefined;
    await insertPlace(within, request, decision, { active, current: await get(request.tenantId, undefined, within) });
    return get(request.tenantId, wanted, within);
  };
  const placeAs = async (request: TenantRequest, active: boolean): Promise<Placement> => {
    for (;;) {
      // Every lost race means that somebody took a place, so the loop ends with a place or with NoCapacity.
      const placed = await sql.transaction((within) => tryPlace(within, request, active));
      if (placed) return placed;
    }
  };
  return {
    place: (request) => placeAs(request, true),
    reserve: (request) => placeAs(request, false),
    choose: (request) => choose(request),
    get: (tenantId, id) => get(tenantId, id),
    require: async (tenantId, id) => {
      const placement = await get(tenantId, id);
      if (placement) return placement;
      const what = id === undefined ? 'no placement; provision it first' : `no placement ${id}; its move has ended`;
      throw new StepFailure('TenantNotReady', `tenant ${tenantId} has ${what}`);
    },
    all: (tenantId) => find(sql, 'p.tenant_id = $1', [tenantId]),
    sharedParts: async ({ id, tenantId, cell, isolation, database, server, cluster }) => {
      const others = (await find(sql, 'p.tenant_id = $1', [tenantId])).filter((other) => other.id !== id);
      return {
        rows: others.some(
          (other) =>
            other.isolation === isolation &&
            other.cell.id === cell.id &&
            other.server?.id === server?.id &&
            other.database === database,
        ),
        cluster: cluster !== undefined && others.some((other) => other.cluster?.id === cluster.id),
      };
    },
    activate: (tenantId, id) =>
      sql.transaction(async (within) => {
        // The unique index allows one active place at every moment, so the old one steps down first.
        await within.query('UPDATE placements SET active = false WHERE tenant_id = $1 AND active AND id <> $2', [
          tenantId,
          id,
        ]);
        await within.query('UPDATE placements SET active = true WHERE tenant_id = $1 AND id = $2', [tenantId, id]);
        await within.query(
          `UPDATE tenants t SET tier = p.tier, isolation = p.isolation, updated_at = now() FROM placements p
           WHERE t.id = $1 AND p.id = $2 AND p.tenant_id = t.id`,
          [tenantId, id],
        );
      }),
    release: async (tenantId, id) => {
      await sql.query('DELETE FROM placements WHERE tenant_id = $1 AND ($2::text IS NULL OR id = $2)', [
        tenantId,
        id ?? null,
      ]);
      await sql.query(
        `DELETE FROM servers s WHERE s.tenant_id = $1 AND NOT EXISTS (SELECT FROM placements p WHERE p.server_id = s.id)`,
        [tenantId],
      );
      await sql.query(
        `DELETE FROM clusters k WHERE k.tenant_id = $1 AND NOT EXISTS (SELECT FROM placements p WHERE p.cluster_id = k.id)`,
        [tenantId],
      );
    },
    database: async (name) => {
      const cell = await openCells(sql).get(name);
      if (cell) return { place: cell, isolation: 'pooled' };
      const [own] = await find(sql, 'p.id = $1', [name]);
      return own && { place: rowsAt(own), isolation: own.isolation };
    },
    databasesOn: async (serverId) =>
      (
        await sql.query<{ name: string }>(
          'SELECT database AS name FROM placements WHERE server_id = $1 ORDER BY database',
          [serverId],
        )
      ).map(({ name }) => name),
    tenantsOf: async (cellId) =>
      (
        await sql.query<{ id: string }>(
          `SELECT tenant_id AS id FROM placements WHERE cell_id = $1 AND isolation = 'pooled' AND active ORDER BY tenant_id`,
          [cellId],
        )
      ).map(({ id }) => id),
  };
};
