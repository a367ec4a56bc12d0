import type pg from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import type { Move } from '../../domain/move.ts';
import { tableName } from '../../domain/scope.ts';
import { readScope } from '../catalog/read-scope.ts';
import { deleteTenantRows } from '../pool/release.ts';
import { identPath } from '../postgres/identifier.ts';
import { channelName, type Direction } from './names.ts';
import { createPublication } from './publication.ts';
import { enterStep, type Recorded, writeNewMove } from './record.ts';
import { copyReference } from './reference.ts';
import { type MoveSides, withSessions } from './side.ts';
import { createSlot, retainedBytes } from './slot.ts';
import { createSubscription, enableSubscription, findSubscription } from './subscription.ts';

export interface MoveRequest extends MoveSides {
  readonly move: Move;
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds that making a slot waits for open transactions, before it is tried again. */
const slotMillis = 5_000;

const refuse = (message: string): never => {
  throw new StepFailure('MoveRefused', message);
};

/** The tenant serves here, or is about to again. */
export const refuseUnfitSource = ({ tenant }: Recorded, { tenantId }: Move): void => {
  if (!tenant)
    refuse(`tenant ${tenantId} has no row in tenantry.tenants of its source; give the database that holds it`);
  else if (tenant.state === 'moved')
    refuse(`tenant ${tenantId} has moved away from its source; give the database that holds it`);
};

/** Another move of this tenant that is not over: its way back lives in rows that this one would delete. */
export const refuseOtherMoves = async (client: pg.ClientBase, { id, tenantId }: Move): Promise<void> => {
  const { rows } = await client.query<{ id: string; phase: string }>(
    `SELECT move_id AS id, phase FROM tenantry.moves
     WHERE tenant_id = $1 AND move_id <> $2 AND phase NOT IN ('finished', 'abandoned') ORDER BY changed_at LIMIT 1`,
    [tenantId, id],
  );
  if (rows[0])
    refuse(`tenant ${tenantId} has move ${rows[0].id} which is ${rows[0].phase}; finish or abandon it first`);
};

/**
 * Makes room for the tenant on the target: its row, closed, the reference rows it needs, and nothing of an earlier attempt.
 * Rows are deleted by tenant: neighbours live in the same tables, so TRUNCATE is out of the question.
 */
export const makeRoom = async (
  { source, target }: { readonly source: pg.Client; readonly target: pg.Client },
  { move, signal }: Pick<MoveRequest, 'move' | 'signal'>,
): Promise<void> => {
  const { tenantId, fence } = move;
  const { rows } = await target.query<{ state: string }>(
    `INSERT INTO tenantry.tenants AS t (tenant_id, state, fence) VALUES ($1, 'moved', $2)
     ON CONFLICT (tenant_id) DO UPDATE SET fence = greatest(t.fence, excluded.fence) RETURNING state`,
    [tenantId, fence],
  );
  if (rows[0]?.state !== 'moved')
    refuse(
      `tenant ${tenantId} is ${rows[0]?.state} in the target already; move it to a database that does not serve it`,
    );
  await deleteTenantRows(target, { tenantId, fence, ...(signal ? { signal } : {}) });
  await target.query('DELETE FROM tenantry.barriers WHERE tenant_id = $1', [tenantId]);
  await copyReference(source, target, (await readScope(source)).reference);
};

/**
 * Starts the copy of the tenant, with every change from here on behind it, while it is written to. Answers at once; the copy
 * goes on by itself (`copyProgress`). Safe to repeat: a copy that runs is left alone. FenceTimeout while a long transaction
 * keeps the slot from being made; MoveRefused when source or target do not fit; StaleOperation when the move is over.
 */
export const openCopy = (request: MoveRequest): Promise<void> =>
  withSessions(request, request.move, async (sessions) => {
    const { source, target } = sessions;
    const { move } = request;
    const name = channelName(move, 'out');
    const entered = await enterStep(sessions, move, 'openCopy');
    refuseUnfitSource(entered.source, move);
    if (await findSubscription(target, name)) return enableSubscription(target, name);
    for (const client of [source, target]) await refuseOtherMoves(client, move);
    await writeNewMove(source, move);
    await writeNewMove(target, move);
    await makeRoom(sessions, request);
    await createPublication(source, name, await readScope(source), move.tenantId);
    await createSlot(source, name, slotMillis);
    await createSubscription(target, { name, publisher: request.source.conninfo, copyData: true });
    await enableSubscription(target, name);
  });

export interface CopyProgress {
  /** Tables whose rows are there and whose changes follow; all of them is the end of the copy. */
  readonly ready: number;
  readonly total: number;
  /** Bytes of the publisher's log that are not applied yet, those of other tenants included. */
  readonly lagBytes: number;
  /** Whether a worker applies at this moment; without one the lag only grows. */
  readonly applying: boolean;
  /** Failed attempts so far: of the changes, and of the initial copies. The server's log says why. */
  readonly applyErrors: number;
  readonly copyErrors: number;
  /** Bytes of log that the publisher keeps for this move. */
  readonly retainedBytes: number;
}

const subscriberSql = `
SELECT (SELECT count(*) FROM pg_subscription_rel r WHERE r.srsubid = s.oid)::int AS total,
  (SELECT count(*) FROM pg_subscription_rel r WHERE r.srsubid = s.oid AND r.srsubstate = 'r')::int AS ready,
  EXISTS (SELECT FROM pg_stat_subscription w WHERE w.subid = s.oid AND w.relid IS NULL AND w.pid IS NOT NULL) AS applying,
  coalesce(e.apply_error_count, 0)::int AS "applyErrors", coalesce(e.sync_error_count, 0)::int AS "copyErrors"
FROM pg_subscription s LEFT JOIN pg_stat_subscription_stats e ON e.subid = s.oid
WHERE s.subname = $1 AND s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`;

/**
 * What is applied, not what is on the subscriber's disk: its WAL writer may take 200 ms, in which the neighbours of a busy pool
 * write more than any threshold. A login that may not see other sessions gets the latter.
 */
const lagSql = `
SELECT coalesce(pg_wal_lsn_diff(pg_current_wal_flush_lsn(), greatest(s.confirmed_flush_lsn, r.replay_lsn)), 0)::bigint AS lag, s.active,
  coalesce(s.wal_status = 'lost', false) AS lost
FROM pg_replication_slots s LEFT JOIN pg_stat_replication r ON r.pid = s.active_pid WHERE s.slot_name = $1`;

/** How far the subscription of one direction is. MoveRefused when it is not there, CopyDiverges when its log is lost. */
export const readProgress = async (
  { publisher, subscriber }: { readonly publisher: pg.ClientBase; readonly subscriber: pg.ClientBase },
  move: Move,
  direction: Direction,
): Promise<CopyProgress> => {
  const name = channelName(move, direction);
  const { rows } = await subscriber.query<Omit<CopyProgress, 'lagBytes' | 'retainedBytes'>>(subscriberSql, [name]);
  const slot = await publisher.query<{ lag: string; active: boolean; lost: boolean }>(lagSql, [name]);
  if (!rows[0] || !slot.rows[0])
    return refuse(`move ${move.id} has no ${rows[0] ? 'slot' : 'subscription'} ${name}; open its copy first`);
  if (slot.rows[0].lost)
    throw new StepFailure(
      'CopyDiverges',
      `slot ${name} fell behind max_slot_wal_keep_size and its log is gone; raise that setting, abandon the move and start anew`,
    );
  return {
    ...rows[0],
    applying: rows[0].applying && slot.rows[0].active,
    lagBytes: Math.max(0, Number(slot.rows[0].lag)),
    retainedBytes: (await retainedBytes(publisher, name)) ?? 0,
  };
};

/** How far the copy is; reads only. MoveRefused when it was not opened. */
export const copyProgress = (request: MoveRequest): Promise<CopyProgress> =>
  withSessions(request, request.move, ({ source, target }) =>
    readProgress({ publisher: source, subscriber: target }, request.move, 'out'),
  );

/** Statistics for the planner: without them the first queries after the switch scan whole tables. */
export const analyzeTables = async (client: pg.Client): Promise<void> => {
  for (const table of (await readScope(client)).tables) await client.query(`ANALYZE ${identPath(tableName(table))}`);
};
