import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRows, type RowFilter } from '../../domain/rows.ts';
import type { TenantTable } from '../../domain/scope.ts';

const types = {
  tenant_id: 'text',
  id: 'bigint',
  happened_on: 'date',
  body: 'text',
  active: 'boolean',
  token: 'uuid',
  price: 'numeric(10,2)',
  spec: 'json',
  'odd "name"': 'integer',
};
const messages: TenantTable = {
  schema: 'public',
  name: 'messages',
  columns: Object.entries(types).map(([name, type]) => ({
    name,
    type,
    notNull: false,
    generated: false,
    identity: null,
  })),
  primaryKey: ['tenant_id', 'id'],
  foreignKeys: [],
  leaves: [],
  sequences: {},
};
const composite: TenantTable = { ...messages, primaryKey: ['tenant_id', 'id', 'happened_on'] };

const where = (text: string): RowFilter => parseRows({ table: 'messages', where: text }, messages);
const conditions = (text: string) => {
  const filter = where(text);
  return filter.kind === 'where'
    ? filter.conditions.map(({ column, operator, values }) => [column, operator, ...values])
    : [];
};

describe('a predicate', () => {
  test('is read with every operator, values as text to be bound', () => {
    expect(
      conditions(
        `id >= 5 AND body LIKE 'Re:%' and active = true and token is not null and price in (1.5, -2) and happened_on < '2026-01-01' and id <> 7`,
      ),
    ).toEqual([
      ['id', '>=', '5'],
      ['body', 'like', 'Re:%'],
      ['active', '=', 'true'],
      ['token', 'is not null'],
      ['price', 'in', '1.5', '-2'],
      ['happened_on', '<', '2026-01-01'],
      ['id', '!=', '7'],
    ]);
  });

  test('keeps quotes inside a text and quoted column names', () => {
    expect(conditions(`body = 'it''s "x"; DROP TABLE' and "odd ""name""" = 1`)).toEqual([
      ['body', '=', `it's "x"; DROP TABLE`],
      ['odd "name"', '=', '1'],
    ]);
  });

  test.each([
    ['', /expected a column at character 1/],
    ['bdy = 1', /no column "bdy" \(did you mean body\?\); its columns are tenant_id, id/],
    ['BODY = 1', /no column "BODY" \(did you mean body\?\)/],
    ['id', /expected one of = != < <= > >= in like is null, is not null at character 3, found "the end"/],
    ['id = ', /expected a value for id/],
    ['id = five', /expected a value for id/],
    [`id = 'five'`, /id is bigint, so "five" must be a whole number/],
    ['id = 9223372036854775808', /must be between -9223372036854775808 and 9223372036854775807/],
    ['id = 1.5', /"1.5" must be a whole number/],
    [`price = 'much'`, /price is numeric\(10,2\), so "much" must be a number/],
    ['active = 1', /active is boolean, so "1" must be true or false/],
    [`token = 'abc'`, /must be a UUID/],
    ['body = 5', /body is text; write '5' in quotes/],
    ['id like 5', /like needs text, id is bigint/],
    ['id = null', /write id is null/],
    [`spec = '{}'`, /spec is json and can only be asked with is null/],
    ['id = 1 or id = 2', /only `and` joins conditions/],
    ['id = 1 id = 2', /expected and, or the end .* at character 8, found "id"/],
    ['happened_on >= 2026-11-01', /text and times stand in single quotes: '2026-11-01'/],
    ['id in 1', /expected \( after in/],
    ['id in (1', /expected \) or a comma/],
    ['id = 1; DROP TABLE messages', /cannot read "; DROP TABLE message" at character 7/],
    ['lower(body) = 1', /no column "lower"/],
    ['id is 5', /expected null/],
  ])('%j is refused, naming the place and the fix', (text, why) => {
    expect(() => where(text)).toThrow(why);
    expect(() => where(text)).toThrow(expect.objectContaining({ name: 'InvalidStepInput' }));
  });

  test('gives back any text it was given, and no other text can end it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        expect(conditions(`body = '${value.replaceAll("'", "''")}' and id = 1`)).toEqual([
          ['body', '=', value],
          ['id', '=', '1'],
        ]);
      }),
    );
  });

  test('is either understood or refused, whatever is written', () => {
    const words = fc.constantFrom(
      'id',
      'body',
      '=',
      "'x'",
      '(',
      ')',
      ',',
      'and',
      'in',
      'is',
      'null',
      '5',
      'like',
      ';',
      '--',
      '"',
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 12 }), (all) => {
        try {
          where(all.join(' '));
        } catch (error) {
          expect(error).toMatchObject({ name: 'InvalidStepInput' });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('keys', () => {
  const keys = (table: TenantTable, ...values: (string | number | (string | number)[])[]) =>
    parseRows({ table: 'messages', keys: values }, table);

  test('name a row each, by the key without the tenant', () => {
    expect(keys(messages, 1, '2', [3])).toEqual({
      kind: 'keys',
      columns: [{ name: 'id', type: 'bigint' }],
      keys: [['1'], ['2'], ['3']],
    });
    expect(keys(composite, [1, '2026-01-01'])).toMatchObject({ keys: [['1', '2026-01-01']] });
  });

  test('of another shape or type are refused', () => {
    expect(() => keys(composite, 1)).toThrow(/has 1 of 2 values; the key of public\.messages is \(id, happened_on\)/);
    expect(() => keys(messages, 'one')).toThrow(/id is bigint, so "one" must be a whole number/);
    expect(() => keys(messages)).toThrow(/keys is empty/);
    expect(() => keys({ ...messages, primaryKey: ['tenant_id'] }, 1)).toThrow(/one row per tenant/);
  });

  test('and a predicate together, or neither, are refused', () => {
    expect(() => parseRows({ table: 'messages' }, messages)).toThrow(/give either keys or where/);
    expect(() => parseRows({ table: 'messages', keys: [1], where: 'id = 1' }, messages)).toThrow(/give either/);
  });
});
