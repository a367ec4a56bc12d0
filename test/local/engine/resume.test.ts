import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { functionArn, type Laptop, machineArnOf, only, openLaptop } from './laptop.ts';

let directory: string;
let calls: string[];
const open: Laptop[] = [];

const life = (): Laptop => {
  const laptop = openLaptop({
    directory,
    handlers: {
      ask: (event: { token: string }) => void calls.push(event.token),
      stuck: (event: { id?: string }) => {
        calls.push(event.id ?? 'stuck');
        return new Promise(() => {});
      },
      quick: () => {
        calls.push('quick');
        return 'done';
      },
    },
  });
  open.push(laptop);
  return laptop;
};

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'resume-'));
  calls = [];
});
afterEach(() => {
  for (const laptop of open.splice(0)) laptop.close();
  rmSync(directory, { recursive: true, force: true });
});

const asking = (fields: object): object =>
  only({
    Type: 'Task',
    Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken',
    Arguments: { FunctionName: functionArn('ask'), Payload: { token: '{% $states.context.Task.Token %}' } },
    ...fields,
  });

test('closing ends nothing: the next life goes on, and the token of the first is taken', async () => {
  const first = life();
  const arn = await first.start(await first.create('m', asking({})));
  await first.event(arn, 'TaskSubmitted');
  first.close();
  const second = life();
  expect(second.states.resume()).toEqual([arn]);
  await second.call('SendTaskSuccess', { taskToken: calls[0], output: '"yes"' });
  expect((await second.ended(arn)).output).toBe('"yes"');
  expect(calls).toHaveLength(1);
});

test('an answer that came just before the kill is not lost', async () => {
  const first = life();
  const arn = await first.start(await first.create('m', asking({})));
  await first.event(arn, 'TaskSubmitted');
  const answered = first.call('SendTaskSuccess', { taskToken: calls[0], output: '"yes"' });
  first.close();
  await answered.catch(() => {});
  const second = life();
  second.states.resume();
  expect((await second.ended(arn)).output).toBe('"yes"');
});

test.each([
  ['time-out', { TimeoutSeconds: 1 }, 'States.Timeout'],
  ['heartbeat', { TimeoutSeconds: 60, HeartbeatSeconds: 1 }, 'States.HeartbeatTimeout'],
])('the %s of a callback runs on while nobody is there', async (_what, limits, error) => {
  const first = life();
  const arn = await first.start(await first.create('m', asking(limits)));
  await first.event(arn, 'TaskSubmitted');
  const closed = Date.now();
  first.close();
  // Busy on purpose: the engine is gone, only the clock runs.
  while (Date.now() < closed + 1_050);
  const second = life();
  const resumed = Date.now();
  second.states.resume();
  expect((await second.ended(arn)).error).toBe(error);
  expect(Date.now() - resumed).toBeLessThan(900);
});

test('an execution whose machine timed out meanwhile ends at once and calls nothing again', async () => {
  const first = life();
  const machine = await first.create('m', {
    TimeoutSeconds: 1,
    ...only({ Type: 'Task', Resource: functionArn('stuck') }),
  });
  const arn = await first.start(machine);
  await first.event(arn, 'LambdaFunctionStarted');
  const closed = Date.now();
  first.close();
  while (Date.now() < closed + 1_050);
  const before = calls.length;
  const second = life();
  second.states.resume();
  expect((await second.ended(arn)).status).toBe('TIMED_OUT');
  expect(calls).toHaveLength(before);
});

test('a Retry back-off keeps its end', async () => {
  const first = life();
  const Retry = [{ ErrorEquals: ['Lambda.ResourceNotFoundException'], IntervalSeconds: 1, MaxAttempts: 1 }];
  const arn = await first.start(
    await first.create('m', only({ Type: 'Task', Resource: functionArn('nobody'), Retry })),
  );
  await first.event(arn, 'LambdaFunctionFailed');
  const closed = Date.now();
  first.close();
  while (Date.now() < closed + 1_050);
  const second = life();
  const resumed = Date.now();
  second.states.resume();
  expect((await second.ended(arn)).error).toBe('Lambda.ResourceNotFoundException');
  expect(Date.now() - resumed).toBeLessThan(900);
});

test('a nested execution is waited for again, not started again; when the parent is stopped it is stopped too', async () => {
  const first = life();
  await first.create('child', only({ Type: 'Task', Resource: functionArn('stuck') }));
  const Arguments = { StateMachineArn: machineArnOf('child') };
  const parent = await first.create(
    'parent',
    only({ Type: 'Task', Resource: 'arn:aws:states:::states:startExecution.sync:2', Arguments }),
  );
  const arn = await first.start(parent);
  await first.event(arn, 'TaskSubmitted');
  first.close();
  const second = life();
  expect(second.states.resume()).toHaveLength(2);
  type List = { executions: { executionArn: string; status: string }[] };
  const children = (): Promise<List> => second.call<List>('ListExecutions', { stateMachineArn: machineArnOf('child') });
  expect((await children()).executions.map(({ status }) => status)).toEqual(['RUNNING']);
  await second.call('StopExecution', { executionArn: arn });
  expect((await children()).executions.map(({ status }) => status)).toEqual(['ABORTED']);
});

test('a task that was in flight is called again with the very same arguments, and nothing else is', async () => {
  const first = life();
  const machine = await first.create('m', {
    StartAt: 'A',
    States: {
      A: { Type: 'Task', Resource: functionArn('quick'), Next: 'B' },
      B: { Type: 'Task', Resource: functionArn('stuck'), Arguments: { id: '{% $uuid() %}' }, End: true },
    },
  });
  const arn = await first.start(machine);
  await first.event(arn, 'LambdaFunctionSucceeded');
  await first.event(arn, 'TaskStateExited');
  const before = await first.history(arn);
  first.close();
  const second = life();
  second.states.resume();
  expect(await second.history(arn)).toEqual(before);
  expect(calls).toEqual(['quick', calls[1], calls[1]]);
  expect(calls[1]).toMatch(/^[0-9a-f-]{36}$/);
});

test('a Parallel that is in the back-off of its Retry begins all branches anew', async () => {
  const line = (name: string, task: string): object => ({
    StartAt: name,
    States: { [name]: { Type: 'Task', Resource: functionArn(task), End: true } },
  });
  const first = life();
  const Retry = [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 1, MaxAttempts: 1 }];
  const bad = {
    StartAt: 'Pause',
    States: { Pause: { Type: 'Wait', Seconds: 1, Next: 'Bad' }, Bad: { Type: 'Fail', Error: 'E' } },
  };
  const machine = only({ Type: 'Parallel', Branches: [line('Good', 'quick'), bad], Retry });
  const arn = await first.start(await first.create('m', machine));
  await first.event(arn, 'FailStateEntered');
  first.close();
  expect(calls).toEqual(['quick']);
  const second = life();
  second.states.resume();
  expect((await second.ended(arn)).error).toBe('E');
  expect(calls).toEqual(['quick', 'quick']);
  const started = (await second.history(arn)).filter(({ type }) => type === 'ParallelStateStarted');
  expect(started).toHaveLength(2);
});
