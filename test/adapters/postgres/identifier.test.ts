import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ident, identPath, literal, qualified } from '../../../adapters/postgres/identifier.ts';
import { startTestPostgres, type TestPostgres } from '../../postgres.ts';

let server: TestPostgres;
let client: pg.Client;
beforeAll(async () => {
  server = await startTestPostgres();
  const { username: user, password } = server.superuser;
  client = new pg.Client({ host: server.host, port: server.port, user, password, database: 'postgres' });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await server.stop();
});

/** What a hand tries, and any Unicode beside it; PostgreSQL itself knows no lone surrogates. */
const nasty = fc.oneof(
  fc.string({
    unit: fc.constantFrom('"', "'", '\\', ';', '-', '$', '.', '\n', '%', 'a', 'é', '😀', ' '),
    maxLength: 15,
  }),
  fc.string({ unit: 'grapheme', maxLength: 15 }),
);

describe('an identifier', () => {
  test('comes out of the server as it went in, whatever it is', async () => {
    const name = nasty.filter((text) => text !== '' && !text.includes('\0') && Buffer.byteLength(text) <= 63);
    await fc.assert(
      fc.asyncProperty(name, async (text) => {
        const { fields } = await client.query(`SELECT 1 AS ${ident(text)}`);
        expect(fields.map((field) => field.name)).toEqual([text]);
      }),
      { numRuns: 2_000 },
    );
  });

  test('in 100,000 tries is one quoted token', () => {
    fc.assert(
      fc.property(
        nasty.filter((text) => text !== '' && !text.includes('\0') && Buffer.byteLength(text) <= 63),
        (text) => /^"(?:[^"]|"")+"$/s.test(ident(text)),
      ),
      { numRuns: 100_000 },
    );
  });

  test.each([
    ['', /1 to 63 bytes/],
    ['a\0b', /zero byte/],
    ['a'.repeat(64), /1 to 63 bytes/],
    ['é'.repeat(32), /1 to 63 bytes/],
  ])('%j is refused: PostgreSQL would cut it or cannot spell it', (text, why) => {
    expect(() => ident(text)).toThrow(why);
  });

  test('of a path is quoted part by part', () => {
    expect(qualified('a"b', 'c')).toBe('"a""b"."c"');
    expect(identPath('public.users')).toBe('"public"."users"');
    expect(() => identPath('users')).toThrow(/schema\.table/);
  });
});

test('a literal comes out of the server as it went in, with either setting of standard_conforming_strings', async () => {
  for (const setting of ['on', 'off']) {
    await client.query(`SET standard_conforming_strings = ${setting}`);
    await fc.assert(
      fc.asyncProperty(
        nasty.filter((text) => !text.includes('\0')),
        async (text) => {
          const { rows } = await client.query<{ value: string }>(`SELECT ${literal(text)}::text AS value`);
          expect(rows[0]?.value).toBe(text);
        },
      ),
      { numRuns: 500 },
    );
  }
});
