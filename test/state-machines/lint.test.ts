import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { workflows } from '../../domain/workflows.ts';
import { lintFolder, lintMachine } from '../../state-machines/lint.ts';

const folder = resolve(import.meta.dirname, '../../state-machines');

type Fields = Record<string, unknown>;

const hole = (name: string): string => `\${${name}}`;

const task = (fields: Fields = {}): Fields => ({
  Type: 'Task',
  Comment: 'lambdas/placement/prepare-database.ts',
  Resource: hole('PrepareDatabaseArn'),
  Arguments: '{% $states.input %}',
  TimeoutSeconds: 60,
  Retry: [{ ErrorEquals: ['DatabaseUnavailable', 'Lambda.TooManyRequestsException'], JitterStrategy: 'FULL' }],
  Catch: [{ ErrorEquals: ['States.ALL'], Assign: { failure: '{% $states.errorOutput %}' }, Next: 'PlacementFailed' }],
  Assign: { cell: '{% $states.result.cell %}' },
  Next: 'PlacementPrepared',
  ...fields,
});

/** The machine's other steps, one after the other, so that every hole of the table is used. */
const before = workflows['prepare-placement'].filter((name) => name !== 'PrepareDatabase');
const earlier: Fields = Object.fromEntries(
  before.map((name, place) => [
    name,
    {
      ...task({ Resource: hole(`${name}Arn`), TimeoutSeconds: 900, Next: before[place + 1] ?? 'PrepareDatabase' }),
    },
  ]),
);

const states = (changes: Record<string, Fields> = {}): Fields => ({
  ...earlier,
  PrepareDatabase: task(),
  PlacementPrepared: { Type: 'Succeed', Output: '{% $cell %}' },
  PlacementFailed: { Type: 'Fail', Error: 'PlacementFailed', Cause: '{% $failure.Cause %}' },
  ...changes,
});

const machine = (changes: Fields = {}): string =>
  JSON.stringify({
    Comment: 'Invariant.',
    QueryLanguage: 'JSONata',
    StartAt: before[0],
    States: states(),
    ...changes,
  });

const findings = async (text: string, name = 'prepare-placement'): Promise<string> =>
  (await lintMachine(name, text)).findings.join('\n');

test('the machines of this repository pass', async () => {
  expect(await lintFolder(folder)).toEqual([]);
});

test('a good machine has no findings', async () => {
  expect(await findings(machine())).toBe('');
});

test('an expression of several lines and a literal Output are good', async () => {
  const PlacementPrepared = {
    Type: 'Succeed',
    Output: '{% (\n  $x := $cell;\n  $map([1], function($i) { $x & $i })\n) %}',
  };
  expect(await findings(machine({ States: states({ PlacementPrepared }) }))).toBe('');
  expect(await findings(machine({ States: states({ PlacementPrepared: { Type: 'Succeed', Output: 'done' } }) }))).toBe(
    '',
  );
});

const finished = (fields: Fields): string => machine({ States: states({ PrepareDatabase: task(fields) }) });

test.each([
  ['is not JSON', '{', 'not JSON'],
  ['is JSONPath', machine({ QueryLanguage: 'JSONPath' }), 'JSONata'],
  ['has no Comment', machine({ Comment: undefined }), 'has no Comment that states its invariant'],
  ['has an expression that does not compile', finished({ Arguments: '{% $states.input. %}' }), 'does not compile'],
  ['has a Task without TimeoutSeconds', finished({ TimeoutSeconds: undefined }), 'has no TimeoutSeconds'],
  ['gives a Task less time than its handler', finished({ TimeoutSeconds: 59 }), 'its handler may take 60'],
  ['has a Task without Comment', finished({ Comment: undefined }), 'PrepareDatabase has no Comment'],
  ['has a Task without Retry', finished({ Retry: undefined }), 'has no Retry'],
  ['retries without jitter', finished({ Retry: [{ ErrorEquals: ['TenantBusy'] }] }), 'without JitterStrategy FULL'],
  [
    'catches a failure that nobody throws',
    finished({ Catch: [{ ErrorEquals: ['TenantBusie'], Next: 'PlacementFailed' }] }),
    "'TenantBusie'",
  ],
  [
    'puts States.ALL beside another name',
    finished({ Catch: [{ ErrorEquals: ['States.ALL', 'TenantBusy'], Next: 'PlacementFailed' }] }),
    'must stand alone',
  ],
  ['leads nowhere', finished({ Next: 'Nowhere' }), 'no state of this machine'],
  [
    'has a state that nothing leads to',
    machine({ States: states({ Lost: { Type: 'Succeed' } }) }),
    'State "Lost" is not reachable',
  ],
  [
    'reads a variable that nothing assigns',
    machine({ States: states({ PlacementPrepared: { Type: 'Succeed', Output: '{% $cel %}' } }) }),
    'reads $cel',
  ],
  [
    'reads a variable that only another way assigns',
    machine({ States: states({ PlacementPrepared: { Type: 'Succeed', Output: '{% $failure %}' } }) }),
    'reads $failure',
  ],
  [
    'has a Fail state with another Error',
    machine({ States: states({ PlacementFailed: { Type: 'Fail', Error: 'Failed' } }) }),
    'name and Error must be equal',
  ],
  [
    'calls a step from a state of another name',
    machine({
      States: {
        ...states({ [before.at(-1)!]: { ...(earlier[before.at(-1)!] as Fields), Next: 'Prepare' } }),
        Prepare: task(),
        PrepareDatabase: undefined,
      },
    }),
    'called by the state of its own name',
  ],
  [
    'has a hole that the table does not give',
    finished({ Resource: hole('ClaimTenantArn') }),
    `${hole('ClaimTenantArn')} is not in domain/workflows.ts`,
  ],
  [
    'leaves out a step of the table',
    finished({ Resource: hole('ClaimTenantArn') }),
    `${hole('PrepareDatabaseArn')} of domain/workflows.ts is used nowhere`,
  ],
])('a machine that %s is found', async (_what, text, finding) => {
  expect(await findings(text)).toContain(finding);
});

test('a Catch that is written before Retry is found', async () => {
  const { Retry, ...before } = task();
  expect(await findings(machine({ States: states({ PrepareDatabase: { ...before, Retry } }) }))).toContain(
    'Catch before Retry',
  );
});

test('a file that the workflow table does not know is found', async () => {
  expect(await findings(machine(), 'prepare-nothing')).toContain('is no workflow in domain/workflows.ts');
});

test('asl-validator has its say', async () => {
  expect(await findings(finished({ Comment: 5 }))).toContain('asl-validator');
});

test('a folder that lacks a machine, or that never retries a failure of class retry, is found', async () => {
  const copy = mkdtempSync(join(tmpdir(), 'machines-'));
  try {
    cpSync(folder, copy, { recursive: true, filter: (path) => !path.endsWith('.ts') });
    rmSync(join(copy, 'release-placement.asl.json'));
    for (const name of readdirSync(copy).filter((file) => file.endsWith('.asl.json'))) {
      const file = join(copy, name);
      writeFileSync(file, readFileSync(file, 'utf8').replaceAll('"FenceTimeout"', '"TenantBusy"'));
    }
    const found = (await lintFolder(copy)).join('\n');
    expect(found).toContain('release-placement.asl.json is missing');
    expect(found).toContain("'FenceTimeout' is of class retry and no machine retries it");
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
});
