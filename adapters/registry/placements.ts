import { createHash } from 'node:crypto';
import { StepFailure } from '../../domain/errors.ts';
import { sqlName } from '../../domain/names.ts';
import {
  type Isolation,
  type PlacementDecision,
  type PlacementRequest,
  placeTenant,
  type Tier,
} from '../../domain/placement.ts';
import type { DatabasePlace } from '../postgres/connection.ts';
import type { Sql } from '../postgres/sql.ts';
import { type Cell, openCells } from './cells.ts';
import { openServers, type Server } from './servers.ts';

/** Where a cell or a server is; how much of it is taken is counted where a place is chosen. */
type CellPlace = Omit<Cell, 'used' | 'serversUsed'>;
type ServerPlace = Omit<Server, 'used'>;

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
  readonly placedBy: string;
  readonly placedAt: Date;
}

type TenantRequest = PlacementRequest & { readonly tenantId: string; readonly operation: string };

export interface Placements {
  /** Gives the tenant its active place and takes one of the capacity; a repeat answers the same. Throws NoCapacity. */
  place(request: TenantRequest): Promise<Placement>;
  /** Gives the tenant one more place, not active: where a move goes. A repeat by the operation answers the same. Throws NoCapacity. */
  reserve(request: TenantRequest): Promise<Placement>;
  /** What `reserve` would decide now; takes nothing. Throws NoCapacity. */
  choose(request: PlacementRequest): Promise<PlacementDecision & { readonly kind: 'placed' }>;
  /** The active place, or the one with that id. */
  get(tenantId: string, id?: string): Promise<Placement | undefined>;
  /** Like `get`; throws TenantNotReady when the tenant has no such place. */
  require(tenantId: string, id?: string): Promise<Placement>;
  /** Every place that the tenant has, the active one first. */
  all(tenantId: string): Promise<Placement[]>;
  /** Makes one place of the tenant the active one, which routes follow at once. */
  activate(tenantId: string, id: string): Promise<void>;
  /** Gives one place back, or all of the tenant; servers of its own that no place uses are forgotten with them. */
  release(tenantId: string, id?: string): Promise<void>;
  /** The database behind a name of `sharedDatabase`. */
  database(name: string): Promise<{ readonly place: DatabasePlace; readonly isolation: Isolation } | undefined>;
  /** Names of the tenants' own databases on a server. */
  databasesOn(serverId: string): Promise<string[]>;
  /** Ids of the tenants whose rows are in a cell's pool. */
  tenantsOf(cellId: string): Promise<string[]>;
}

interface Row extends Omit<Placement, 'server' | 'database' | 'appSecretId'> {
  readonly server: ServerPlace | null;
  readonly ownDatabase: string | null;
  readonly ownSecretId: string | null;
}

/** Deterministic, so that a repeat finds its own; the prefix of the secrets that only this place has. */
const placementId = (operation: string, tenantId: string): string =>
  `p-${createHash('sha256').update(`${operation}/${tenantId}`).digest('hex').slice(0, 12)}`;

/** `tenantry/t/acme/p-3f2a1b...`: under it lie the logins of one place alone; the slash keeps acme and acme2 apart in IAM. */
export const placementSecrets = (tenantId: string, id: string): string => `tenantry/t/${tenantId}/${id}`;

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
      'secretPrefix', c.secret_prefix, 'capacity', c.capacity, 'open', c.open, 'serverCapacity', c.server_capacity) AS cell,
    CASE WHEN s.id IS NOT NULL THEN json_build_object('id', s.id, 'cell', s.cell_id, 'tenantId', s.tenant_id, 'host', s.host,
      'port', s.port, 'secretPrefix', s.secret_prefix, 'capacity', s.capacity, 'open', s.open) END AS server,
    p.database AS "ownDatabase", p.app_secret_id AS "ownSecretId", p.placed_by AS "placedBy", p.placed_at AS "placedAt"
  FROM placements p JOIN cells c ON c.id = p.cell_id LEFT JOIN servers s ON s.id = p.server_id`;

/** `condition` names the placement `p`. */
const find = async (sql: Sql, condition: string, values: readonly string[]): Promise<Placement[]> => {
  const rows = await sql.query<Row>(`${select} WHERE ${condition} ORDER BY p.active DESC, p.placed_at, p.id`, values);
  return rows.map(({ server, ownDatabase, ownSecretId, ...row }) => ({
    ...row,
    server: server ?? undefined,
    database: ownDatabase ?? row.cell.database,
    appSecretId: ownSecretId ?? `${row.cell.secretPrefix}/app`,
  }));
};

/** The choice was made on numbers that others may change: it counts only if the place, once locked, still has room. */
const hasRoom = async (sql: Sql, decision: PlacementDecision & { kind: 'placed' }): Promise<boolean> => {
  const [cells, servers] = [openCells(sql), openServers(sql)];
  await cells.lock(decision.cell);
  if (decision.server !== undefined) await servers.lock(decision.server);
  const cell = await cells.get(decision.cell);
  const server = decision.server === undefined ? undefined : await servers.get(decision.server);
  if (!cell?.open) return false;
  if (decision.isolation === 'server') return cell.serversUsed < cell.serverCapacity;
  const { used, capacity, open } =
    decision.isolation === 'database' ? (server ?? { used: 0, capacity: 0, open: false }) : cell;
  return open && used < capacity;
};

/** The name says whose it is; the end keeps two places of one tenant on one server apart. */
const databaseName = (tenantId: string, id: string): string => `${sqlName(tenantId)}_${id.slice(2, 8)}`;

const insert = async (
  sql: Sql,
  { tenantId, operation }: TenantRequest,
  { cell, tier, isolation, server }: PlacementDecision & { kind: 'placed' },
  active: boolean,
): Promise<void> => {
  const id = placementId(operation, tenantId);
  const secrets = placementSecrets(tenantId, id);
  const own = isolation !== 'pooled';
  const serverId = isolation === 'server' ? `tenantry-${tenantId}-${id.slice(2, 8)}` : (server ?? null);
  if (isolation === 'server') await openServers(sql).reserve({ id: serverId!, cell, tenantId, secretPrefix: secrets });
  await sql.query(
    `INSERT INTO placements (id, tenant_id, active, cell_id, tier, isolation, server_id, database, app_secret_id, placed_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`,
    [
      id,
      tenantId,
      active,
      cell,
      tier,
      isolation,
      own ? serverId : null,
      own ? databaseName(tenantId, id) : null,
      own ? `${secrets}/app` : null,
      operation,
    ],
  );
};

export const openPlacements = (sql: Sql): Placements => {
  const get = async (tenantId: string, id?: string, within: Sql = sql): Promise<Placement | undefined> => {
    if (id === undefined) return (await find(within, 'p.tenant_id = $1 AND p.active', [tenantId]))[0];
    return (await find(within, 'p.tenant_id = $1 AND p.id = $2', [tenantId, id]))[0];
  };
  const choose = async (
    request: PlacementRequest,
    within: Sql = sql,
  ): Promise<PlacementDecision & { kind: 'placed' }> => {
    const decision = placeTenant(
      request,
      await openCells(within).list(),
      await openServers(within).list({ tenantId: null }),
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
    await insert(within, request, decision, active);
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
