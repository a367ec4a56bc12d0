import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Retrier, State } from '../../../local/engine/definition.ts';
import { StateFailure } from '../../../local/engine/failure.ts';
import { backoff, decide } from '../../../local/engine/retry.ts';

const task = (Retry: Retrier[], Catch: string[][] = []): State => ({
  Type: 'Task',
  Resource: 'r',
  End: true,
  Retry,
  Catch: Catch.map((ErrorEquals, index) => ({ ErrorEquals, Next: `Caught${index}` })),
});

const failed = (error: string): StateFailure => new StateFailure(error);
const outcome = (state: State, error: string, tries = {}): string => {
  const decision = decide(state, failed(error), tries, 0.5);
  return decision.act === 'retry'
    ? `retry ${decision.retrier}`
    : decision.act === 'catch'
      ? decision.catcher.Next
      : 'fail';
};

describe('a name in ErrorEquals', () => {
  test.each([
    ['TenantBusy', 'TenantBusy', 'Caught0'],
    ['TenantBusy', 'TenantGone', 'fail'],
    ['States.ALL', 'TenantBusy', 'Caught0'],
    ['States.ALL', 'States.Timeout', 'Caught0'],
    ['States.ALL', 'States.QueryEvaluationError', 'Caught0'],
    ['States.ALL', 'States.DataLimitExceeded', 'fail'],
    ['States.ALL', 'States.Runtime', 'fail'],
    ['States.Runtime', 'States.Runtime', 'fail'],
    ['States.DataLimitExceeded', 'States.DataLimitExceeded', 'Caught0'],
    ['States.TaskFailed', 'TenantBusy', 'Caught0'],
    ['States.TaskFailed', 'States.Timeout', 'fail'],
    ['States.Timeout', 'States.HeartbeatTimeout', 'Caught0'],
    ['States.HeartbeatTimeout', 'States.Timeout', 'fail'],
  ])('%s and the error %s: %s', (name, error, want) => {
    expect(outcome(task([], [[name]]), error)).toBe(want);
  });

  test('States.TaskFailed stands for tasks only', () => {
    const map = {
      Type: 'Map',
      End: true,
      Catch: [{ ErrorEquals: ['States.TaskFailed'], Next: 'C' }],
    } as unknown as State;
    expect(outcome(map, 'TenantBusy')).toBe('fail');
  });
});

test('the first matching retrier decides until it is used up, then the catchers', () => {
  const state = task(
    [
      { ErrorEquals: ['A'], MaxAttempts: 1 },
      { ErrorEquals: ['States.ALL'], MaxAttempts: 9 },
    ],
    [['B'], ['States.ALL']],
  );
  expect(outcome(state, 'A')).toBe('retry 0');
  expect(outcome(state, 'A', { 0: 1 })).toBe('Caught1');
  expect(outcome(state, 'B')).toBe('retry 1');
  expect(outcome(state, 'B', { 1: 9 })).toBe('Caught0');
});

test('MaxAttempts is 3 where it is not given, and 0 never retries', () => {
  expect(outcome(task([{ ErrorEquals: ['A'] }]), 'A', { 0: 2 })).toBe('retry 0');
  expect(outcome(task([{ ErrorEquals: ['A'] }]), 'A', { 0: 3 })).toBe('fail');
  expect(outcome(task([{ ErrorEquals: ['A'], MaxAttempts: 0 }]), 'A')).toBe('fail');
});

test('pauses grow by BackoffRate up to MaxDelaySeconds; FULL jitter takes a part of them', () => {
  const retrier = { ErrorEquals: ['A'], IntervalSeconds: 2, BackoffRate: 3, MaxDelaySeconds: 10 };
  expect([0, 1, 2].map((attempt) => backoff(retrier, attempt, 0.5))).toEqual([2_000, 6_000, 10_000]);
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.nat(9), (random, attempt) => {
      const full = backoff({ ...retrier, JitterStrategy: 'FULL' }, attempt, random);
      expect(full).toBeGreaterThanOrEqual(0);
      expect(full).toBeLessThanOrEqual(backoff(retrier, attempt, random));
    }),
  );
});
