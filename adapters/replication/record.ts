import { setTimeout as delay } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import { type Move, type MovePhase, type MoveStep, phaseRefusal } from '../../domain/move.ts';
import { staleFence } from '../pool/tenant.ts';
import { clientSql, sqlState } from '../postgres/sql.ts';

/** What one database knows of a move and its tenant. */
export interface Recorded {
  readonly phase: MovePhase | 'new';
  /** The tenant's row, undefined where it has none. */
  readonly tenant:
    | { readonly state: 'open' | 'fenced' | 'moved'; readonly epoch: number; readonly fence: number }
    | undefined;
}

const readSql = `
SELECT t.state, t.epoch, t.fence, m.phase
FROM (VALUES (1)) one LEFT JOIN tenantry.tenants t ON t.tenant_id = $1 LEFT JOIN tenantry.moves m ON m.move_id = $2`;

export const readRecord = async (client: ClientBase, { tenantId, id, fence }: Move): Promise<Recorded> => {
  const { rows } = await client.query<{
    state: 'open' | 'fenced' | 'moved' | null;
    epoch: string;
    fence: string;
    phase: MovePhase | null;
  }>(readSql, [tenantId, id]);
  const [row] = rows;
  if (row?.state && Number(row.fence) > fence) throw staleFence(tenantId, fence);
  return {
    phase: row?.phase ?? 'new',
    tenant: row?.state ? { state: row.state, epoch: Number(row.epoch), fence: Number(row.fence) } : undefined,
  };
};

/** A writer above READ COMMITTED holds the tenant's row until it ends, and others would queue up behind this update. */
const tokenLockMs = 200;
const tokenAttempts = 8;

/** Makes the fencing token of the move the tenant's own, where it is newer. FenceTimeout behind a long transaction. */
const advanceToken = async (client: ClientBase, { tenantId, fence }: Move): Promise<void> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await clientSql(client).transaction(async () => {
        await client.query(`SET LOCAL lock_timeout = ${tokenLockMs}`);
        await client.query('UPDATE tenantry.tenants SET fence = $2 WHERE tenant_id = $1 AND fence < $2', [
          tenantId,
          fence,
        ]);
      });
      return;
    } catch (error) {
      if (sqlState(error) !== '55P03' || attempt >= tokenAttempts) throw error;
      await delay(100 * attempt);
    }
  }
};

/** What this side knows, once the token of the move is its own. StaleOperation where it is older. */
const enterSide = async (client: ClientBase, move: Move): Promise<Recorded> => {
  const seen = await readRecord(client, move);
  if (seen.tenant && seen.tenant.fence < move.fence) await advanceToken(client, move);
  return readRecord(client, move);
};

/** The source decides until the switch, the target afterwards: only it can have been moved back from. */
export const phaseOf = (source: Pick<Recorded, 'phase'>, target: Pick<Recorded, 'phase'>): MovePhase | 'new' => {
  if (source.phase === 'switched' && target.phase === 'returned') return 'returned';
  return source.phase;
};

/**
 * What every step does first: refuses an older fencing token on either side, and a phase that the step does not fit.
 * StaleOperation for a step of a move that is over, MoveRefused for one that comes too early.
 */
export const enterStep = async (
  { source, target }: { readonly source: ClientBase; readonly target: ClientBase },
  move: Move,
  step: MoveStep,
): Promise<{ readonly phase: MovePhase | 'new'; readonly source: Recorded; readonly target: Recorded }> => {
  const seen = { source: await enterSide(source, move), target: await enterSide(target, move) };
  const phase = phaseOf(seen.source, seen.target);
  const refusal = phaseRefusal(step, phase);
  if (refusal)
    throw new StepFailure(
      refusal.late ? 'StaleOperation' : 'MoveRefused',
      `move ${move.id} of tenant ${move.tenantId}: ${refusal.reason}`,
    );
  return { phase, ...seen };
};

/** Sets the phase, whatever it was; the caller has entered the step. */
export const writePhase = async (client: ClientBase, { id, tenantId }: Move, phase: MovePhase): Promise<void> => {
  await client.query(
    `INSERT INTO tenantry.moves AS m (move_id, tenant_id, phase) VALUES ($1, $2, $3)
     ON CONFLICT (move_id) DO UPDATE SET phase = excluded.phase, changed_at = clock_timestamp() WHERE m.phase <> excluded.phase`,
    [id, tenantId, phase],
  );
};

/** Notes a new move; false when it was known, in whatever phase. */
export const writeNewMove = async (client: ClientBase, { id, tenantId }: Move): Promise<boolean> => {
  const { rowCount } = await client.query(
    `INSERT INTO tenantry.moves (move_id, tenant_id, phase) VALUES ($1, $2, 'copying') ON CONFLICT DO NOTHING`,
    [id, tenantId],
  );
  return rowCount === 1;
};
