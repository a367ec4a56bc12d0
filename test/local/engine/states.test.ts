import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { functionArn, type Laptop, only, openLaptop } from './laptop.ts';

let laptop: Laptop;

beforeAll(() => {
  laptop = openLaptop({
    handlers: {
      double: (event: number) => event * 2,
      broken: () => {
        throw Object.assign(new Error('differs'), { name: 'CopyMismatch' });
      },
    },
  });
});
afterAll(() => laptop.close());

const output = async (definition: object, input?: unknown): Promise<unknown> => {
  const done = await laptop.run(definition, input);
  expect(done.execution.error, done.execution.cause).toBeUndefined();
  return done.output;
};

const twoStates = (first: object, second: object): object => ({
  StartAt: 'A',
  States: { A: { Next: 'B', ...first }, B: { End: true, ...second } },
});

describe('Pass', () => {
  test('hands its input on when it says nothing', async () => {
    expect(await output(only({ Type: 'Pass' }), { a: [1] })).toEqual({ a: [1] });
  });

  test('answers its Output with every expression replaced', async () => {
    const machine = only({
      Type: 'Pass',
      Output: { sum: '{% $states.input.a + 1 %}', text: 'plain', deep: [{ v: '{% 2 %}' }] },
    });
    expect(await output(machine, { a: 1 })).toEqual({ sum: 2, text: 'plain', deep: [{ v: 2 }] });
  });

  test('assigns variables that later states read, and assignments of one state do not see each other', async () => {
    const machine = {
      StartAt: 'A',
      States: {
        A: { Type: 'Pass', Assign: { v: 1, w: '{% $states.input.t %}' }, Next: 'B' },
        B: { Type: 'Pass', Assign: { v: '{% $v + 1 %}', old: '{% $v %}' }, Next: 'C' },
        C: { Type: 'Pass', Output: '{% {"v": $v, "old": $old, "w": $w} %}', End: true },
      },
    };
    expect(await output(machine, { t: 'z' })).toEqual({ v: 2, old: 1, w: 'z' });
  });

  test('sees the whole execution context', async () => {
    const machine = only({ Type: 'Pass', Output: '{% $states.context %}' });
    const context = (await output(machine, { q: 1 })) as Record<string, Record<string, unknown>>;
    expect(context.Execution).toMatchObject({
      Input: { q: 1 },
      RedriveCount: 0,
      RoleArn: 'arn:aws:iam::000000000000:role/states',
    });
    expect(context.Execution!.Id).toMatch(/^arn:aws:states:eu-central-1:000000000000:execution:machine-\d+:/);
    expect(String(context.Execution!.Id)).toContain(String(context.Execution!.Name));
    expect(context.Execution!.StartTime).toMatch(/^\d{4}-.*Z$/);
    expect(context.State).toMatchObject({ Name: 'Only', RetryCount: 0 });
    expect(context.State!.EnteredTime).toMatch(/Z$/);
    expect(context.StateMachine!.Id).toMatch(/stateMachine:machine-\d+$/);
  });
});

describe('Choice', () => {
  const machine = {
    StartAt: 'Which',
    States: {
      Which: {
        Type: 'Choice',
        Choices: [
          {
            Condition: "{% $states.input.tier = 'cluster' and $states.input.n > 2 %}",
            Next: 'Yes',
            Output: 'from the rule',
            Assign: { by: 'rule' },
          },
        ],
        Default: 'No',
        Output: 'from the state',
        Assign: { by: 'state' },
      },
      Yes: { Type: 'Pass', Output: '{% [$states.input, $by] %}', End: true },
      No: { Type: 'Pass', Output: '{% [$states.input, $by] %}', End: true },
    },
  };

  test('takes the first rule that holds, with the Output and Assign of the rule', async () => {
    expect(await output(machine, { tier: 'cluster', n: 3 })).toEqual(['from the rule', 'rule']);
  });

  test('takes Default otherwise, with its own', async () => {
    expect(await output(machine, { tier: 'cluster', n: 1 })).toEqual(['from the state', 'state']);
  });

  test('without a rule that holds and without Default fails the execution', async () => {
    const { execution } = await laptop.run({
      StartAt: 'C',
      States: {
        C: { Type: 'Choice', Choices: [{ Condition: '{% false %}', Next: 'P' }] },
        P: { Type: 'Pass', End: true },
      },
    });
    expect(execution.error).toBe('States.NoChoiceMatched');
  });

  test('refuses a condition that is neither true nor false', async () => {
    const { execution } = await laptop.run({
      StartAt: 'C',
      States: { C: { Type: 'Choice', Choices: [{ Condition: '{% 1 %}', Next: 'P' }] }, P: { Type: 'Pass', End: true } },
    });
    expect(execution).toMatchObject({ status: 'FAILED', error: 'States.QueryEvaluationError' });
  });
});

describe('Wait, Succeed and Fail', () => {
  test('Wait takes seconds from an expression and hands its input on', async () => {
    const before = Date.now();
    expect(await output(only({ Type: 'Wait', Seconds: '{% $states.input.s %}' }), { s: 1 })).toEqual({ s: 1 });
    expect(Date.now() - before).toBeGreaterThanOrEqual(1_000);
  });

  test('Wait until a time that has passed does not wait', async () => {
    expect(await output(only({ Type: 'Wait', Timestamp: '{% $states.input %}' }), '2020-01-01T00:00:00Z')).toBe(
      '2020-01-01T00:00:00Z',
    );
  });

  test('Wait refuses what is no time', async () => {
    const { execution } = await laptop.run(only({ Type: 'Wait', Timestamp: '{% "tomorrow" %}' }));
    expect(execution.error).toBe('States.QueryEvaluationError');
    expect(execution.cause).toContain("'Timestamp'");
  });

  test('Succeed ends the execution with its Output', async () => {
    expect(
      await output({ StartAt: 'S', States: { S: { Type: 'Succeed', Output: '{% $states.input.a %}' } } }, { a: 7 }),
    ).toBe(7);
  });

  test('Fail ends it with an error and a cause that may be expressions', async () => {
    const { execution } = await laptop.run(
      {
        StartAt: 'F',
        States: { F: { Type: 'Fail', Error: 'RestoreFailed', Cause: "{% $states.input.step & ': gone' %}" } },
      },
      { step: 'Plan' },
    );
    expect(execution).toMatchObject({ status: 'FAILED', error: 'RestoreFailed', cause: 'Plan: gone' });
  });
});

describe('Parallel', () => {
  const branch = (name: string, state: object): object => ({
    StartAt: name,
    States: { [name]: { End: true, ...state } },
  });

  test('answers the outputs of its branches in order, whichever ends first', async () => {
    const machine = only({
      Type: 'Parallel',
      Branches: [
        branch('Slow', { Type: 'Wait', Seconds: 1, Output: 'slow' }),
        branch('Fast', { Type: 'Pass', Output: '{% $states.input.x %}' }),
      ],
    });
    expect(await output(machine, { x: 'fast' })).toEqual(['slow', 'fast']);
  });

  test('branches read outer variables and keep their own to themselves', async () => {
    const machine = {
      StartAt: 'A',
      States: {
        A: { Type: 'Pass', Assign: { shared: 5 }, Next: 'P' },
        P: {
          Type: 'Parallel',
          Branches: [
            {
              StartAt: 'B1',
              States: {
                B1: { Type: 'Pass', Assign: { inner: '{% $shared + 1 %}' }, Next: 'B2' },
                B2: { Type: 'Pass', Output: '{% $inner %}', End: true },
              },
            },
          ],
          Next: 'Z',
        },
        Z: { Type: 'Pass', Output: '{% {"seen": $states.input, "leaked": $exists($inner)} %}', End: true },
      },
    };
    expect(await output(machine)).toEqual({ seen: [6], leaked: false });
  });

  test('ends the other branches when one fails and goes where Catch says', async () => {
    const machine = {
      StartAt: 'P',
      States: {
        P: {
          Type: 'Parallel',
          Branches: [
            branch('Bad', { Type: 'Task', Resource: functionArn('broken') }),
            branch('Long', { Type: 'Wait', Seconds: 3_600 }),
          ],
          Catch: [{ ErrorEquals: ['States.ALL'], Output: '{% $states.errorOutput.Error %}', Next: 'R' }],
          End: true,
        },
        R: { Type: 'Pass', End: true },
      },
    };
    expect(await output(machine)).toBe('CopyMismatch');
  });
});

describe('inline Map', () => {
  const iterate = (fields: object, state: object): object =>
    only({ Type: 'Map', ...fields, ItemProcessor: { StartAt: 'Each', States: { Each: { End: true, ...state } } } });

  test('runs a task for each item and keeps the order', async () => {
    const machine = iterate(
      { Items: '{% $states.input.xs %}', MaxConcurrency: 2 },
      { Type: 'Task', Resource: functionArn('double') },
    );
    expect(await output(machine, { xs: [1, 2, 3, 4, 5] })).toEqual([2, 4, 6, 8, 10]);
  });

  test('selects what an iteration gets, with index and value of the item', async () => {
    const ItemSelector = {
      i: '{% $states.context.Map.Item.Index %}',
      v: '{% $states.context.Map.Item.Value %}',
      k: '{% $states.input.k %}',
    };
    const machine = iterate({ Items: '{% $states.input.xs %}', ItemSelector }, { Type: 'Pass' });
    expect(await output(machine, { xs: ['a', 'b'], k: 9 })).toEqual([
      { i: 0, v: 'a', k: 9 },
      { i: 1, v: 'b', k: 9 },
    ]);
  });

  test('shows the item to the states of an iteration', async () => {
    expect(
      await output(iterate({}, { Type: 'Pass', Output: '{% $states.context.Map.Item.Index %}' }), ['a', 'b']),
    ).toEqual([0, 1]);
  });

  test('iterates over the members of an object', async () => {
    const ItemSelector = { key: '{% $states.context.Map.Item.Key %}' };
    expect(await output(iterate({ ItemSelector }, { Type: 'Pass' }), { a: 1, b: 2 })).toEqual([
      { key: 'a' },
      { key: 'b' },
    ]);
    expect(await output(iterate({}, { Type: 'Pass' }), { a: 1 })).toEqual([{ Key: 'a', Value: 1 }]);
  });

  test('has nothing to do for no items', async () => {
    expect(await output(iterate({}, { Type: 'Pass' }), [])).toEqual([]);
  });

  test('refuses items that are neither array nor object', async () => {
    const { execution } = await laptop.run(iterate({ Items: '{% 5 %}' }, { Type: 'Pass' }));
    expect(execution.error).toBe('States.QueryEvaluationError');
  });

  test('runs no more iterations at once than MaxConcurrency', async () => {
    let inside = 0;
    let most = 0;
    const counting = openLaptop({
      handlers: {
        count: async () => {
          inside += 1;
          most = Math.max(most, inside);
          await new Promise((resolve) => setImmediate(resolve));
          inside -= 1;
        },
      },
    });
    try {
      await counting.run(
        iterate({ MaxConcurrency: 3 }, { Type: 'Task', Resource: functionArn('count') }),
        Array.from({ length: 12 }, (_, i) => i),
      );
      expect(most).toBe(3);
    } finally {
      counting.close();
    }
  });
});

test('a state that follows another sees its output as input', async () => {
  expect(
    await output(twoStates({ Type: 'Pass', Output: 4 }, { Type: 'Pass', Output: '{% $states.input + 1 %}' })),
  ).toBe(5);
});
