import type { FunctionDefinition } from './definition.ts';
import type { FunctionError } from './messages.ts';
import type { Order, Outcome, Sandbox } from './sandbox.ts';

/** One invocation from the moment it is accepted until its caller has the answer. */
export interface Job {
  readonly order: Order;
  readonly since: number;
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
}

export const newLane = (definition: FunctionDefinition): Lane => ({
  definition,
  waiting: [],
  idle: [],
  busy: new Set(),
  starting: 0,
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

/** A handler that does not load fails the invocation that waits longest, as every cold start on AWS fails its own. */
export const failOldest = (lane: Lane, error: FunctionError): void =>
  lane.waiting.shift()?.settle({ kind: 'error', error });
