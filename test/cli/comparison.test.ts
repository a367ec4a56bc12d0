import { expect, test } from 'vitest';
import { brokenLines, comparisonLines, planLines, type RestoreRecord } from '../../cli/comparison.ts';

const restore: RestoreRecord = {
  id: 'r-1',
  tenantId: 'acme',
  operationId: 'restore-acme-1',
  backupId: 'b-1',
  takenAt: '2026-11-22T10:00:03Z',
  asOf: '2026-11-22T10:05:00Z',
  missingSeconds: 297,
  tables: ['public.messages'],
  rows: null,
  status: 'compared',
  into: 'copy',
  dryRun: false,
  undoUntil: null,
  createdAt: '2026-11-22T12:00:00Z',
  reason: null,
  failure: null,
  plan: {
    needs: [
      { table: 'public.users', via: 'public.messages (tenant_id, sender_id)' },
      { table: 'public.realms', via: 'public.users (tenant_id)' },
    ],
    referredBy: [{ table: 'public.reactions', via: 'public.reactions (tenant_id, message_id)' }],
    warnings: [
      'needs public.users: public.messages (tenant_id, sender_id) refers to it, and it is not restored',
      'referredBy public.reactions: public.reactions (tenant_id, message_id) refers to restored rows, and it is not restored',
      'public.messages.topic was dropped since the backup: not restored',
    ],
  },
  report: {
    tables: [
      {
        table: 'public.messages',
        onlyNow: 0,
        onlyThen: 7,
        changed: 1,
        same: 2,
        samples: [
          { kind: 'changed', key: { id: '3' }, columns: [{ column: 'body', now: 'x', backup: null }] },
          ...[4, 5, 6, 7, 8].map((id) => ({ kind: 'onlyThen' as const, key: { id: String(id) } })),
        ],
      },
    ],
    broken: [{ table: 'public.reactions', references: 'public.messages', rows: 2, fix: 'restore both' }],
    unfit: [{ table: 'public.messages', rule: 'column topic, NOT NULL', rows: 3, fix: 'give it a default' }],
  },
};

test('a plan tells the archive, what is not in it, and only the tables that the rows refer to themselves', () => {
  expect(planLines(restore)).toEqual([
    'r-1  acme  archive b-1 of 2026-11-22 10:00:03Z',
    'not in the archive: 4 min 57 s of changes between then and 2026-11-22 10:05:00Z',
    'tables public.messages',
    'note: refers to rows of public.users, which stay as they are',
    'note: rows of public.reactions hang on it and stay as they are',
    'note: public.messages.topic was dropped since the backup: not restored',
  ]);
});

test.each([
  [{ table: 'public.messages', where: 'sender_id = 7' }, 'only rows of public.messages where sender_id = 7'],
  [{ table: 'public.messages', keys: ['17'] }, 'only row of public.messages with key 17'],
  [{ table: 'public.messages', keys: [17, 18] }, 'only rows of public.messages with key 17, 18'],
  [{ table: 'public.reactions', keys: [['3', '6', 'tada']] }, 'only row of public.reactions with key (3, 6, tada)'],
  [
    { table: 'public.messages', keys: Array.from({ length: 22 }, (_, index) => index) },
    `only rows of public.messages with key ${Array.from({ length: 20 }, (_, index) => index).join(', ')} and 2 more`,
  ],
])('a plan of single rows says in words which: %j', (rows, line) => {
  expect(planLines({ ...restore, rows })[2]).toBe(line);
});

test('without a time that was asked for, a plan counts from the archive until now', () => {
  expect(planLines({ ...restore, asOf: null, missingSeconds: 60 })[1]).toBe(
    'not in the archive: 1 min of changes since then',
  );
});

test('a comparison shows counts, five rows by key with both values, and how many more there are', () => {
  const lines = comparisonLines(restore);
  expect(lines[1]).toBe('public.messages         0          7        1     2');
  expect(lines[2]).toBe('  public.messages  changed  id=3  body: now "x", then null');
  expect(lines[3]).toBe('  public.messages  only then  id=4');
  expect(lines.at(-1)).toBe('  public.messages  ... and 3 more');
  expect(lines).toHaveLength(8);
});

test('what a swap would refuse is told with its fix', () => {
  expect(brokenLines(restore).join()).toContain(
    'a swap would be refused: 2 rows of public.reactions would refer to missing rows of public.messages; restore both',
  );
  expect(brokenLines(restore)[1]).toContain(
    'a swap would be refused: 3 rows of public.messages break a rule that is newer than the backup (column topic, NOT NULL); give it a default',
  );
});

test('a restore of objects alone tells of objects, and no table', () => {
  const { report: _, ...rest } = restore;
  const alone: RestoreRecord = {
    ...rest,
    report: null,
    tables: [],
    plan: { needs: [], referredBy: [], warnings: [] },
    objects: { kinds: ['Service'], names: ['app'] },
    objectsPlan: {
      cluster: 'one',
      namespace: 't-acme',
      objects: [{ object: 'v1 Service t-acme/app', change: 'create', as: 'then', fields: [] }],
      left: [],
      restart: false,
    },
  };
  expect(planLines(alone).slice(2)).toEqual(['Kubernetes objects of kind Service named app']);
  expect(comparisonLines(alone)).toEqual(['+ v1 Service t-acme/app', '1 of 1 objects differ']);
  const both = { ...alone, report: restore.report, tables: restore.tables };
  expect(planLines(both)).toContain('tables public.messages');
  expect(comparisonLines(both).at(-1)).toBe('1 of 1 objects differ');
  expect(comparisonLines(both)[0]).toContain('ONLY NOW');
});
