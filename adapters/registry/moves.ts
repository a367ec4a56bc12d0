import { createHash } from 'node:crypto';
import { StepFailure } from '../../domain/errors.ts';
import type { Finding, MoveEstimate } from '../../domain/move.ts';
import type { MoveEnd } from '../../domain/move-end.ts';
import type { Sql } from '../postgres/sql.ts';
import type { Placement } from './placements.ts';

/**
 * Where the record of a move stands. `switched`: the tenant is at its new place and the way back is open. `returned`: it was
 * moved back, the clearing up is still to come. The last three are final; `previewed` is a dry run.
 */
export type MoveStage = 'planned' | 'copying' | 'switched' | 'returned' | 'finished' | 'abandoned' | 'previewed';

export interface MoveRecord {
  readonly id: string;
  readonly tenantId: string;
  /** The operation that planned it. */
  readonly operationId: string;
  readonly sourcePlacement: string;
  readonly targetPlacement: string | null;
  readonly source: MoveEnd;
  readonly target: MoveEnd;
  /** `switch`: only the app goes elsewhere. */
  readonly mode: 'live' | 'freeze' | 'switch';
  readonly phase: MoveStage;
  readonly dryRun: boolean;
  readonly preflight: readonly Finding[];
  readonly estimate: MoveEstimate;
  /** How far the copy was when it was last looked at. */
  readonly copy: unknown;
  /** Milliseconds of each part of the cut-over. */
  readonly cutOver: unknown;
  readonly verification: unknown;
  readonly wayBack: unknown;
  readonly windowSeconds: number;
  /** Until then the move can be taken back; null before the switch. */
  readonly windowUntil: Date | null;
  readonly reason: string | null;
  readonly requestedBy: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly endedAt: Date | null;
}

export type PlannedMove = Pick<
  MoveRecord,
  | 'tenantId'
  | 'operationId'
  | 'sourcePlacement'
  | 'targetPlacement'
  | 'source'
  | 'target'
  | 'mode'
  | 'preflight'
  | 'estimate'
  | 'windowSeconds'
> & { readonly dryRun: boolean; readonly reason?: string | undefined; readonly requestedBy?: string | undefined };

export type MoveNotes = Partial<
  Pick<MoveRecord, 'phase' | 'mode' | 'preflight' | 'copy' | 'cutOver' | 'verification' | 'wayBack' | 'windowUntil'>
>;

export interface Moves {
  /** Notes the move; a repeat by the same operation answers the same. Throws MoveRefused while another move of the tenant is open. */
  plan(move: PlannedMove): Promise<MoveRecord>;
  get(id: string): Promise<MoveRecord | undefined>;
  /** Like `get`; throws MoveNotFound. */
  require(id: string): Promise<MoveRecord>;
  ofOperation(operationId: string): Promise<MoveRecord | undefined>;
  /** The move of a tenant that is not over, its window included. */
  openOf(tenantId: string): Promise<MoveRecord | undefined>;
  /** Newest first. */
  list(filter: { tenantId?: string | undefined; open?: boolean | undefined; limit: number }): Promise<MoveRecord[]>;
  /** Adds to what is known; null and undefined leave a note as it is. */
  note(id: string, notes: MoveNotes): Promise<MoveRecord>;
  /** Ends the record; a repeat changes nothing. */
  end(id: string, phase: 'finished' | 'abandoned'): Promise<MoveRecord>;
}

/** Deterministic, so that a repeat of the plan finds its own move. */
export const moveIdOf = (operation: string): string =>
  `m-${createHash('sha256').update(`${operation}/move`).digest('hex').slice(0, 12)}`;

export const endOf = (placement: Placement): MoveEnd => ({
  tier: placement.tier,
  cluster: placement.cluster?.id ?? null,
  isolation: placement.isolation,
  cell: placement.cell.id,
  server: placement.server?.id ?? null,
  database: placement.database,
});

const columns = `id, tenant_id AS "tenantId", operation_id AS "operationId", source_placement AS "sourcePlacement",
  target_placement AS "targetPlacement", source, target, mode, phase, dry_run AS "dryRun", preflight, estimate, copy,
  cut_over AS "cutOver", verification, way_back AS "wayBack", window_seconds AS "windowSeconds", window_until AS "windowUntil",
  reason, requested_by AS "requestedBy", created_at AS "createdAt", updated_at AS "updatedAt", ended_at AS "endedAt"`;

const json = (value: unknown): string | null => (value === undefined || value === null ? null : JSON.stringify(value));

export const openMoves = (sql: Sql): Moves => {
  const one = async (condition: string, value: string): Promise<MoveRecord | undefined> =>
    (await sql.query<MoveRecord>(`SELECT ${columns} FROM moves WHERE ${condition}`, [value]))[0];
  const get = (id: string): Promise<MoveRecord | undefined> => one('id = $1', id);
  const openOf = (tenantId: string): Promise<MoveRecord | undefined> =>
    one('tenant_id = $1 AND ended_at IS NULL', tenantId);
  const require = async (id: string): Promise<MoveRecord> => {
    const move = await get(id);
    if (!move) throw new StepFailure('MoveNotFound', `move ${id} is unknown; check the id`);
    return move;
  };
  return {
    plan: async (move) => {
      const id = moveIdOf(move.operationId);
      await sql.query(
        `INSERT INTO moves (id, tenant_id, operation_id, source_placement, target_placement, source, target, mode, phase, dry_run,
           preflight, estimate, window_seconds, reason, requested_by, ended_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, CASE WHEN $10 THEN now() END)
         ON CONFLICT DO NOTHING`,
        [
          id,
          move.tenantId,
          move.operationId,
          move.sourcePlacement,
          move.targetPlacement,
          json(move.source),
          json(move.target),
          move.mode,
          move.dryRun ? 'previewed' : 'planned',
          move.dryRun,
          json(move.preflight),
          json(move.estimate),
          move.windowSeconds,
          move.reason,
          move.requestedBy,
        ],
      );
      const planned = await get(id);
      if (planned) return planned;
      const other = await openOf(move.tenantId);
      throw new StepFailure(
        'MoveRefused',
        `tenant ${move.tenantId} has an open move ${other?.id} (${other?.phase}); finish it or move back first`,
      );
    },
    get,
    require,
    ofOperation: (operationId) => one('operation_id = $1', operationId),
    openOf,
    list: ({ tenantId, open, limit }) =>
      sql.query<MoveRecord>(
        `SELECT ${columns} FROM moves WHERE ($1::text IS NULL OR tenant_id = $1)
           AND ($2::boolean IS NULL OR (ended_at IS NULL) = $2) ORDER BY created_at DESC, id LIMIT $3`,
        [tenantId, open, limit],
      ),
    note: async (id, notes) => {
      const [move] = await sql.query<MoveRecord>(
        `UPDATE moves SET phase = coalesce($2, phase), mode = coalesce($3, mode), preflight = coalesce($4, preflight),
           copy = coalesce($5, copy), cut_over = coalesce($6, cut_over), verification = coalesce($7, verification),
           way_back = coalesce($8, way_back), window_until = coalesce($9, window_until), updated_at = now()
         WHERE id = $1 RETURNING ${columns}`,
        [
          id,
          notes.phase,
          notes.mode,
          json(notes.preflight),
          json(notes.copy),
          json(notes.cutOver),
          json(notes.verification),
          json(notes.wayBack),
          notes.windowUntil,
        ],
      );
      return move ?? require(id);
    },
    end: async (id, phase) => {
      await sql.query(
        `UPDATE moves SET phase = $2, ended_at = now(), updated_at = now() WHERE id = $1 AND ended_at IS NULL`,
        [id, phase],
      );
      return require(id);
    },
  };
};
