import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import type { Move, MovePhase } from '../../domain/move.ts';
import { ident, literal } from '../postgres/identifier.ts';
import { awaitBarrier, awaitCaughtUp } from './catch-up.ts';
import { commitSwitch, openTenant, raiseFence, reopen } from './fence.ts';
import { channelName, type Direction } from './names.ts';
import { readRecord } from './record.ts';
import { raiseSequences, readSequences } from './sequences.ts';
import { endSessions, type MoveSide, openSession } from './side.ts';
import { enableSubscription } from './subscription.ts';
import { type Comparison, holdSnapshot, planComparison } from './verify.ts';

/** Points of a switch, in order, at which a test may kill something. `switched` is the commit point. */
export const switchSteps = [
  'connected',
  'caught-up',
  'fenced',
  'barrier',
  'prepared',
  'held',
  'switched',
  'opened',
  'flipped',
  'verified',
] as const;
export type SwitchStep = (typeof switchSteps)[number];

/** Milliseconds of every part. `fenced` is from asking for the lock to the open tenant: what writers wait at least. */
export interface SwitchTimings {
  readonly lock: number;
  readonly barrier: number;
  readonly prepare: number;
  readonly hold: number;
  readonly commit: number;
  readonly open: number;
  readonly flip: number;
  readonly fenced: number;
}

export interface SwitchPlan {
  readonly from: MoveSide;
  readonly to: MoveSide;
  readonly move: Move;
  /** What carries the rows from `from` to `to`; a freeze has nothing of that kind. */
  readonly carrier: Direction | undefined;
  readonly before: MovePhase;
  readonly after: MovePhase;
  readonly deadlineMs: number;
  readonly catchUpMs: number;
  readonly flip: () => Promise<void>;
  readonly onStep: (step: SwitchStep) => Promise<void> | void;
  readonly signal?: AbortSignal | undefined;
}

export interface Sessions {
  readonly from: pg.Client;
  readonly to: pg.Client;
  /** Holds the snapshot of the target for the comparison. */
  readonly holder: pg.Client;
}

export interface Switched {
  readonly epoch: number;
  readonly timings: SwitchTimings;
  /** Undefined when the held snapshot is not that of this switch. */
  readonly comparison: Comparison | undefined;
}

/** Steps that a sequence is ahead before the fence: at 500 rows a second, two seconds. */
const headroom = 1_000;

/**
 * The side that the tenant moves to, ready to open: nothing is applied any more, and everything that was is on disk, because
 * this commit flushes it: the apply worker does not (measured: a server killed right after the switch had lost rows). What
 * this side writes from here on begins at `lsn`. A late attempt finds a newer epoch or an open tenant and changes nothing.
 */
const prepareSql = ({ move, carrier, before }: SwitchPlan, epoch: number): string => `BEGIN;
${carrier ? `ALTER SUBSCRIPTION ${ident(channelName(move, carrier))} DISABLE` : ''};
UPDATE tenantry.tenants SET epoch = ${epoch}, fence = ${move.fence}
  WHERE tenant_id = ${literal(move.tenantId)} AND state = 'moved' AND epoch <= ${epoch} AND fence <= ${move.fence};
UPDATE tenantry.moves m SET lsn = pg_current_wal_insert_lsn() FROM tenantry.tenants t
  WHERE m.move_id = ${literal(move.id)} AND m.phase = ${literal(before)}
    AND t.tenant_id = m.tenant_id AND t.state = 'moved' AND t.epoch = ${epoch} RETURNING m.move_id;
COMMIT`;

export const prepareTarget = async (client: pg.Client, plan: SwitchPlan, epoch: number): Promise<void> => {
  const results = (await client.query(prepareSql(plan, epoch))) as unknown as pg.QueryResult[];
  if (!results.some(({ rows }) => rows.length === 1))
    throw new StepFailure(
      'MoveRefused',
      `tenant ${plan.move.tenantId} is not waiting in the database that it moves to; look at its row in tenantry.tenants there`,
    );
};

/** Opens the tenant at its new place and switches the route. From the commit point on this is all that is left; safe to repeat. */
export const completeSwitch = async (
  to: pg.Client,
  { move, before, after, flip, onStep }: Pick<SwitchPlan, 'move' | 'before' | 'after' | 'flip' | 'onStep'>,
  epoch: number,
): Promise<{ readonly openedAt: number }> => {
  await openTenant(to, { move, epoch, before, after });
  const openedAt = performance.now();
  await onStep('opened');
  for (let attempt = 1; ; attempt += 1) {
    try {
      await flip();
      break;
    } catch (error) {
      // The tenant has moved whatever the registry says; until the route follows its writers find a closed door.
      if (attempt >= 5) throw error;
      await delay(20 * 2 ** attempt);
    }
  }
  await onStep('flipped');
  return { openedAt };
};

/** The epoch at which the tenant has moved after all, by this attempt or by another; undefined when it has not. */
const settle = async (plan: SwitchPlan, epoch: number): Promise<number | undefined> => {
  const from = await openSession(plan.from);
  try {
    // A commit that is still under way holds the row: this waits for it, and then changes nothing.
    await reopen(from, plan.move, epoch);
    const { tenant, phase } = await readRecord(from, plan.move);
    return tenant?.state === 'moved' && phase === plan.after ? tenant.epoch : undefined;
  } finally {
    await endSessions([from]);
  }
};

const settleAttempts = 4;

/**
 * Takes a failed switch back: the tenant writes on where it was, and the copy follows again. When `from` cannot be reached,
 * the deadline does the same a little later. Answers the epoch of the switch if it had happened.
 */
export const takeBack = async (plan: SwitchPlan, epoch: number): Promise<number | undefined> => {
  for (let attempt = 1; attempt <= settleAttempts; attempt += 1) {
    try {
      const switched = await settle(plan, epoch);
      if (switched !== undefined) return switched;
      break;
    } catch {
      await delay(100 * attempt);
    }
  }
  const to = plan.carrier && (await openSession(plan.to).catch(() => undefined));
  if (to && plan.carrier) {
    await enableSubscription(to, channelName(plan.move, plan.carrier)).catch(() => undefined);
    await endSessions([to]);
  }
  return undefined;
};

export interface Watch {
  lap(part: keyof SwitchTimings): void;
  /** All parts once the route is switched; `openedAt` is when the tenant was open again. */
  read(openedAt: number): SwitchTimings;
}

export const startWatch = (start: number): Watch => {
  const parts: Partial<Record<keyof SwitchTimings, number>> = {};
  let mark = start;
  const round = (millis = 0): number => Math.round(millis * 10) / 10;
  return {
    lap: (part) => {
      const now = performance.now();
      parts[part] = now - mark;
      mark = now;
    },
    read: (openedAt) => ({
      lock: round(parts.lock),
      barrier: round(parts.barrier),
      prepare: round(parts.prepare),
      hold: round(parts.hold),
      commit: round(parts.commit),
      open: round(openedAt - mark),
      flip: round(performance.now() - openedAt),
      fenced: round(openedAt - start),
    }),
  };
};

/** Everything between the fence and the commit point. Throws before the commit point only. */
const fenceToCommit = async (
  plan: SwitchPlan,
  { from, to, holder }: Sessions,
  epoch: number,
  lap: (part: keyof SwitchTimings) => void,
): Promise<void> => {
  const { move, before, after, onStep } = plan;
  await onStep('fenced');
  const [sequences] = await Promise.all([
    readSequences(from),
    // A third of the deadline: what is left must do for the rest.
    awaitBarrier(to, move, epoch, plan.deadlineMs / 3),
  ]);
  lap('barrier');
  await onStep('barrier');
  await prepareTarget(to, plan, epoch);
  lap('prepare');
  await onStep('prepared');
  await Promise.all([holdSnapshot(holder), raiseSequences(to, sequences, 0)]);
  lap('hold');
  await onStep('held');
  if (!(await commitSwitch(from, { move, epoch, before, after })))
    throw new StepFailure(
      'FenceTimeout',
      `the fence of tenant ${move.tenantId} (epoch ${epoch}) fell before the switch; the tenant writes on, and it is tried again`,
    );
  lap('commit');
};

/**
 * Moves the tenant from one side to the other: fence, barrier, commit point, open, route. Before the commit point every
 * error leaves the tenant open where it was; after it there is only forward, and a repeat finishes what is left. The caller
 * ends the sessions; `holder` has the snapshot of the comparison when this returns.
 */
export const runSwitch = async (plan: SwitchPlan, sessions: Sessions): Promise<Switched> => {
  const { from, to } = sessions;
  const { move, carrier, onStep } = plan;
  if (!carrier) throw new RangeError(`move ${move.id} has no carrier; a freeze copies the rows itself`);
  await onStep('connected');
  const comparison = await planComparison(from, to, move.tenantId);
  await enableSubscription(to, channelName(move, carrier));
  await awaitCaughtUp({ publisher: from, subscriber: to }, move, carrier, plan.catchUpMs, plan.signal);
  await raiseSequences(to, await readSequences(from), headroom);
  plan.signal?.throwIfAborted();
  await onStep('caught-up');
  const start = performance.now();
  const epoch = await raiseFence(from, { move, phase: plan.before, deadlineMs: plan.deadlineMs });
  const watch = startWatch(start);
  watch.lap('lock');
  let switched = epoch;
  try {
    await fenceToCommit(plan, sessions, epoch, watch.lap);
  } catch (error) {
    const after = await takeBack(plan, epoch);
    if (after === undefined) throw error;
    switched = after;
  }
  await onStep('switched');
  const { openedAt } = await completeSwitch(to, plan, switched);
  // Behind the fence of another attempt there were writes that this attempt's snapshot has not seen.
  return {
    epoch: switched,
    comparison: switched === epoch ? comparison : undefined,
    timings: watch.read(openedAt),
  };
};
