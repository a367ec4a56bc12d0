import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { functionArn, type Laptop, only, openLaptop } from './laptop.ts';

let attempts = 0;
let laptop: Laptop;

const failing = (name: string, message: string): never => {
  throw Object.assign(new Error(message), { name });
};

beforeAll(() => {
  laptop = openLaptop({
    handlers: {
      echo: (event: unknown) => event,
      third: () => {
        attempts += 1;
        return attempts < 3 ? failing('TenantBusy', 'held') : `after ${attempts}`;
      },
      broken: () => failing('CopyMismatch', 'differs'),
      stuck: (_event: unknown, signal) =>
        new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Error('ended')))),
    },
  });
});
afterAll(() => laptop.close());

const output = async (definition: object, input?: unknown): Promise<unknown> => {
  const done = await laptop.run(definition, input);
  expect(done.execution.error, done.execution.cause).toBeUndefined();
  return done.output;
};

describe('Task failures', () => {
  test('are retried after growing pauses until the handler succeeds', async () => {
    attempts = 0;
    const before = Date.now();
    const Retry = [
      { ErrorEquals: ['TenantBusy'], IntervalSeconds: 1, BackoffRate: 2, MaxDelaySeconds: 1, MaxAttempts: 3 },
    ];
    const machine = only({
      Type: 'Task',
      Resource: functionArn('third'),
      Retry,
      Output: "{% $states.result & ' ' & $states.context.State.RetryCount %}",
    });
    expect(await output(machine)).toBe('after 3 2');
    expect(Date.now() - before).toBeGreaterThanOrEqual(2_000);
  });

  test('carry the name the handler threw and its whole answer as cause', async () => {
    const machine = {
      StartAt: 'T',
      States: {
        T: {
          Type: 'Task',
          Resource: functionArn('broken'),
          Catch: [{ ErrorEquals: ['CopyMismatch'], Assign: { failure: '{% $states.errorOutput %}' }, Next: 'F' }],
          End: true,
        },
        F: {
          Type: 'Pass',
          Output: {
            error: '{% $failure.Error %}',
            message: '{% $parse($failure.Cause).errorMessage %}',
            input: '{% $states.input.Error %}',
          },
          End: true,
        },
      },
    };
    expect(await output(machine, { a: 1 })).toEqual({
      error: 'CopyMismatch',
      message: 'differs',
      input: 'CopyMismatch',
    });
  });

  test('of a function that is not there are errors of Lambda', async () => {
    const { execution } = await laptop.run(only({ Type: 'Task', Resource: functionArn('nobody') }));
    expect(execution.error).toBe('Lambda.ResourceNotFoundException');
    expect(execution.cause).toContain('Service: AWSLambda');
  });

  test.each([
    ['TimeoutSeconds', { TimeoutSeconds: 1 }, 'States.Timeout'],
    ['HeartbeatSeconds', { TimeoutSeconds: 60, HeartbeatSeconds: '{% $states.input.h %}' }, 'States.HeartbeatTimeout'],
  ])('by %s end the handler and are caught by States.Timeout', async (_field, limits, error) => {
    const machine = {
      StartAt: 'T',
      States: {
        T: {
          Type: 'Task',
          Resource: functionArn('stuck'),
          ...limits,
          Catch: [{ ErrorEquals: ['States.Timeout'], Next: 'F' }],
          End: true,
        },
        F: { Type: 'Pass', End: true },
      },
    };
    expect(await output(machine, { h: 1 })).toEqual({ Error: error });
  });

  test('a machine that lasts too long is TIMED_OUT', async () => {
    const { execution } = await laptop.run({ TimeoutSeconds: 1, ...only({ Type: 'Wait', Seconds: 600 }) });
    expect(execution).toMatchObject({ status: 'TIMED_OUT', redriveStatus: 'REDRIVABLE' });
    expect(execution.error).toBeUndefined();
  });
});

describe('integrations', () => {
  test('lambda:invoke wraps payload and answer', async () => {
    const machine = only({
      Type: 'Task',
      Resource: 'arn:aws:states:::lambda:invoke',
      Arguments: { FunctionName: functionArn('echo'), Payload: '{% $states.input %}' },
      Output: '{% {"payload": $states.result.Payload, "status": $states.result.StatusCode} %}',
    });
    expect(await output(machine, { a: 1 })).toEqual({ payload: { a: 1 }, status: 200 });
  });

  test('events:putEvents sends Detail as text and names the execution', async () => {
    const Entries = [
      {
        EventBusName: 'tenantry',
        Source: 'tenantry',
        DetailType: 'TenantMigrated',
        Detail: { a: '{% $states.input.a %}' },
      },
    ];
    const { arn, output: answer } = await laptop.run(
      only({ Type: 'Task', Resource: 'arn:aws:states:::events:putEvents', Arguments: { Entries } }),
      { a: 1 },
    );
    expect(answer).toEqual({ Entries: [{ EventId: 'e-0' }], FailedEntryCount: 0 });
    const entry = laptop.published.find(({ DetailType }) => DetailType === 'TenantMigrated')!;
    expect(JSON.parse(entry.Detail!)).toEqual({ a: 1 });
    expect(entry.Resources).toContain(arn);
  });

  test('an entry that the bus refuses fails the task', async () => {
    const refusing = openLaptop({ failedEntries: 1 });
    try {
      const Arguments = { Entries: [{ Source: 's', DetailType: 'd', Detail: {} }] };
      const { execution } = await refusing.run(
        only({ Type: 'Task', Resource: 'arn:aws:states:::events:putEvents', Arguments }),
      );
      expect(execution.error).toBe('EventBridge.FailedEntry');
    } finally {
      refusing.close();
    }
  });

  test('startExecution.sync:2 answers the parsed output of the child', async () => {
    const child = await laptop.create('child', only({ Type: 'Pass', Output: '{% {"n": $states.input.n + 1} %}' }));
    const Arguments = { StateMachineArn: child, Name: 'child-1', Input: { n: '{% $states.input.n %}' } };
    const machine = only({ Type: 'Task', Resource: 'arn:aws:states:::states:startExecution.sync:2', Arguments });
    expect(await output(machine, { n: 1 })).toMatchObject({
      Output: { n: 2 },
      Input: { n: 1 },
      Name: 'child-1',
      Status: 'SUCCEEDED',
    });
  });

  test('a child that fails is States.TaskFailed with the described child as cause', async () => {
    const child = await laptop.create('failing-child', {
      StartAt: 'F',
      States: { F: { Type: 'Fail', Error: 'Broken', Cause: 'why' } },
    });
    const { execution } = await laptop.run(
      only({
        Type: 'Task',
        Resource: 'arn:aws:states:::states:startExecution.sync:2',
        Arguments: { StateMachineArn: child },
      }),
    );
    expect(execution.error).toBe('States.TaskFailed');
    expect(JSON.parse(execution.cause!)).toMatchObject({
      Status: 'FAILED',
      Error: 'Broken',
      Cause: 'why',
      Input: '{}',
    });
  });

  test('a token is answered once, by success or by failure', async () => {
    const tokens: string[] = [];
    const asking = openLaptop({ handlers: { ask: (event: { token: string }) => void tokens.push(event.token) } });
    try {
      const machine = await asking.create('ask', {
        StartAt: 'Ask',
        States: {
          Ask: {
            Type: 'Task',
            Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken',
            TimeoutSeconds: 600,
            Arguments: { FunctionName: functionArn('ask'), Payload: { token: '{% $states.context.Task.Token %}' } },
            Catch: [{ ErrorEquals: ['RestoreRejected'], Output: '{% $states.errorOutput.Cause %}', Next: 'No' }],
            End: true,
          },
          No: { Type: 'Pass', End: true },
        },
      });
      const yes = await asking.start(machine);
      await asking.event(yes, 'TaskSubmitted');
      await asking.call('SendTaskHeartbeat', { taskToken: tokens[0] });
      await asking.call('SendTaskSuccess', { taskToken: tokens[0], output: '{"approved":true}' });
      expect((await asking.ended(yes)).output).toBe('{"approved":true}');
      const no = await asking.start(machine);
      await asking.event(no, 'TaskSubmitted');
      await asking.call('SendTaskFailure', { taskToken: tokens[1], error: 'RestoreRejected', cause: 'not now' });
      expect((await asking.ended(no)).output).toBe('"not now"');
      await expect(asking.call('SendTaskSuccess', { taskToken: tokens[0], output: '1' })).rejects.toMatchObject({
        name: 'TaskTimedOut',
      });
      await expect(asking.call('SendTaskSuccess', { taskToken: 'no-token', output: '1' })).rejects.toMatchObject({
        name: 'InvalidToken',
      });
      await expect(asking.call('SendTaskSuccess', { taskToken: tokens[1], output: 'x' })).rejects.toMatchObject({
        name: 'InvalidOutput',
      });
    } finally {
      asking.close();
    }
  });
});
