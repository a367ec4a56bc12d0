import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { functionArn, openLaptop } from './laptop.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

type Node =
  | { readonly kind: 'pass'; readonly add: number }
  | { readonly kind: 'assign'; readonly add: number }
  | { readonly kind: 'task'; readonly add: number }
  | { readonly kind: 'choice'; readonly odd: readonly Node[]; readonly even: readonly Node[] }
  | { readonly kind: 'parallel'; readonly branches: readonly (readonly Node[])[] }
  | { readonly kind: 'map'; readonly size: number; readonly body: readonly Node[] }
  | { readonly kind: 'caught'; readonly body: readonly Node[] };

const add = fc.integer({ min: 0, max: 9 });
const { line } = fc.letrec<{ line: readonly Node[]; node: Node }>((tie) => ({
  line: fc.array(tie('node'), { minLength: 1, maxLength: 3 }),
  node: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.record({ kind: fc.constant('pass' as const), add }),
    fc.record({ kind: fc.constant('assign' as const), add }),
    { arbitrary: fc.record({ kind: fc.constant('task' as const), add }), weight: 5 },
    fc.record({ kind: fc.constant('choice' as const), odd: tie('line'), even: tie('line') }),
    fc.record({
      kind: fc.constant('parallel' as const),
      branches: fc.array(tie('line'), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant('map' as const), size: fc.integer({ min: 0, max: 4 }), body: tie('line') }),
    fc.record({ kind: fc.constant('caught' as const), body: tie('line') }),
  ),
}));

type States = Record<string, object>;

/** Turns a tree into states that each take a number and answer one; names and variables are numbered as they are made. */
const build = (tree: readonly Node[]): object => {
  let names = 0;
  const fresh = (what: string): string => {
    names += 1;
    return `${what}${names}`;
  };
  const machineOf = (nodes: readonly Node[]): object => {
    const States: States = {};
    const StartAt = addLine(nodes, States, undefined);
    return { StartAt, States };
  };
  const addLine = (nodes: readonly Node[], states: States, next: string | undefined): string =>
    nodes.reduceRight<string | undefined>((after, node) => addNode(node, states, after), next)!;
  const addNode = (node: Node, states: States, next: string | undefined): string => {
    const name = fresh(node.kind);
    const on = next === undefined ? { End: true } : { Next: next };
    const plus = `$states.input + ${'add' in node ? node.add : 0}`;
    switch (node.kind) {
      case 'pass':
        states[name] = { Type: 'Pass', Output: `{% ${plus} %}`, ...on };
        return name;
      case 'assign': {
        const read = fresh('read');
        states[read] = { Type: 'Pass', Output: `{% $v_${name} + $states.input %}`, ...on };
        states[name] = { Type: 'Pass', Assign: { [`v_${name}`]: `{% ${plus} %}` }, Next: read };
        return name;
      }
      case 'task':
        states[name] = { Type: 'Task', Resource: functionArn('same'), Arguments: `{% ${plus} %}`, ...on };
        return name;
      case 'choice': {
        const join = fresh('join');
        states[join] = { Type: 'Pass', ...on };
        const odd = addLine(node.odd, states, join);
        const even = addLine(node.even, states, join);
        states[name] = {
          Type: 'Choice',
          Choices: [{ Condition: '{% $states.input % 2 = 1 %}', Next: odd }],
          Default: even,
        };
        return name;
      }
      case 'parallel':
        states[name] = {
          Type: 'Parallel',
          Branches: node.branches.map(machineOf),
          Output: '{% $sum($states.result) %}',
          ...on,
        };
        return name;
      case 'map':
        states[name] = {
          Type: 'Map',
          Items: Array.from({ length: node.size }, (_, index) => `{% $states.input + ${index} %}`),
          MaxConcurrency: 2,
          ItemProcessor: machineOf(node.body),
          Output: '{% $sum($states.result) %}',
          ...on,
        };
        return name;
      case 'caught': {
        const fails = { StartAt: fresh('fail'), States: {} as States };
        fails.States[fails.StartAt] = { Type: 'Fail', Error: 'Wanted' };
        states[name] = {
          Type: 'Parallel',
          Branches: [machineOf(node.body), fails],
          Catch: [{ ErrorEquals: ['Wanted'], Output: '{% $states.input + 1 %}', Next: next ?? '' }],
          ...on,
        };
        if (next === undefined) {
          const end = fresh('end');
          states[end] = { Type: 'Pass', End: true };
          states[name] = {
            ...states[name],
            Catch: [{ ErrorEquals: ['Wanted'], Output: '{% $states.input + 1 %}', Next: end }],
          };
        }
        return name;
      }
    }
  };
  return machineOf(tree);
};

/** Answers in a later turn, so that a commit lies between the call and its result. */
const handlers = {
  same: (event: number) => new Promise<number>((resolve) => setImmediate(() => resolve(event))),
};

/** Runs to the end and keeps a copy of the files as they are after commit number `kill`: what a kill -9 would leave then. */
const runWithImage = async (machine: object, kill: number) => {
  const image = mkdtempSync(join(tmpdir(), 'kill-'));
  folders.push(image);
  let commits = Number.NEGATIVE_INFINITY;
  let taken = false;
  const laptop = openLaptop({
    handlers,
    onCommit: () => {
      commits += 1;
      if (commits !== kill) return;
      cpSync(laptop.directory, image, { recursive: true });
      taken = true;
    },
  });
  try {
    const arn = await laptop.create('random', machine);
    commits = 0;
    const started = await laptop.start(arn, 1, 'one');
    const { output, status, error } = await laptop.ended(started);
    return { arn: started, image: taken ? image : undefined, end: { output, status, error } };
  } finally {
    laptop.close();
  }
};

test('a random machine ends the same with and without a kill at a random commit', { timeout: 120_000 }, async () => {
  let killed = 0;
  await fc.assert(
    fc.asyncProperty(line, fc.integer({ min: 1, max: 6 }), async (tree, kill) => {
      const { arn, image, end } = await runWithImage(build(tree), kill);
      expect(end.status, end.error).toBe('SUCCEEDED');
      if (!image) return;
      const next = openLaptop({ handlers, directory: image });
      try {
        if (next.states.resume().length > 0) killed += 1;
        const { output, status, error } = await next.ended(arn);
        expect({ output, status, error }).toEqual(end);
        const events = await next.history(arn);
        expect(events.map(({ id }) => id)).toEqual(events.map((_, index) => index + 1));
        expect(events.filter(({ type }) => type === 'ExecutionSucceeded')).toHaveLength(1);
        const entered = events.filter(({ type }) => type!.endsWith('StateEntered')).length;
        expect(events.every(({ id, previousEventId }) => previousEventId! < id!)).toBe(true);
        expect(entered).toBeGreaterThan(0);
      } finally {
        next.close();
      }
    }),
    { numRuns: 80 },
  );
  expect(killed).toBeGreaterThan(5);
});
