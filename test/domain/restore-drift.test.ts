import { describe, expect, test } from 'vitest';
import { differingLines, driftWarnings, tableDrift } from '../../domain/restore-drift.ts';
import type { ColumnDrift } from '../../domain/restore-report.ts';
import { column, table } from './any-table.ts';

describe('a schema that changed since the backup', () => {
  const lines = [
    'column public.users.body text not null',
    'column public.users.old integer default 3',
    'column public.users.price numeric(10,2)',
    'column public.users.tenant_id text not null',
    'column public.users_too.body text',
  ];
  const users = table('users', {
    columns: [
      column('tenant_id'),
      column('body'),
      column('price', 'integer'),
      column('note'),
      column('sum', 'integer', { generated: true }),
    ],
  });

  const drift = (more: Partial<ColumnDrift>): ColumnDrift => ({
    table: 'public.users',
    removed: [],
    added: [],
    required: [],
    computed: [],
    retyped: [],
    tightened: [],
    rules: [],
    ...more,
  });

  test('is told by column: removed, added, of another type', () => {
    expect(tableDrift({ schema: { fingerprint: 'f', lines }, members: [] }, users, [])).toEqual(
      drift({ removed: ['old'], added: ['note'], retyped: ['price'] }),
    );
  });

  test('is told where rows of then have no value for a column that must have one, or one that is computed now', () => {
    const found = tableDrift(
      { schema: { fingerprint: 'f', lines: [...lines, 'column public.users.sum integer'] }, members: [] },
      {
        ...users,
        columns: [
          ...users.columns.map((one) =>
            one.name === 'price' ? { ...one, type: 'numeric(10,2)', notNull: true } : one,
          ),
          column('must', 'text', { notNull: true }),
          column('has default', 'text', { notNull: true }),
          column('counted', 'bigint', { notNull: true, identity: 'always' }),
        ],
      },
      [
        'column public.users.has default text not null default now()',
        'column public.users.must text not null',
        'column public.users.counted bigint not null identity always',
      ],
    );
    expect(found).toEqual(
      drift({
        removed: ['old'],
        added: ['note', 'must', 'has default', 'counted'],
        required: ['must'],
        computed: ['sum'],
        tightened: ['price'],
      }),
    );
    expect(driftWarnings(found).join('\n')).toMatch(
      /users\.must was added since the backup, NOT NULL and without a default: rows that are gone now cannot come back/,
    );
  });

  test.each([
    ['an enum that got labels means what it meant', `enum 'red','green','blue'`, []],
    ['an enum that lost one does not', `enum 'red'`, ['body']],
    ['a domain whose rule changed does not', `domain text CHECK ((VALUE <> 'x'::text))`, ['body']],
  ])('is told by the definition of a type of its own: %s', (_, now, retyped) => {
    const line = 'column public.users.body public."Mood"[]';
    const found = tableDrift(
      { schema: { fingerprint: 'f', lines: [line, `type public.Mood enum 'red','green'`] }, members: [] },
      { ...users, columns: [column('body', 'public."Mood"[]')] },
      [line, `type public.Mood ${now}`],
    );
    expect(found.retyped).toEqual(retyped);
  });

  test('is told by the rules that its rows were never held against', () => {
    const found = tableDrift(
      { schema: { fingerprint: 'f', lines: [...lines, 'constraint public.users.kept CHECK (true)'] }, members: [] },
      users,
      [
        'constraint public.users.kept CHECK (true)',
        "constraint public.users.no_x CHECK ((body <> 'x'::text))",
        'constraint public.users.users_pkey PRIMARY KEY (tenant_id, body)',
        'index CREATE UNIQUE INDEX users_pkey ON public.users USING btree (tenant_id, body)',
        'index CREATE UNIQUE INDEX by_price ON ONLY public.users USING btree (tenant_id, price)',
        'constraint public.users.of_realm FOREIGN KEY (tenant_id) REFERENCES public.realms(tenant_id)',
        'constraint public.users_too.no_y CHECK (true)',
        'index CREATE INDEX plain ON public.users USING btree (body)',
      ],
    );
    expect(found.rules.map(({ name }) => name)).toEqual(['no_x', 'users_pkey', 'by_price']);
  });

  test('is shown by the lines that differ, of that table alone', () => {
    expect(
      differingLines(
        lines,
        ['column public.users.body text not null', 'column public.users.price integer'],
        'public.users',
      ),
    ).toEqual([
      '- column public.users.old integer default 3',
      '- column public.users.price numeric(10,2)',
      '- column public.users.tenant_id text not null',
      '+ column public.users.price integer',
    ]);
  });

  test('is shown by the types that its columns have, and no others', () => {
    const body = 'column public.users.body public.mood';
    expect(
      differingLines(
        [body, `type public.mood enum 'red','green'`, `type public.other enum 'a','b'`],
        [body, `type public.mood enum 'red'`, `type public.other enum 'a'`],
        'public.users',
      ),
    ).toEqual([`- type public.mood enum 'red','green'`, `+ type public.mood enum 'red'`]);
  });
});
