import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addReferences,
  chooseBackup,
  closure,
  didYouMean,
  expandTables,
  needsApproval,
  restoreRoute,
  type SealedBackup,
  undoUntilOf,
} from '../../domain/restore.ts';
import type { ForeignKey, Scope } from '../../domain/scope.ts';
import { largestLambdaStep } from '../../domain/step-route.ts';
import { table } from './any-table.ts';

const now = new Date('2026-11-23T12:00:00Z');

const key = (columns: string[], references: string): ForeignKey => ({
  name: `${columns.at(-1)}_fkey`,
  columns,
  references,
  referencedColumns: ['tenant_id', 'id'],
});

const scope: Scope = {
  tables: [
    table('users'),
    table('streams', { foreignKeys: [key(['tenant_id', 'created_by'], 'public.users')] }),
    table('messages', {
      foreignKeys: [
        key(['tenant_id', 'stream_id'], 'public.streams'),
        key(['tenant_id', 'sender_id'], 'public.users'),
        key(['tenant_id', 'reply_to'], 'public.messages'),
      ],
    }),
    table('reactions', {
      foreignKeys: [key(['tenant_id', 'message_id'], 'public.messages'), key(['emoji'], 'public.emoji_catalogue')],
    }),
    table('activity', { leaves: ['public.activity_2026'] }),
    table('labels', { schema: 'crm' }),
    table('labels', { schema: 'shop' }),
  ],
  reference: ['public.emoji_catalogue'],
  fingerprint: 'f',
  lines: [],
};
const manifest = {
  backupId: 'b-1',
  tables: ['users', 'streams', 'messages', 'reactions', 'activity'].map((name) => ({
    table: `public.${name}`,
    rows: 1,
    digest: '1',
  })),
};

const backups = [
  { id: 'b-2', takenAt: '2026-11-22T10:00:03Z' },
  { id: 'b-1', takenAt: '2026-11-22T09:00:01Z' },
  { id: 'b-3', takenAt: '2026-11-22T11:00:02Z' },
];
const choose = (choice: { backupId?: string; asOf?: string }) =>
  chooseBackup({ tenantId: 'acme', backups, now, ...choice });

describe('the backup', () => {
  test('is the newest at or before the asked time, and the gap is told', () => {
    expect(choose({ asOf: '2026-11-22T10:05:00Z' })).toEqual({
      backup: backups[0],
      asOf: '2026-11-22T10:05:00.000Z',
      missingSeconds: 297,
    });
    expect(choose({ asOf: '2026-11-22T10:00:03Z' }).missingSeconds).toBe(0);
  });

  test('is the newest of all without a time, and the named one by name', () => {
    expect(choose({})).toMatchObject({ backup: { id: 'b-3' }, asOf: null, missingSeconds: 89_998 });
    expect(choose({ backupId: 'b-1' })).toMatchObject({ backup: { id: 'b-1' }, asOf: null });
  });

  test('is none that a restore took before its swap, unless nothing else is there or the time says so', () => {
    const safety = { id: 'b-s', takenAt: '2026-11-22T12:00:00Z', kind: 'safety' };
    const of = (all: readonly SealedBackup[], asOf?: string) =>
      chooseBackup({ tenantId: 'acme', backups: all, asOf, now }).backup.id;
    expect(of([...backups, safety])).toBe('b-3');
    expect(of([...backups, safety], '2026-11-22T12:30:00Z')).toBe('b-s');
    expect(of([safety])).toBe('b-s');
  });

  test('that does not exist is answered with those that do', () => {
    expect(() => choose({ asOf: '2026-11-22T08:00:00Z' })).toThrow(
      /no sealed backup at or before 2026-11-22T08:00:00.000Z; the first later ones are b-1 of 2026-11-22T09:00:01.000Z, b-2/,
    );
    expect(() => choose({ backupId: 'b-9' })).toThrow(/no sealed backup b-9; the newest are b-3 .*, b-2 .*, b-1/);
    expect(() => chooseBackup({ tenantId: 'acme', backups: [], now })).toThrow(/run back-up-tenant/);
    expect(() => choose({ asOf: '2026-11-22T08:00:00Z' })).toThrow(expect.objectContaining({ name: 'BackupNotFound' }));
  });

  test('is not guessed when two are named', () => {
    expect(() => choose({ backupId: 'b-1', asOf: '2026-11-22' })).toThrow(/give one/);
  });

  test('is never newer than the asked time, and no older one fits better', () => {
    const instants = fc.integer({ min: 0, max: 1_000_000 });
    fc.assert(
      fc.property(fc.uniqueArray(instants, { maxLength: 20 }), instants, (taken, asked) => {
        const all = taken.map((at) => ({ id: `b-${at}`, takenAt: new Date(at * 1_000).toISOString() }));
        const asOf = new Date(asked * 1_000).toISOString();
        const before = taken.filter((at) => at <= asked);
        const run = () => chooseBackup({ tenantId: 'acme', backups: all, asOf, now });
        if (before.length === 0) expect(run).toThrow(expect.objectContaining({ name: 'BackupNotFound' }));
        else
          expect(run()).toMatchObject({
            backup: { id: `b-${Math.max(...before)}` },
            missingSeconds: asked - Math.max(...before),
          });
      }),
    );
  });
});

describe('tables', () => {
  const expand = (tables?: string[]) => expandTables({ tables, scope, manifest });

  test('come with or without their schema, in foreign-key order, once', () => {
    expect(expand(['reactions', 'public.users', 'users']).tables).toEqual(['public.users', 'public.reactions']);
  });

  test('are all that backup and database share when none is named, with a word on the others', () => {
    const { tables, warnings } = expandTables({
      scope,
      manifest: { ...manifest, tables: [...manifest.tables, { table: 'public.old', rows: 1, digest: '1' }] },
    });
    expect(tables).toEqual(manifest.tables.map((one) => one.table));
    expect(warnings).toEqual([
      'crm.labels was added after the backup: stays as it is',
      'shop.labels was added after the backup: stays as it is',
      'public.old was dropped since the backup: not restored',
    ]);
  });

  test.each([
    ['mesages', /did you mean messages\?/],
    ['Messages', /did you mean messages\?/],
    ['invoices', /is no tenant table; the tables are public\.users/],
    ['labels', /write crm\.labels or shop\.labels/],
    ['activity_2026', /is a partition; name the whole table public\.activity/],
    ['emoji_catalogue', /is reference data/],
  ])('named %s are refused with the way out', (name, why) => {
    expect(() => expand([name])).toThrow(why);
    expect(() => expand([name])).toThrow(expect.objectContaining({ name: 'InvalidStepInput' }));
  });

  test('that the backup does not know are refused', () => {
    expect(() => expand(['crm.labels'])).toThrow(expect.objectContaining({ name: 'RestoreRefused' }));
  });
});

describe('the closure of chosen tables', () => {
  test('names what they need and what refers to them, also through one another', () => {
    expect(closure(scope, ['public.messages'])).toEqual({
      needs: [
        { table: 'public.streams', via: 'public.messages (tenant_id, stream_id)' },
        { table: 'public.users', via: 'public.messages (tenant_id, sender_id)' },
      ],
      referredBy: [{ table: 'public.reactions', via: 'public.reactions (tenant_id, message_id)' }],
    });
    expect(closure(scope, ['public.users']).referredBy.map((one) => one.table)).toEqual([
      'public.streams',
      'public.messages',
      'public.reactions',
    ]);
  });

  test('can be restored with the chosen tables, and what the backup does not know is named', () => {
    const chosen = { tables: ['public.messages'], warnings: [] };
    expect(addReferences(chosen, { scope, manifest })).toEqual({
      tables: ['public.users', 'public.streams', 'public.messages'],
      warnings: [
        'public.streams is restored too: public.messages (tenant_id, stream_id) refers to it',
        'public.users is restored too: public.messages (tenant_id, sender_id) refers to it',
      ],
    });
    const older = { ...manifest, tables: manifest.tables.filter(({ table: name }) => name !== 'public.streams') };
    expect(addReferences(chosen, { scope, manifest: older })).toEqual({
      tables: ['public.users', 'public.messages'],
      warnings: [
        'public.streams is needed by public.messages (tenant_id, stream_id) and was added after the backup: stays as it is',
        'public.users is restored too: public.messages (tenant_id, sender_id) refers to it',
      ],
    });
  });

  test('is empty for all tables together, and for one that stands alone', () => {
    expect(
      closure(
        scope,
        scope.tables.map((one) => `${one.schema}.${one.name}`),
      ),
    ).toEqual({ needs: [], referredBy: [] });
    expect(closure(scope, ['public.activity'])).toEqual({ needs: [], referredBy: [] });
  });
});

test('live rows change only after an approval: beforehand, or by a person', () => {
  const base = { into: 'in-place', dryRun: false } as const;
  expect(needsApproval(base)).toBe(true);
  expect(needsApproval({ ...base, approval: 'required' })).toBe(true);
  expect(needsApproval({ ...base, approval: 'given' })).toBe(false);
  expect(needsApproval({ ...base, dryRun: true })).toBe(false);
  expect(needsApproval({ ...base, into: 'copy' })).toBe(false);
});

test('what was replaced is kept for seven days', () => {
  expect(undoUntilOf(now).toISOString()).toBe('2026-11-30T12:00:00.000Z');
});

test('a suggestion is made only for a near name', () => {
  expect(didYouMean('usres', ['users', 'streams'])).toBe(' (did you mean users?)');
  expect(didYouMean('zebra', ['users', 'streams'])).toBe('');
});

describe('where the long steps of a restore run', () => {
  const member = (root: string, bytes: number) => ({
    table: root,
    root,
    columns: ['tenant_id'],
    rows: 1,
    digest: '0',
    algorithm: 'record-v1' as const,
    dumpId: 1,
    object: 'archive.tar',
    offset: 0,
    length: 0,
    sha256: '0'.repeat(64),
    bytes,
  });

  test('is decided by the bytes of the asked tables alone, gone through twice', () => {
    const bytes = fc.integer({ min: 0, max: largestLambdaStep });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('public.users', 'public.messages'), bytes)), (found) => {
        const members = found.map(([root, size]) => member(root, size));
        const asked = found.filter(([root]) => root === 'public.users').reduce((sum, [, size]) => sum + size, 0);
        const fits = 2 * asked <= largestLambdaStep;
        expect(restoreRoute({ members }, ['public.users'])).toBe(fits ? 'lambda' : 'task');
      }),
    );
  });

  test('has a sharp boundary: one byte more is a task', () => {
    const half = largestLambdaStep / 2;
    expect(restoreRoute({ members: [member('public.users', half)] }, ['public.users'])).toBe('lambda');
    expect(restoreRoute({ members: [member('public.users', half + 1)] }, ['public.users'])).toBe('task');
  });
});
