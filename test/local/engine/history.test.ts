import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { functionArn, type Laptop, machineArnOf, only, openLaptop, shape } from './laptop.ts';

let laptop: Laptop;

beforeEach(() => {
  laptop = openLaptop({
    handlers: {
      echo: (event: unknown) => event,
      broken: () => {
        throw Object.assign(new Error('differs'), { name: 'CopyMismatch' });
      },
      stuck: () => new Promise(() => {}),
    },
  });
});
afterEach(() => laptop.close());

const historyOf = async (definition: object, input?: unknown) => {
  const { arn } = await laptop.run(definition, input);
  return laptop.history(arn);
};

/** Shapes below are those of histories that were recorded from AWS (public test data of LocalStack, Apache-2.0). */
describe('ids and previous ids are AWS’s', () => {
  test('for a line of states', async () => {
    const events = await historyOf(
      { StartAt: 'A', States: { A: { Type: 'Pass', Next: 'B' }, B: { Type: 'Succeed' } } },
      { a: 1 },
    );
    expect(shape(events)).toEqual([
      '1<0 ExecutionStarted',
      '2<0 PassStateEntered',
      '3<2 PassStateExited',
      '4<3 SucceedStateEntered',
      '5<4 SucceedStateExited',
      '6<5 ExecutionSucceeded',
    ]);
    expect(events[0]!.executionStartedEventDetails).toEqual({
      input: '{"a":1}',
      inputDetails: { truncated: false },
      roleArn: 'arn:aws:iam::000000000000:role/states',
    });
    expect(events[1]!.stateEnteredEventDetails).toEqual({
      name: 'A',
      input: '{"a":1}',
      inputDetails: { truncated: false },
    });
    expect(events[2]!.stateExitedEventDetails).toEqual({
      name: 'A',
      output: '{"a":1}',
      outputDetails: { truncated: false },
    });
    expect(events[5]!.executionSucceededEventDetails).toEqual({
      output: '{"a":1}',
      outputDetails: { truncated: false },
    });
  });

  test('for a function named by its ARN', async () => {
    const events = await historyOf(only({ Type: 'Task', Resource: functionArn('echo'), TimeoutSeconds: 5 }), { a: 1 });
    expect(shape(events).slice(1, 6)).toEqual([
      '2<0 TaskStateEntered',
      '3<2 LambdaFunctionScheduled',
      '4<3 LambdaFunctionStarted',
      '5<4 LambdaFunctionSucceeded',
      '6<5 TaskStateExited',
    ]);
    expect(events[2]!.lambdaFunctionScheduledEventDetails).toEqual({
      resource: functionArn('echo'),
      timeoutInSeconds: 5,
      input: '{"a":1}',
      inputDetails: { truncated: false },
    });
    expect(Object.keys(events[3]!).toSorted()).toEqual(['id', 'previousEventId', 'timestamp', 'type']);
    expect(events[4]!.lambdaFunctionSucceededEventDetails).toEqual({
      output: '{"a":1}',
      outputDetails: { truncated: false },
    });
  });

  test('for a function that fails and for one that is too slow', async () => {
    const failed = await historyOf(only({ Type: 'Task', Resource: functionArn('broken') }));
    expect(shape(failed).slice(3)).toEqual([
      '4<3 LambdaFunctionStarted',
      '5<4 LambdaFunctionFailed',
      '6<5 ExecutionFailed',
    ]);
    expect(failed[4]!.lambdaFunctionFailedEventDetails!.error).toBe('CopyMismatch');
    expect(failed[5]!.executionFailedEventDetails).toEqual(failed[4]!.lambdaFunctionFailedEventDetails);
    const slow = await historyOf(only({ Type: 'Task', Resource: functionArn('stuck'), TimeoutSeconds: 1 }));
    expect(shape(slow).slice(3)).toEqual([
      '4<3 LambdaFunctionStarted',
      '5<4 LambdaFunctionTimedOut',
      '6<5 ExecutionFailed',
    ]);
    expect(slow[4]!.lambdaFunctionTimedOutEventDetails).toEqual({ error: 'States.Timeout' });
    expect(slow[5]!.executionFailedEventDetails).toEqual({ error: 'States.Timeout' });
  });

  test('for lambda:invoke', async () => {
    const Arguments = { FunctionName: functionArn('echo'), Payload: {} };
    const events = await historyOf(
      only({
        Type: 'Task',
        Resource: 'arn:aws:states:::lambda:invoke',
        Arguments,
        TimeoutSeconds: 9,
        HeartbeatSeconds: 8,
      }),
    );
    expect(shape(events).slice(2, 6)).toEqual([
      '3<2 TaskScheduled',
      '4<3 TaskStarted',
      '5<4 TaskSucceeded',
      '6<5 TaskStateExited',
    ]);
    expect(events[2]!.taskScheduledEventDetails).toEqual({
      resource: 'invoke',
      resourceType: 'lambda',
      region: 'eu-central-1',
      timeoutInSeconds: 9,
      heartbeatInSeconds: 8,
      parameters: JSON.stringify(Arguments),
    });
    expect(events[3]!.taskStartedEventDetails).toEqual({ resource: 'invoke', resourceType: 'lambda' });
    expect(events[4]!.taskSucceededEventDetails).toMatchObject({
      resource: 'invoke',
      resourceType: 'lambda',
      outputDetails: { truncated: false },
    });
  });

  test('for a nested execution', async () => {
    await laptop.create('child', only({ Type: 'Pass' }));
    const Arguments = { StateMachineArn: machineArnOf('child') };
    const events = await historyOf(
      only({ Type: 'Task', Resource: 'arn:aws:states:::states:startExecution.sync:2', Arguments }),
    );
    expect(shape(events).slice(2, 7)).toEqual([
      '3<2 TaskScheduled',
      '4<3 TaskStarted',
      '5<4 TaskSubmitted',
      '6<5 TaskSucceeded',
      '7<6 TaskStateExited',
    ]);
    expect(events[4]!.taskSubmittedEventDetails).toMatchObject({
      resource: 'startExecution.sync:2',
      resourceType: 'states',
    });
  });

  test('for a Parallel of two branches', async () => {
    const branch = (name: string): object => ({ StartAt: name, States: { [name]: { Type: 'Pass', End: true } } });
    const events = await historyOf(only({ Type: 'Parallel', Branches: [branch('One'), branch('Two')] }));
    expect(shape(events)).toEqual([
      '1<0 ExecutionStarted',
      '2<0 ParallelStateEntered',
      '3<2 ParallelStateStarted',
      '4<3 PassStateEntered',
      '5<3 PassStateEntered',
      '6<4 PassStateExited',
      '7<5 PassStateExited',
      '8<7 ParallelStateSucceeded',
      '9<7 ParallelStateExited',
      '10<9 ExecutionSucceeded',
    ]);
  });

  test('for a Map of one place: an iteration names the last event of the one before it', async () => {
    const ItemProcessor = { StartAt: 'Each', States: { Each: { Type: 'Pass', End: true } } };
    const events = await historyOf(only({ Type: 'Map', MaxConcurrency: 1, ItemProcessor }), ['a', 'b']);
    expect(shape(events)).toEqual([
      '1<0 ExecutionStarted',
      '2<0 MapStateEntered',
      '3<2 MapStateStarted',
      '4<3 MapIterationStarted',
      '5<4 PassStateEntered',
      '6<5 PassStateExited',
      '7<6 MapIterationSucceeded',
      '8<6 MapIterationStarted',
      '9<8 PassStateEntered',
      '10<9 PassStateExited',
      '11<10 MapIterationSucceeded',
      '12<11 MapStateSucceeded',
      '13<11 MapStateExited',
      '14<13 ExecutionSucceeded',
    ]);
    expect(events[2]!.mapStateStartedEventDetails).toEqual({ length: 2 });
    expect(events[3]!.mapIterationStartedEventDetails).toEqual({ name: 'Only', index: 0 });
  });

  test('for a Map that fails, is retried, and is caught', async () => {
    const ItemProcessor = { StartAt: 'Each', States: { Each: { Type: 'Fail', Error: 'E', Cause: 'c' } } };
    const machine = {
      StartAt: 'M',
      States: {
        M: {
          Type: 'Map',
          ItemProcessor,
          Retry: [{ ErrorEquals: ['E'], MaxAttempts: 1, IntervalSeconds: 1 }],
          Catch: [{ ErrorEquals: ['States.ALL'], Next: 'R' }],
          End: true,
        },
        R: { Type: 'Pass', End: true },
      },
    };
    expect(shape(await historyOf(machine, ['a'])).slice(2)).toEqual([
      '3<2 MapStateStarted',
      '4<3 MapIterationStarted',
      '5<4 FailStateEntered',
      '6<5 MapIterationFailed',
      '7<5 MapStateStarted',
      '8<7 MapIterationStarted',
      '9<8 FailStateEntered',
      '10<9 MapIterationFailed',
      '11<9 MapStateFailed',
      '12<11 MapStateExited',
      '13<12 PassStateEntered',
      '14<13 PassStateExited',
      '15<14 ExecutionSucceeded',
    ]);
  });

  test('for the siblings of an iteration that fails: all name the event of the failure', async () => {
    const ItemProcessor = {
      StartAt: 'Which',
      States: {
        Which: { Type: 'Choice', Choices: [{ Condition: '{% $states.input = 1 %}', Next: 'Bad' }], Default: 'Long' },
        Bad: { Type: 'Task', Resource: functionArn('broken'), End: true },
        Long: { Type: 'Task', Resource: functionArn('stuck'), End: true },
      },
    };
    const events = await historyOf(only({ Type: 'Map', ItemProcessor }), [1, 2]);
    const failure = events.find(({ type }) => type === 'LambdaFunctionFailed')!.id!;
    expect(shape(events).slice(failure)).toEqual([
      `${failure + 1}<${failure} MapIterationFailed`,
      `${failure + 2}<${failure} TaskStateAborted`,
      `${failure + 3}<${failure} MapIterationAborted`,
      `${failure + 4}<${failure} MapStateFailed`,
      `${failure + 5}<${failure + 4} ExecutionFailed`,
    ]);
  });

  test('for an expression that fails', async () => {
    const events = await historyOf(only({ Type: 'Pass', Output: { deep: '{% $states.input.missing %}' } }));
    expect(shape(events).slice(1)).toEqual(['2<0 PassStateEntered', '3<2 EvaluationFailed', '4<3 ExecutionFailed']);
    expect(events[2]!.evaluationFailedEventDetails).toMatchObject({
      error: 'States.QueryEvaluationError',
      location: 'Output/deep',
      state: 'Only',
    });
    expect(events[2]!.evaluationFailedEventDetails!.cause).toContain('returned nothing (undefined)');
  });

  test('for an execution that is stopped', async () => {
    const arn = await laptop.start(await laptop.create('w', only({ Type: 'Wait', Seconds: 600 })));
    await laptop.call('StopExecution', { executionArn: arn });
    const events = await laptop.history(arn);
    expect(shape(events)).toEqual(['1<0 ExecutionStarted', '2<0 WaitStateEntered', '3<0 ExecutionAborted']);
    expect(events[2]!.executionAbortedEventDetails).toEqual({});
  });
});

test('assigned variables stand in the event of the state that assigned them', async () => {
  const events = await historyOf(only({ Type: 'Pass', Assign: { v: { a: 1 } } }));
  expect(events[2]!.stateExitedEventDetails).toMatchObject({
    assignedVariables: { v: '{"a":1}' },
    assignedVariablesDetails: { truncated: false },
  });
});

test('history is read in pages, in either order, and without data', async () => {
  const { arn } = await laptop.run(only({ Type: 'Pass' }), { secret: 1 });
  type Page = { events: { id: number; stateEnteredEventDetails?: object }[]; nextToken?: string };
  const first = await laptop.call<Page>('GetExecutionHistory', {
    executionArn: arn,
    maxResults: 3,
    reverseOrder: true,
  });
  expect(first.events.map(({ id }) => id)).toEqual([4, 3, 2]);
  const second = await laptop.call<Page>('GetExecutionHistory', {
    executionArn: arn,
    maxResults: 3,
    reverseOrder: true,
    nextToken: first.nextToken,
  });
  expect(second.events.map(({ id }) => id)).toEqual([1]);
  expect(second.nextToken).toBeUndefined();
  const bare = await laptop.call<Page>('GetExecutionHistory', { executionArn: arn, includeExecutionData: false });
  expect(JSON.stringify(bare)).not.toContain('secret');
  expect(bare.events[1]!.stateEnteredEventDetails).toEqual({ name: 'Only', inputDetails: { truncated: false } });
  await expect(laptop.call('GetExecutionHistory', { executionArn: arn, nextToken: 'x' })).rejects.toMatchObject({
    name: 'InvalidToken',
  });
});
