import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  describeEnd,
  type ExecutionEnd,
  failureEvents,
  ownEnds,
  readExecutionEnd,
} from '../../domain/execution-end.ts';
import type { StepAttempt } from '../../domain/operation.ts';
import { results } from '../../domain/results.ts';
import { nestedWorkflows, type WorkflowName, workflows } from '../../domain/workflows.ts';

interface State {
  readonly Type: string;
  readonly Resource?: string;
  readonly Error?: string;
  readonly Next?: string;
  readonly Default?: string;
  readonly Choices?: readonly { Next: string }[];
  readonly Catch?: readonly { Next: string }[];
}

const machines = readdirSync('state-machines')
  .filter((name) => name.endsWith('.asl.json'))
  .map((name) => JSON.parse(readFileSync(`state-machines/${name}`, 'utf8')) as { States: Record<string, State> });

test('the ends that count as announced are those that a machine reaches through an Announce state only', () => {
  const found: string[] = [];
  for (const { States } of machines) {
    const before = (target: string): string[] =>
      Object.keys(States).filter((name) => {
        const { Next, Default, Choices = [], Catch = [] } = States[name]!;
        return [Next, Default, ...[...Choices, ...Catch].map((one) => one.Next)].includes(target);
      });
    const announced = (name: string): boolean => {
      const { Type, Resource } = States[name]!;
      if (Resource === 'arn:aws:states:::events:putEvents') return true;
      return Type !== 'Task' && before(name).length > 0 && before(name).every(announced);
    };
    for (const [name, { Type, Error: error }] of Object.entries(States))
      if (Type === 'Fail' && announced(name)) found.push(error!);
  }
  expect(found.sort()).toEqual([...ownEnds].sort());
});

test('every workflow that runs operations has a result event, those that only others start have none', () => {
  const inner = new Set<string>(Object.values(nestedWorkflows).flat());
  for (const workflow of Object.keys(workflows) as WorkflowName[]) {
    const event = failureEvents[workflow];
    if (event !== undefined) expect(Object.keys(results)).toContain(event);
    else expect(inner.has(workflow)).toBe(true);
  }
});

const at = new Date();
const attempt = (step: string, status: StepAttempt['status'], detail: string | null = null): StepAttempt => ({
  step,
  attempt: 0,
  startedAt: at,
  endedAt: at,
  status,
  error: detail && 'Odd',
  detail,
});

const end = (status: string, more: Partial<ExecutionEnd> = {}): ExecutionEnd => ({
  operation: 'op',
  kind: 'back-up-tenant',
  executionArn: 'arn',
  status,
  ...more,
});

const lambdaError = (errorMessage: string): string => JSON.stringify({ errorType: 'Odd', errorMessage });

describe('what is recorded of an end', () => {
  test.each<[string, ExecutionEnd, StepAttempt[], string | null, object]>([
    [
      'a stop by hand without a word',
      end('ABORTED'),
      [attempt('OpenBackup', 'succeeded'), attempt('DumpDatabase', 'running')],
      null,
      { reason: 'stopped by hand in Step Functions', failedStep: 'DumpDatabase', error: 'Stopped' },
    ],
    [
      'a stop by an operator',
      end('ABORTED', { error: 'Stopped', cause: 'stopped by ada: typo' }),
      [],
      null,
      { reason: 'stopped by ada: typo', failedStep: '(not started)', error: 'Stopped' },
    ],
    [
      'a stop that came from the operation around it',
      end('ABORTED'),
      [attempt('DumpDatabase', 'lost')],
      'restore-1',
      { reason: 'stopped together with operation restore-1', failedStep: 'DumpDatabase', error: 'Stopped' },
    ],
    [
      'a time-out',
      end('TIMED_OUT', { seconds: 3_600 }),
      [attempt('OpenBackup', 'succeeded')],
      null,
      {
        reason: "timed out: its machine's limit was reached after 3600 s",
        failedStep: 'OpenBackup',
        error: 'States.Timeout',
      },
    ],
    [
      'a compensation that failed and said so in the journal',
      end('FAILED', { error: 'Odd', cause: lambdaError('no way back') }),
      [attempt('DumpDatabase', 'failed', 'no room'), attempt('AbandonBackup', 'failed', 'no way back')],
      null,
      {
        reason: 'DumpDatabase failed: no room; then AbandonBackup, which clears up, failed for good: no way back',
        failedStep: 'AbandonBackup',
        error: 'Odd',
      },
    ],
    [
      'a compensation that never got so far as the journal',
      end('FAILED', { error: 'Runtime.ExitError', cause: '' }),
      [attempt('DumpDatabase', 'failed', 'no room')],
      null,
      {
        reason: 'DumpDatabase failed: no room; then clearing up failed for good: its function ended without an answer',
        failedStep: 'DumpDatabase',
        error: 'Runtime.ExitError',
      },
    ],
    [
      'a failure after a step that a retry had saved',
      end('FAILED', { error: 'Odd', cause: lambdaError('later') }),
      [attempt('OpenBackup', 'failed', 'once'), attempt('OpenBackup', 'succeeded')],
      null,
      { reason: 'later', failedStep: 'OpenBackup', error: 'Odd' },
    ],
    [
      'an execution that is gone',
      end('UNKNOWN'),
      [],
      null,
      { reason: 'its execution is gone; Step Functions does not know it', error: 'ExecutionDoesNotExist' },
    ],
  ])('%s', (_what, ended, steps, parent, recorded) => {
    expect(describeEnd(ended, steps, parent)).toMatchObject(recorded);
  });
});

describe('an event about an execution', () => {
  const event = (stateMachineArn: string) => ({
    detail: {
      executionArn: 'arn',
      stateMachineArn,
      name: 'op',
      status: 'TIMED_OUT',
      startDate: 1_000,
      stopDate: 4_000,
      input: null,
      error: null,
      cause: null,
    },
  });
  const machine = 'arn:aws:states:eu-central-1:000000000000:stateMachine:tenantry-';

  test('is read with what it leaves out', () => {
    expect(readExecutionEnd(event(`${machine}back-up-fleet`))).toEqual({
      operation: 'op',
      kind: 'back-up-fleet',
      executionArn: 'arn',
      status: 'TIMED_OUT',
      error: undefined,
      cause: undefined,
      input: undefined,
      seconds: 3,
    });
  });

  test.each(['back-up-fleet/Slices', 'prepare-placement', 'constructor', ''])(
    'of machine "%s" is no operation',
    (name) => {
      expect(readExecutionEnd(event(`${machine}${name}`))).toBeUndefined();
    },
  );
});
