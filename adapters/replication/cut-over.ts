import type pg from 'pg';
import type { MovePhase } from '../../domain/move.ts';
import type { MoveRequest } from './copy.ts';
import type { Direction } from './names.ts';
import { enterStep } from './record.ts';
import { endSessions, type MoveSide, namedFailure, openSession } from './side.ts';
import {
  completeSwitch,
  runSwitch,
  type Sessions,
  type SwitchPlan,
  type SwitchStep,
  type SwitchTimings,
} from './switch.ts';
import { type Comparison, compareHeld, holdSnapshot, type Verification } from './verify.ts';

export interface CutOverRequest extends MoveRequest {
  /** Switches the tenant's route; called right after the tenant is open at its new place, and again when it throws. */
  flip(): Promise<void>;
  /** Milliseconds after which the first writer takes a fence down whose mover has died; 5,000 unless told. */
  readonly deadlineMs?: number | undefined;
  /** Milliseconds to wait for the last of the lag before the fence; 15,000 unless told. */
  readonly catchUpMs?: number | undefined;
  /** False leaves the exact comparison to `verifyCopy`; true unless told. */
  readonly verify?: boolean | undefined;
  /** Runs once both snapshots are held, before the comparison: what must not wait for a long one. */
  readonly held?: (() => Promise<void>) | undefined;
  /** Called at every numbered step; what it throws counts as a crash there. */
  readonly onStep?: ((step: SwitchStep) => Promise<void> | void) | undefined;
}

export interface CutOver {
  readonly epoch: number;
  /** From asking for the tenant's lock to the switched route, in milliseconds; 0 for a repeat, which fences nobody. */
  readonly stallMs: number;
  readonly timings: SwitchTimings | undefined;
  /** The exact comparison; undefined when it was left out, or the snapshot was lost: then `verifyCopy` makes up for it. */
  readonly verification: Verification | undefined;
}

export interface Turn {
  readonly from: MoveSide;
  readonly to: MoveSide;
  readonly carrier: Direction | undefined;
  readonly before: MovePhase;
  readonly after: MovePhase;
}

export const planOf = (request: CutOverRequest, turn: Turn): SwitchPlan => ({
  ...turn,
  move: request.move,
  deadlineMs: request.deadlineMs ?? 5_000,
  catchUpMs: request.catchUpMs ?? 15_000,
  flip: () => request.flip(),
  onStep: request.onStep ?? (() => undefined),
  signal: request.signal,
});

/** The frozen side against the snapshot that was held since before anybody wrote on the other. */
const verifyHeld = async (
  { from, holder }: Sessions,
  request: CutOverRequest,
  comparison: Comparison,
): Promise<Verification> => {
  await holdSnapshot(from);
  await request.held?.();
  return compareHeld({ source: from, target: holder }, request.move.tenantId, comparison, request.signal);
};

const turnOver = async (request: CutOverRequest, step: 'cutOver' | 'moveBack', turn: Turn): Promise<CutOver> => {
  const plan = planOf(request, turn);
  const opened: pg.Client[] = [];
  const open = async (side: MoveSide): Promise<pg.Client> => {
    const client = await openSession(side);
    opened.push(client);
    return client;
  };
  try {
    const [from, to, holder] = [await open(turn.from), await open(turn.to), await open(turn.to)];
    const [source, target] = turn.carrier === 'out' ? [from, to] : [to, from];
    const entered = await enterStep({ source, target }, request.move, step);
    const left = turn.carrier === 'out' ? entered.source : entered.target;
    if (left.phase === turn.after) {
      const epoch = left.tenant?.epoch ?? 0;
      await completeSwitch(to, plan, epoch);
      return { epoch, stallMs: 0, timings: undefined, verification: undefined };
    }
    const sessions = { from, to, holder };
    const { epoch, timings, comparison } = await runSwitch(plan, sessions);
    const verification =
      request.verify === false || !comparison ? undefined : await verifyHeld(sessions, request, comparison);
    await plan.onStep('verified');
    return { epoch, stallMs: timings.fenced + timings.flip, timings, verification };
  } catch (error) {
    throw namedFailure(error, request.move);
  } finally {
    await endSessions(opened);
  }
};

/**
 * Moves the tenant to the target, in one call: fence, barrier, commit point, open, route, and then the exact comparison of
 * every table while nobody waits. The commit point is a compare-and-set on the tenant's row of the source. Before it every
 * error leaves the tenant open on the source, after it there is only forward: a repeat opens the target, switches the route
 * and answers without a comparison. FenceTimeout for what passes by itself, MoveRefused, StaleOperation, DatabaseUnavailable.
 * A copy that differs is told in `verification`: start the way back and move back.
 */
export const cutOver = (request: CutOverRequest): Promise<CutOver> =>
  turnOver(request, 'cutOver', {
    from: request.source,
    to: request.target,
    carrier: 'out',
    before: 'copying',
    after: 'switched',
  });

/**
 * Moves the tenant back to the source with everything that was written on the target: the same protocol in the other
 * direction. MoveRefused unless `startWayBack` ran. A repeat after its commit point, which is on the target, only goes on.
 */
export const moveBack = (request: CutOverRequest): Promise<CutOver> =>
  turnOver(request, 'moveBack', {
    from: request.target,
    to: request.source,
    carrier: 'back',
    before: 'switched',
    after: 'returned',
  });
