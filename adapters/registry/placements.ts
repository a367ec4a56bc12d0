import { StepFailure } from '../../domain/errors.ts';
import { type Isolation, type PlacementRequest, placeTenant, type Tier } from '../../domain/placement.ts';
import type { Sql } from '../postgres/sql.ts';
import { type Cell, openCells } from './cells.ts';

export interface Placement {
  readonly tenantId: string;
  readonly cell: Cell;
  readonly tier: Tier;
  readonly isolation: Isolation;
  readonly placedAt: Date;
}

export interface Placements {
  /** Gives the tenant a place in a cell and takes one of its capacity; a repeat answers the same. Throws NoCapacity. */
  place(request: PlacementRequest & { tenantId: string; operation: string }): Promise<Placement>;
  get(tenantId: string): Promise<Placement | undefined>;
  /** Like `get`; throws TenantNotReady when the tenant has no place. */
  require(tenantId: string): Promise<Placement>;
  /** Gives the place back. */
  release(tenantId: string): Promise<void>;
  /** Ids of the tenants in a cell. */
  tenantsOf(cellId: string): Promise<string[]>;
}

type Row = Omit<Placement, 'cell'> & { readonly cellId: string };

export const openPlacements = (sql: Sql): Placements => {
  const get = async (tenantId: string, within: Sql = sql): Promise<Placement | undefined> => {
    const [row] = await within.query<Row>(
      `SELECT tenant_id AS "tenantId", cell_id AS "cellId", tier, isolation, placed_at AS "placedAt"
       FROM placements WHERE tenant_id = $1`,
      [tenantId],
    );
    const cell = row && (await openCells(within).get(row.cellId));
    return row && cell && { tenantId, cell, tier: row.tier, isolation: row.isolation, placedAt: row.placedAt };
  };
  const tryPlace = async (
    within: Sql,
    { tenantId, operation, ...request }: PlacementRequest & { tenantId: string; operation: string },
  ): Promise<Placement | undefined> => {
    const known = await get(tenantId, within);
    if (known) return known;
    const cells = openCells(within);
    const decision = placeTenant(request, await cells.list());
    if (decision.kind === 'no-capacity') throw new StepFailure('NoCapacity', decision.reason);
    // The choice was made on numbers that others may change: it counts only if the cell, once locked, still has a place.
    await cells.lock(decision.cell);
    const cell = await cells.get(decision.cell);
    if (!cell?.open || cell.used >= cell.capacity) return undefined;
    await within.query(
      `INSERT INTO placements (tenant_id, cell_id, tier, isolation, placed_by) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (tenant_id) DO NOTHING`,
      [tenantId, cell.id, decision.tier, decision.isolation, operation],
    );
    return get(tenantId, within);
  };
  return {
    place: async (request) => {
      for (;;) {
        // Every lost race means that somebody took a place, so the loop ends with a place or with NoCapacity.
        const placed = await sql.transaction((within) => tryPlace(within, request));
        if (placed) return placed;
      }
    },
    get: (tenantId) => get(tenantId),
    require: async (tenantId) => {
      const placement = await get(tenantId);
      if (!placement)
        throw new StepFailure('TenantNotReady', `tenant ${tenantId} has no placement; provision it first`);
      return placement;
    },
    release: async (tenantId) => {
      await sql.query('DELETE FROM placements WHERE tenant_id = $1', [tenantId]);
    },
    tenantsOf: async (cellId) =>
      (
        await sql.query<{ id: string }>(
          'SELECT tenant_id AS id FROM placements WHERE cell_id = $1 ORDER BY tenant_id',
          [cellId],
        )
      ).map(({ id }) => id),
  };
};
