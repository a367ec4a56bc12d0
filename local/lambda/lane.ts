import type { FunctionDefinition } from './definition.ts';
import type { FunctionError } from './messages.ts';
import type { Order, Outcome, Sandbox } from './sandbox.ts';

/** One invocation from the moment it is accepted until its caller has the answer. */
export interface Job {
  readonly order: Order;
  readonly since: number;
  /** When the latest process got it. */
  begunAt: number;
  /** How often a process ended before it saw the event. */
  losses: number;
  sandbox: Sandbox | undefined;
  /** Its caller has an answer, or has gone. */
  over: boolean;
  settle(outcome: Exclude<Outcome, { kind: 'unstarted' }>): void;
  reject(reason: unknown): void;
}

export interface IdleSandbox {
  readonly sandbox: Sandbox;
  readonly since: number;
  readonly timer: NodeJS.Timeout;
}

/** One function: its waiting invocations, oldest first, and its processes. */
export interface Lane {
  definition: FunctionDefinition;
  readonly waiting: Job[];
  readonly idle: IdleSandbox[];
  readonly busy: Set<Job>;
  starting: number;
  /** When its last process was loaded, on the clock of `performance.now()`. */
  grownAt: number;
  /** Milliseconds of an invocation, the latest counting most; undefined before the first one ended. */
  typical: number | undefined;
}

export const newLane = (definition: FunctionDefinition): Lane => ({
  definition,
  waiting: [],
  idle: [],
  busy: new Set(),
  starting: 0,
  grownAt: 0,
  typical: undefined,
});

export const concurrencyOf = (lane: Lane): number => lane.definition.reservedConcurrency ?? Number.POSITIVE_INFINITY;

/**
 * How many processes to start for it. Idle, busy and loading ones together never exceed its reserved concurrency, so an
 * idle process may always take the next event.
 */
export const uncovered = (lane: Lane): number => {
  const allowed = concurrencyOf(lane) - lane.busy.size - lane.starting;
  return Math.min(lane.waiting.length - lane.starting, allowed);
};

/** When the oldest invocation that waits was accepted. */
export const waitingSince = (lane: Lane): number => lane.waiting[0]?.since ?? Number.POSITIVE_INFINITY;

export const hasProcess = (lane: Lane): boolean => lane.busy.size + lane.idle.length + lane.starting > 0;

/** Notes how long an invocation took: a moving average over about five of them. */
export const noteDuration = (lane: Lane, milliseconds: number): void => {
  lane.typical = lane.typical === undefined ? milliseconds : lane.typical + (milliseconds - lane.typical) / 5;
};

/**
 * When a further process is worth its load, on the clock of `performance.now()`; Infinity when nobody waits without one.
 * At once for the first process and where invocations last longer than `patience`. Else when every busy process has been
 * at its invocation for so long, or when the oldest has waited so long since the lane last grew, twice as long for each
 * process that there is: short work is done sooner by the processes there are, and each load slows all of them.
 */
export const growsAt = (lane: Lane, patience: number): number => {
  if (uncovered(lane) <= 0 || lane.idle.length > 0) return Number.POSITIVE_INFINITY;
  if (!hasProcess(lane) || (lane.typical ?? 0) > patience) return 0;
  const processes = lane.busy.size + lane.starting;
  const waited = Math.max(waitingSince(lane), lane.grownAt) + patience * 2 ** (processes - 1);
  if (lane.starting > 0) return waited;
  return Math.min(waited, Math.max(...[...lane.busy].map(({ begunAt }) => begunAt)) + patience);
};

/** A handler that does not load fails the invocation that waits longest, as every cold start on AWS fails its own. */
export const failOldest = (lane: Lane, error: FunctionError): void =>
  lane.waiting.shift()?.settle({ kind: 'error', error });
