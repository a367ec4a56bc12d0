import { afterEach, beforeEach, expect, test } from 'vitest';
import { functionArn, type Laptop, machineArnOf, only, openLaptop } from './laptop.ts';

let laptop: Laptop;
let broken: boolean;
let calls: string[];

beforeEach(() => {
  broken = true;
  calls = [];
  laptop = openLaptop({
    handlers: {
      sound: (event: { id: string }) => {
        calls.push(event.id);
        return event.id;
      },
      fragile: (event: { id: string }) => {
        calls.push(event.id);
        if (broken) throw Object.assign(new Error('broken'), { name: 'NoCapacity' });
        return event.id;
      },
    },
  });
});
afterEach(() => laptop.close());

const step = (name: string, id: string, fields: object = {}): object => ({
  Type: 'Task',
  Resource: functionArn(name),
  Arguments: { id },
  End: true,
  ...fields,
});

const redriven = async (arn: string) => {
  broken = false;
  calls = [];
  await laptop.call('RedriveExecution', { executionArn: arn });
  return laptop.ended(arn);
};

test('a redrive goes on from the failed state with what was assigned before, and nothing that succeeded runs again', async () => {
  const { arn, execution } = await laptop.run({
    StartAt: 'A',
    States: {
      A: step('sound', 'a', { End: undefined, Assign: { v: 7 }, Next: 'B' }),
      B: step('fragile', 'b', {
        Output: '{% {"b": $states.result, "v": $v, "redrives": $states.context.Execution.RedriveCount} %}',
      }),
    },
  });
  expect(execution).toMatchObject({ status: 'FAILED', redriveStatus: 'REDRIVABLE', redriveCount: 0 });
  const done = await redriven(arn);
  expect(JSON.parse(done.output!)).toEqual({ b: 'b', v: 7, redrives: 1 });
  expect(calls).toEqual(['b']);
  expect(done).toMatchObject({ status: 'SUCCEEDED', redriveCount: 1, redriveStatus: 'NOT_REDRIVABLE' });
  expect(done.redriveDate).toBeInstanceOf(Date);
  expect(done.error).toBeUndefined();
  const types = (await laptop.history(arn)).map(({ type }) => type);
  expect(types.filter((type) => type === 'TaskStateEntered')).toHaveLength(2);
  expect(types.slice(types.indexOf('ExecutionFailed'))).toEqual([
    'ExecutionFailed',
    'ExecutionRedriven',
    'LambdaFunctionScheduled',
    'LambdaFunctionStarted',
    'LambdaFunctionSucceeded',
    'TaskStateExited',
    'ExecutionSucceeded',
  ]);
});

test('a redrive of a Parallel and of a Map runs the failed branches and iterations again, with fresh retries', async () => {
  const Retry = [{ ErrorEquals: ['NoCapacity'], IntervalSeconds: 1, MaxAttempts: 0 }];
  const { arn } = await laptop.run({
    StartAt: 'P',
    States: {
      P: {
        Type: 'Parallel',
        Branches: [
          { StartAt: 'Good', States: { Good: step('sound', 'good') } },
          {
            StartAt: 'Each',
            States: {
              Each: {
                Type: 'Map',
                Items: '{% [1, 2] %}',
                MaxConcurrency: 1,
                ItemProcessor: {
                  StartAt: 'Which',
                  States: {
                    Which: {
                      Type: 'Choice',
                      Choices: [{ Condition: '{% $states.input = 1 %}', Next: 'One' }],
                      Default: 'Two',
                    },
                    One: step('sound', 'one'),
                    Two: step('fragile', 'two', { Retry }),
                  },
                },
                End: true,
              },
            },
          },
        ],
        End: true,
      },
    },
  });
  expect(calls).toEqual(['good', 'one', 'two']);
  const done = await redriven(arn);
  expect(JSON.parse(done.output!)).toEqual(['good', ['one', 'two']]);
  expect(calls).toEqual(['two']);
});

test('a redrive goes on inside the nested execution that failed', async () => {
  await laptop.create('child', {
    StartAt: 'C1',
    States: { C1: step('sound', 'c1', { End: undefined, Next: 'C2' }), C2: step('fragile', 'c2') },
  });
  const Arguments = { StateMachineArn: machineArnOf('child'), Name: 'nested' };
  const { arn } = await laptop.run(
    only({
      Type: 'Task',
      Resource: 'arn:aws:states:::states:startExecution.sync:2',
      Arguments,
      Output: '{% $states.result.Output %}',
    }),
  );
  const done = await redriven(arn);
  expect(done.output).toBe('"c2"');
  expect(calls).toEqual(['c2']);
  const child = await laptop.ended('arn:aws:states:eu-central-1:000000000000:execution:child:nested');
  expect(child).toMatchObject({ status: 'SUCCEEDED', redriveCount: 1 });
});

test('an execution that was stopped or timed out can be redriven, one that succeeded or runs cannot', async () => {
  const machine = await laptop.create('waits', {
    StartAt: 'W',
    TimeoutSeconds: 1,
    States: { W: { Type: 'Wait', Seconds: '{% $states.context.Execution.RedriveCount > 0 ? 0 : 3600 %}', End: true } },
  });
  const timed = await laptop.start(machine);
  expect((await laptop.ended(timed)).status).toBe('TIMED_OUT');
  expect((await redriven(timed)).status).toBe('SUCCEEDED');
  await expect(redriven(timed)).rejects.toMatchObject({
    name: 'ExecutionNotRedrivable',
    message: 'Execution is SUCCEEDED and cannot be redriven',
  });
  const stopped = await laptop.start(machine);
  await expect(redriven(stopped)).rejects.toMatchObject({ name: 'ExecutionNotRedrivable' });
  await laptop.call('StopExecution', { executionArn: stopped, error: 'Operator', cause: 'wrong tenant' });
  expect(await laptop.ended(stopped)).toMatchObject({ status: 'ABORTED', error: 'Operator', cause: 'wrong tenant' });
  expect((await redriven(stopped)).status).toBe('SUCCEEDED');
});
