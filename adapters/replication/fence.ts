import { setTimeout as delay } from 'node:timers/promises';
import type { ClientBase, QueryResult } from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import type { Move, MovePhase } from '../../domain/move.ts';
import { fenceLockClass } from '../pool/schema.ts';
import { literal } from '../postgres/identifier.ts';
import { sqlState } from '../postgres/sql.ts';

export interface FenceRequest {
  readonly move: Move;
  /** The phase that the move has on this side while its fence is put up. */
  readonly phase: MovePhase;
  /** Milliseconds after which the first writer takes the fence down again. */
  readonly deadlineMs: number;
  /** Milliseconds that writers wait for the lock at most, each time it is asked for. */
  readonly lockMs?: number;
  readonly attempts?: number;
}

const whole = (value: number): string => String(Math.trunc(value));

/** One message: the tenant's writers wait from the lock request to the commit, and every round trip would lengthen that. */
const raiseSql = ({ move, phase, deadlineMs }: FenceRequest, lockMs: number): string => {
  const tenant = literal(move.tenantId);
  return `BEGIN; SET LOCAL lock_timeout = ${whole(lockMs)};
SELECT pg_advisory_xact_lock(${fenceLockClass}, hashtext(${tenant}));
WITH fenced AS (
  UPDATE tenantry.tenants t SET state = 'fenced', fence = ${whole(move.fence)},
    epoch = greatest(t.epoch, coalesce((SELECT b.epoch FROM tenantry.barriers b WHERE b.tenant_id = t.tenant_id), 0)) + 1,
    deadline = clock_timestamp() + ${whole(deadlineMs)} * interval '1 millisecond'
  WHERE t.tenant_id = ${tenant} AND t.fence <= ${whole(move.fence)}
    AND (t.state = 'open' OR (t.state = 'fenced' AND t.deadline IS NOT NULL))
    AND EXISTS (SELECT FROM tenantry.moves m WHERE m.move_id = ${literal(move.id)} AND m.phase = ${literal(phase)})
  RETURNING t.tenant_id, t.epoch)
INSERT INTO tenantry.barriers (tenant_id, epoch) SELECT tenant_id, epoch FROM fenced
  ON CONFLICT (tenant_id) DO UPDATE SET epoch = excluded.epoch RETURNING epoch;
COMMIT`;
};

/**
 * Puts the fence up and the barrier into the same transaction: whoever sees the barrier on the other side has every earlier
 * commit of the tenant, because the lock waited for all its writers. Answers the epoch. Writers under way are waited for, at
 * most `lockMs` each time, with growing pauses in between in which the tenant writes on. FenceTimeout when they did not end,
 * MoveRefused when the tenant is not open here.
 */
export const raiseFence = async (client: ClientBase, request: FenceRequest): Promise<number> => {
  const { lockMs = 300, attempts = 6 } = request;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const results = (await client.query(raiseSql(request, lockMs))) as unknown as QueryResult<{ epoch?: string }>[];
      const epoch = results.at(-2)?.rows[0]?.epoch;
      if (epoch !== undefined) return Number(epoch);
      throw new StepFailure(
        'MoveRefused',
        `tenant ${request.move.tenantId} is not open in the database that it leaves, or a newer operation was there; look at its row in tenantry.tenants`,
      );
    } catch (error) {
      if (!(error instanceof StepFailure)) await client.query('ROLLBACK').catch(() => undefined);
      if (!['55P03', '40P01'].includes(sqlState(error) ?? '')) throw error;
      if (attempt >= attempts)
        throw new StepFailure(
          'FenceTimeout',
          `tenant ${request.move.tenantId} had a write under way at each of ${attempts} attempts; end its long transaction, or it is tried again`,
          { cause: error },
        );
      await delay(50 * 2 ** attempt * (0.5 + Math.random() / 2));
    }
  }
};

/** Moves the deadline of a fence that stands; false when it fell meanwhile. */
export const extendFence = async (
  client: ClientBase,
  { move, epoch, deadlineMs }: { move: Move; epoch: number; deadlineMs: number },
): Promise<boolean> => {
  const { rowCount } = await client.query(
    `UPDATE tenantry.tenants SET deadline = clock_timestamp() + $3 * interval '1 millisecond'
     WHERE tenant_id = $1 AND state = 'fenced' AND epoch = $2`,
    [move.tenantId, epoch, deadlineMs],
  );
  return rowCount === 1;
};

/** Takes a fence of this epoch down: the tenant writes on where it was. Nothing happens when another epoch is there. */
export const reopen = async (
  client: ClientBase,
  { tenantId }: Pick<Move, 'tenantId'>,
  epoch: number,
): Promise<void> => {
  await client.query(
    `UPDATE tenantry.tenants SET state = 'open', epoch = epoch + 1, deadline = NULL
     WHERE tenant_id = $1 AND state = 'fenced' AND epoch = $2`,
    [tenantId, epoch],
  );
};

const commitSql = `
WITH moved AS (
  UPDATE tenantry.tenants SET state = 'moved', deadline = NULL
  WHERE tenant_id = $1 AND state = 'fenced' AND epoch = $2 AND deadline > clock_timestamp() AND fence <= $3
    AND EXISTS (SELECT FROM tenantry.moves WHERE move_id = $4 AND phase = $5)
  RETURNING epoch)
UPDATE tenantry.moves m SET phase = $6, epoch = moved.epoch, changed_at = clock_timestamp()
FROM moved WHERE m.move_id = $4`;

/**
 * The commit point of a move: from `fenced` to `moved`, by epoch and within the deadline. One statement, so that a lost
 * connection leaves it done or undone. False when the fence fell meanwhile or belongs to another attempt.
 */
export const commitSwitch = async (
  client: ClientBase,
  { move, epoch, before, after }: { move: Move; epoch: number; before: MovePhase; after: MovePhase },
): Promise<boolean> => {
  const { rowCount } = await client.query(commitSql, [move.tenantId, epoch, move.fence, move.id, before, after]);
  return rowCount === 1;
};

/**
 * Opens the tenant where it moved to; does nothing when it was open there or has moved on since. The epoch is that of the
 * commit point, and the phase says whether this is the first time.
 */
export const openTenant = async (
  client: ClientBase,
  { move, epoch, before, after }: { move: Move; epoch: number; before: MovePhase; after: MovePhase },
): Promise<void> => {
  await client.query(
    `WITH due AS (
       UPDATE tenantry.moves SET phase = $4, epoch = $2, changed_at = clock_timestamp()
       WHERE move_id = $3 AND phase = $5 RETURNING tenant_id)
     UPDATE tenantry.tenants t SET state = 'open', epoch = $2, deadline = NULL FROM due
     WHERE t.tenant_id = $1 AND due.tenant_id = t.tenant_id AND t.state = 'moved'`,
    [move.tenantId, epoch, move.id, after, before],
  );
};
