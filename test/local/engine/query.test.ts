import fc from 'fast-check';
import jsonata from 'jsonata';
import { describe, expect, test } from 'vitest';
import { QueryFailure } from '../../../local/engine/failure.ts';
import { evaluate } from '../../../local/engine/query.ts';

const query = async (
  expression: string,
  input: unknown = {},
  variables: Record<string, unknown> = {},
): Promise<unknown> => evaluate(`{% ${expression} %}`, { variables, states: () => ({ input }) }, 'Output');

describe('the functions that AWS adds', () => {
  test.each([
    ['$partition([1, 2, 3], 2)', [[1, 2], [3]]],
    ['$range(0, 4, 2)', [0, 2, 4]],
    ['$range(3, 1, -1)', [3, 2, 1]],
    ["$hash('a', 'SHA-256')", 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb'],
    ['$parse(\'{"a": [1]}\')', { a: [1] }],
    ['$random(7) = $random(7)', true],
    ['$random(7) = $random(8)', false],
    ['$random() < 1', true],
  ])('%s', async (expression, want) => {
    expect(await query(expression)).toEqual(want);
  });

  test('$uuid makes version 4', async () => {
    expect(await query('$uuid()')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test.each([
    '$partition([1], 0)',
    '$range(0, 2000, 1)',
    '$range(0, 1, 0)',
    "$hash('a', 'CRC')",
    "$parse('{')",
    "$eval('1')",
  ])('%s is refused', async (expression) => {
    await expect(query(expression)).rejects.toThrow(QueryFailure);
  });
});

describe('a result', () => {
  test.each([
    ['undefined', '$states.input.missing'],
    ['a function', '$sum'],
    ['a function inside an object', '{"f": function($x) { $x }}'],
    ['an error', "$error('stop')"],
    ['a variable that nobody assigned', '$nobody'],
    ['the constructor of $states', '$states.constructor'],
  ])('that is %s is States.QueryEvaluationError', async (_what, expression) => {
    await expect(query(expression)).rejects.toMatchObject({ error: 'States.QueryEvaluationError', location: 'Output' });
  });

  test('that never comes is given up', async () => {
    await expect(query('($f := function($n) { 1 + $f($n + 1) }; $f(0))')).rejects.toThrow(QueryFailure);
  });

  test('is plain: a list that JSONata made behaves as one that came from outside', async () => {
    const list = await query('$states.input.xs[$ > 1]', { xs: [1, 2, 3] });
    expect(Object.keys(list as object)).toEqual(['0', '1']);
    expect(await query('[$xs]', {}, { xs: list })).toEqual(await query('[$xs]', {}, { xs: [2, 3] }));
  });
});

test('templates keep literals, order and lists, and name the field of a failure', async () => {
  const template = { b: '{% 1 %}', a: [{ c: '{% $states.input.n + 1 %}' }, 'x'], n: null };
  const scope = { variables: {}, states: () => ({ input: { n: 1 } }) };
  const result = await evaluate(template, scope, 'Output');
  expect(result).toEqual({ b: 1, a: [{ c: 2 }, 'x'], n: null });
  expect(Object.keys(result as object)).toEqual(['b', 'a', 'n']);
  const missing = async (): Promise<unknown> => evaluate({ a: ['{% $states.input.x %}'] }, scope, 'Arguments');
  await expect(missing()).rejects.toMatchObject({ location: 'Arguments/a/0' });
});

test('a path without the interpreter answers what JSONata answers', async () => {
  const name = fc.constantFrom('a', 'b', 'length', 'constructor', 'and');
  const paths = fc.array(name, { maxLength: 3 }).map((steps) => ['$states', 'input', ...steps].join('.'));
  const leaf = fc.oneof(fc.constant(null), fc.integer(), fc.string(), fc.boolean());
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3 },
      leaf,
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(name, tie('tree'), { maxKeys: 3, noNullPrototype: true }),
    ),
  }));
  await fc.assert(
    fc.asyncProperty(paths, tree, async (path, input) => {
      const want = await jsonata(path).evaluate(undefined, { states: { input } });
      if (want === undefined || typeof want === 'function')
        await expect(query(path, input)).rejects.toThrow(QueryFailure);
      else expect(await query(path, input)).toEqual(JSON.parse(JSON.stringify(want)));
    }),
    { numRuns: 500 },
  );
});
