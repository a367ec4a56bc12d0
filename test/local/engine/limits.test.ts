import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { functionArn, type Laptop, only, openLaptop } from './laptop.ts';

let laptop: Laptop;

beforeEach(() => {
  laptop = openLaptop({ handlers: { large: (event: { bytes: number }) => 'x'.repeat(event.bytes) } });
});
afterEach(() => laptop.close());

const limit = 262_144;

describe('256 KiB', () => {
  test('is what a task may answer, and not a byte more', async () => {
    const machine = only({ Type: 'Task', Resource: functionArn('large'), Output: '{% $length($states.result) %}' });
    expect((await laptop.run(machine, { bytes: limit - 2 })).output).toBe(limit - 2);
    const { execution } = await laptop.run(machine, { bytes: limit - 1 });
    expect(execution.error).toBe('States.DataLimitExceeded');
  });

  test('is counted in UTF-8', async () => {
    const machine = only({
      Type: 'Pass',
      Output: "{% $join($map($range(1, 1000, 1), function($i) { $pad('', 90, 'é') })) %}",
    });
    expect((await laptop.run(machine)).output).toHaveLength(90_000);
    const wide = only({
      Type: 'Pass',
      Output: "{% $join($map($range(1, 1000, 1), function($i) { $pad('', 140, 'é') })) %}",
    });
    expect((await laptop.run(wide)).execution.error).toBe('States.DataLimitExceeded');
  });

  test('cannot be passed by variables of one Assign', async () => {
    const machine = only({
      Type: 'Task',
      Resource: functionArn('large'),
      Assign: { a: '{% $states.result %}', b: '{% $states.result %}' },
      Output: 1,
    });
    expect((await laptop.run(machine, { bytes: 100_000 })).output).toBe(1);
    expect((await laptop.run(machine, { bytes: 140_000 })).execution.error).toBe('States.DataLimitExceeded');
  });

  test('is not caught by States.ALL, only by its own name', async () => {
    const machine = (name: string): object => ({
      StartAt: 'T',
      States: {
        T: {
          Type: 'Task',
          Resource: functionArn('large'),
          Catch: [{ ErrorEquals: [name], Output: 'caught', Next: 'C' }],
          End: true,
        },
        C: { Type: 'Pass', End: true },
      },
    });
    expect((await laptop.run(machine('States.ALL'), { bytes: limit })).execution.status).toBe('FAILED');
    expect((await laptop.run(machine('States.DataLimitExceeded'), { bytes: limit })).output).toBe('caught');
  });

  test('is what an execution may be started with', async () => {
    const machine = await laptop.create('m', only({ Type: 'Pass' }));
    await expect(laptop.start(machine, 'x'.repeat(limit))).rejects.toMatchObject({ name: 'InvalidExecutionInput' });
  });
});

test('an execution that reaches 25,000 events fails and cannot be redriven', async () => {
  const machine = {
    StartAt: 'A',
    States: {
      A: { Type: 'Pass', Next: 'B' },
      B: { Type: 'Choice', Choices: [{ Condition: '{% false %}', Next: 'Z' }], Default: 'A' },
      Z: { Type: 'Succeed' },
    },
  };
  const { arn, execution } = await laptop.run(machine);
  expect(execution).toMatchObject({ status: 'FAILED', error: 'States.Runtime', redriveStatus: 'NOT_REDRIVABLE' });
  expect(execution.cause).toContain('25000');
  const [last] = (
    await laptop.call<{ events: { id: number; type: string }[] }>('GetExecutionHistory', {
      executionArn: arn,
      reverseOrder: true,
      maxResults: 1,
    })
  ).events;
  expect(last).toMatchObject({ id: 25_000, type: 'ExecutionFailed' });
});

describe('the name of an execution', () => {
  test.each([
    ['has a space', 'a b'],
    ['has a colon', 'a:b'],
    ['has a slash', 'a/b'],
    ['has a bracket', 'a{b'],
    ['has a control character', 'a\u0007'],
    ['is longer than 80 characters', 'x'.repeat(81)],
    ['is empty', ''],
  ])('is refused when it %s', async (_why, name) => {
    const machine = await laptop.create('m', only({ Type: 'Pass' }));
    await expect(laptop.start(machine, {}, name)).rejects.toMatchObject({ name: 'InvalidName' });
  });

  test('starts once: the same input while open answers the same execution, anything else is refused', async () => {
    const machine = await laptop.create('m', only({ Type: 'Wait', Seconds: 600 }));
    const start = (input: object) =>
      laptop.call<{ executionArn: string; startDate: Date }>('StartExecution', {
        stateMachineArn: machine,
        name: 'once',
        input: JSON.stringify(input),
      });
    const first = await start({ a: 1 });
    expect(await start({ a: 1 })).toEqual(first);
    await expect(start({ a: 2 })).rejects.toMatchObject({ name: 'ExecutionAlreadyExists' });
    await laptop.call('StopExecution', { executionArn: first.executionArn });
    await expect(start({ a: 1 })).rejects.toMatchObject({ name: 'ExecutionAlreadyExists' });
    expect(await laptop.history(first.executionArn)).toHaveLength(3);
  });

  test('is won by one of twenty that start at once', async () => {
    const machine = await laptop.create('m', only({ Type: 'Pass' }));
    const starts = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => laptop.start(machine, { index }, 'race')),
    );
    expect(starts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});
