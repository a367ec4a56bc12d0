import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readColumns } from '../../../adapters/catalog/read-columns.ts';
import { type DigestAlgorithm, digestSql, exactText } from '../../../adapters/dump/digest.ts';
import { exportTenants } from '../../../adapters/dump/export.ts';
import { openTestBucket, type TestBucket } from '../archive/bucket.ts';
import { openTestPool, type TestPool } from '../pool/chat-pool.ts';

const schema = `
CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"', 'happy');
CREATE TYPE point3 AS (x double precision, label text, tags text[]);
CREATE DOMAIN short AS text CHECK (length(VALUE) < 1000);
CREATE TABLE "odd ""Name" (
  tenant_id text NOT NULL, id bigint, plain text, small short, raw bytea, doc jsonb, doc_text json, exact numeric, quick double precision,
  half real, at timestamptz, local_at timestamp, day date, took interval, feel mood, feels mood[], place point3, words text[],
  numbers int4range, moments tstzmultirange, id_of uuid, yes boolean, "select" char(5), bits varbit, address inet,
  size integer GENERATED ALWAYS AS (length(plain)) STORED,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE "odd ""Name" DROP COLUMN half; ALTER TABLE "odd ""Name" ADD COLUMN half real;`;

const table = 'public.odd "Name';
const quoted = '"odd ""Name"';
let pool: TestPool;
let bucket: TestBucket;
let client: pg.Client;

beforeAll(async () => {
  [pool, bucket] = await Promise.all([openTestPool([{ version: '001', sql: schema }]), openTestBucket()]);
  client = await pool.connect('migrate');
  for (const tenant of ['acme', 'other'])
    await client.query('INSERT INTO tenantry.tenants (tenant_id) VALUES ($1)', [tenant]);
});
afterAll(() => Promise.all([pool.stop(), bucket.stop()]));

const textArbitrary = fc
  .oneof(
    fc.constantFrom(
      '',
      '\\N',
      '\\.',
      '\\.\n',
      '\t',
      '\n\n\n',
      "'",
      '"',
      'NULL',
      '\\',
      '\r\n',
      '{}',
      '☃',
      '😀',
      '\u0001',
      ' ',
    ),
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc.string({ unit: 'binary', maxLength: 40 }),
  )
  // PostgreSQL keeps every character but this one, and no half of a pair.
  .map((text) => text.replaceAll('\0', '').toWellFormed());

const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null, freq: 5 });

const arrayText = (words: readonly (string | null)[]): string =>
  `{${words.map((word) => (word === null ? 'NULL' : `"${word.replaceAll(/["\\]/g, '\\$&')}"`)).join(',')}}`;

const columns: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  plain: orNull(textArbitrary),
  small: orNull(textArbitrary),
  raw: orNull(fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes))),
  doc: orNull(
    fc
      .json({ maxDepth: 2 })
      .filter(
        (json) =>
          !json.includes('\\u0000') && JSON.stringify(JSON.parse(json)).isWellFormed() && !/\\ud[89a-f]/i.test(json),
      ),
  ),
  doc_text: orNull(fc.constantFrom('{"b":1,  "a":1.0}', '[]', '{"a":1,"a":2}')),
  exact: orNull(
    fc.constantFrom('NaN', 'Infinity', '-Infinity', '1.0', '1.000', '0', '-0.000001', '1e100', '9'.repeat(60)),
  ),
  quick: orNull(fc.oneof(fc.double().map(String), fc.constantFrom('NaN', 'Infinity', '-Infinity', '-0', '5e-324'))),
  half: orNull(fc.constantFrom('NaN', '-0', '1e-45', '3.4e38')),
  at: orNull(
    fc.constantFrom(
      'infinity',
      '-infinity',
      '4713-01-01 00:00:00+00 BC',
      '294276-12-31 23:59:59.999999+00',
      '2026-03-29 02:30:00.000001+01',
    ),
  ),
  local_at: orNull(fc.constantFrom('infinity', '0044-03-15 12:00:00 BC', '2026-10-25 02:30:00')),
  day: orNull(fc.constantFrom('-infinity', '4713-01-01 BC', '5874897-12-31', '2024-02-29')),
  took: orNull(fc.constantFrom('1 day', '24:00:00', '-1 mon +3 days -00:00:01', '178000000 years')),
  feel: orNull(fc.constantFrom('sad', 'it\'s "ok"', 'happy')),
  feels: orNull(fc.constantFrom('{}', '{sad,NULL,"it\'s \\"ok\\""}')),
  place: orNull(fc.constantFrom('(NaN,,)', '(-0,"",{})', '(1.5,"a,\\"b\\"","{x,\\"\\",NULL}")')),
  words: orNull(fc.array(orNull(textArbitrary), { maxLength: 4 }).map(arrayText)),
  numbers: orNull(fc.constantFrom('empty', '(,)', '[1,5)', '(,3)')),
  moments: orNull(fc.constantFrom('{}', '{[2026-01-01,infinity)}')),
  id_of: orNull(fc.uuid()),
  yes: orNull(fc.boolean()),
  select: orNull(fc.constantFrom('', 'a', 'a    ', 'ab\nc')),
  bits: orNull(fc.constantFrom('', '0', '1011')),
  address: orNull(fc.constantFrom('::1', '10.0.0.0/8')),
};
const names = Object.keys(columns);

const fill = async (rows: readonly Record<string, unknown>[]): Promise<void> => {
  await client.query('BEGIN');
  await client.query(`SET LOCAL session_replication_role = replica`);
  await client.query(`DELETE FROM ${quoted}`);
  for (const tenant of ['acme', 'other'])
    for (const [id, row] of rows.entries())
      await client.query(
        `INSERT INTO ${quoted} (tenant_id, id, ${names.map((name) => `"${name}"`).join(', ')})
         VALUES ($1, $2, ${names.map((_, place) => `$${place + 3}`).join(', ')})`,
        [tenant, id, ...names.map((name) => row[name])],
      );
  await client.query('COMMIT');
};

let backups = 0;
const dump = async (algorithm: DigestAlgorithm) => {
  backups += 1;
  const backupId = `b-${backups}`;
  const failed = await exportTenants({
    connect: () => pool.connect('backup'),
    archive: bucket.archive,
    tenants: [{ tenantId: 'acme', backupId, operation: 'op', kind: 'manual' }],
    isolation: 'pooled',
    algorithm,
    written: async () => undefined,
  });
  expect(failed).toEqual([]);
  return bucket.archive.manifest('acme', backupId);
};

test.each(['record-v2', 'text-v1', 'record-v1'] as const)(
  'what %s archives comes back as it was, whatever the values',
  async (algorithm) => {
    await client.query(
      `CREATE SCHEMA IF NOT EXISTS tn_back; DROP TABLE IF EXISTS tn_back.t; CREATE TABLE tn_back.t (LIKE ${quoted} INCLUDING GENERATED)`,
    );
    const stored = (await readColumns(client, [table])).get(table)!;
    const row = fc.record(columns);
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 6 }), async (rows) => {
        await fill(rows);
        const manifest = await dump(algorithm);
        const member = manifest.members[0]!;
        expect(member).toMatchObject({ table, rows: rows.length, algorithm });
        await client.query('TRUNCATE tn_back.t');
        const list = member.columns.map((name) => `"${name}"`).join(', ');
        await pipeline(
          bucket.archive.member(manifest, member),
          client.query(copyFrom(`COPY tn_back.t (${list}) FROM STDIN`)),
        );
        const differing = await client.query(
          `SELECT count(*)::int AS rows FROM (
           (SELECT x::text FROM ${quoted} x WHERE tenant_id = 'acme' EXCEPT ALL SELECT x::text FROM tn_back.t x)
           UNION ALL (SELECT x::text FROM tn_back.t x EXCEPT ALL SELECT x::text FROM ${quoted} x WHERE tenant_id = 'acme')) d`,
        );
        expect(differing.rows).toEqual([{ rows: 0 }]);
        await client.query('BEGIN');
        await client.query(exactText);
        const digest = await client.query(`SELECT ${digestSql(stored, algorithm)} AS digest FROM tn_back.t x`);
        await client.query('ROLLBACK');
        expect(digest.rows).toEqual([{ digest: member.digest }]);
      }),
      { numRuns: 25 },
    );
  },
);

test.each([
  ['exact', '1.0', '1.00'],
  ['took', '1 day', '24:00:00'],
  ['quick', '0', '-0'],
  ['doc', '{"a": 1.0}', '{"a": 1.00}'],
  ['plain', '', null],
  ['feel', 'sad', 'happy'],
])('a digest sees %s change from %s to %s', async (column, before, after) => {
  const empty = Object.fromEntries(names.map((name) => [name, null]));
  const digests: string[] = [];
  for (const value of [before, after]) {
    await fill([{ ...empty, [column]: value }]);
    digests.push((await dump('record-v2')).members[0]!.digest, (await dump('text-v1')).members[0]!.digest);
  }
  expect(digests[0]).not.toBe(digests[2]);
  expect(digests[1]).not.toBe(digests[3]);
});
