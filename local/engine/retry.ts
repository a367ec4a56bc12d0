import type { Catcher, Retrier, State } from './definition.ts';
import type { StateFailure } from './failure.ts';

/** Errors that end the execution whatever its Retry and Catch say (developer guide, "Error names"). */
const terminal = 'States.Runtime';
/** `States.ALL` does not match these; by its own name DataLimitExceeded can be caught. */
const outsideAll = new Set([terminal, 'States.DataLimitExceeded']);
/** `States.TaskFailed` stands for every failure of a task but its time-outs. */
const outsideTaskFailed = new Set([...outsideAll, 'States.Timeout', 'States.HeartbeatTimeout']);

const matches = (name: string, error: string, type: State['Type']): boolean => {
  if (error === terminal) return false;
  if (name === error) return true;
  if (name === 'States.ALL') return !outsideAll.has(error);
  if (name === 'States.TaskFailed') return type === 'Task' && !outsideTaskFailed.has(error);
  return name === 'States.Timeout' && error === 'States.HeartbeatTimeout';
};

const find = (
  rules: readonly { readonly ErrorEquals: readonly string[] }[],
  error: string,
  type: State['Type'],
): number => rules.findIndex((rule) => rule.ErrorEquals.some((name) => matches(name, error, type)));

export type Decision =
  | { readonly act: 'retry'; readonly retrier: number; readonly delay: number }
  | { readonly act: 'catch'; readonly catcher: Catcher; readonly index: number }
  | { readonly act: 'fail' };

/** Milliseconds before attempt `attempt` (0 for the first retry); `random` in [0, 1) spreads it under FULL jitter. */
export const backoff = (retrier: Retrier, attempt: number, random: number): number => {
  const seconds = (retrier.IntervalSeconds ?? 1) * (retrier.BackoffRate ?? 2) ** attempt;
  const capped = Math.min(seconds, retrier.MaxDelaySeconds ?? Number.POSITIVE_INFINITY);
  return Math.round(capped * 1_000 * (retrier.JitterStrategy === 'FULL' ? random : 1));
};

/**
 * What AWS does after `failure`: the first matching retrier as long as it has attempts left (3 when MaxAttempts is not given),
 * else the first matching catcher, else the state fails. A retrier that is used up does not hand over to the next one.
 */
export const decide = (
  state: State,
  failure: StateFailure,
  tries: Readonly<Record<number, number>> = {},
  random = Math.random(),
): Decision => {
  const retriers = ('Retry' in state && state.Retry) || [];
  const index = find(retriers, failure.error, state.Type);
  if (index >= 0) {
    const retrier = retriers[index]!;
    const used = tries[index] ?? 0;
    if (used < (retrier.MaxAttempts ?? 3))
      return { act: 'retry', retrier: index, delay: backoff(retrier, used, random) };
  }
  const catchers = ('Catch' in state && state.Catch) || [];
  const caught = find(catchers, failure.error, state.Type);
  return caught < 0 ? { act: 'fail' } : { act: 'catch', catcher: catchers[caught]!, index: caught };
};
