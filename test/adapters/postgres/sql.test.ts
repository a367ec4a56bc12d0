import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  clientSql,
  isChangedMeanwhile,
  isConnectionLost,
  isMadeMeanwhile,
  isUnavailable,
  poolSql,
  type Sql,
  sqlState,
} from '../../../adapters/postgres/sql.ts';
import { startTestPostgres, type TestPostgres } from '../../postgres.ts';
import { overtaken } from '../../postgres-race.ts';

let server: TestPostgres;
let pool: pg.Pool;
let sql: Sql;
beforeAll(async () => {
  server = await startTestPostgres();
  const { username: user, password } = server.superuser;
  pool = new pg.Pool({ host: server.host, port: server.port, user, password, database: 'postgres', max: 2 });
  pool.on('error', () => undefined);
  sql = poolSql(pool);
  await sql.query('CREATE TABLE notes (text text)');
});
afterAll(async () => {
  await pool.end();
  await server.stop();
});
beforeEach(() => sql.query('TRUNCATE notes'));

const note = (within: Sql, text: string) => within.query('INSERT INTO notes VALUES ($1)', [text]);
const notes = async () =>
  (await sql.query<{ text: string }>('SELECT text FROM notes ORDER BY 1')).map(({ text }) => text);

test('a statement with parameters is parsed once per connection, inside transactions and outside', async () => {
  const { username: user, password } = server.superuser;
  const one = new pg.Pool({ host: server.host, port: server.port, user, password, database: 'postgres', max: 1 });
  const single = poolSql(one);
  for (const text of ['a', 'b', 'c']) await note(single, text);
  await single.transaction((within) => note(within, 'd'));
  const prepared = await single.query<{ statement: string }>('SELECT statement FROM pg_prepared_statements');
  expect(prepared.map(({ statement }) => statement)).toEqual(['INSERT INTO notes VALUES ($1)']);
  expect(await notes()).toEqual(['a', 'b', 'c', 'd']);
  await one.end();
});

describe('a transaction', () => {
  test('commits what it did, and rolls all of it back when its work throws', async () => {
    await sql.transaction((within) => note(within, 'kept'));
    await expect(
      sql.transaction(async (within) => {
        await note(within, 'lost');
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await notes()).toEqual(['kept']);
  });

  test('inside another is a savepoint: its failure costs only itself', async () => {
    await sql.transaction(async (outer) => {
      await note(outer, 'outer');
      await outer.transaction((inner) => note(inner, 'inner'));
      await outer
        .transaction(async (inner) => {
          await note(inner, 'lost');
          await inner.query('SELECT 1 / 0');
        })
        .catch(() => undefined);
      await note(outer, 'after');
    });
    expect(await notes()).toEqual(['after', 'inner', 'outer']);
  });

  test('whose connection is cut throws away the connection, not the pool', async () => {
    const failed = sql.transaction((within) => within.query('SELECT pg_terminate_backend(pg_backend_pid())'));
    await expect(failed).rejects.toSatisfy(isConnectionLost);
    for (let n = 0; n < 4; n++) expect(await sql.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(pool.totalCount).toBeLessThanOrEqual(2);
  });

  test('on one client leaves it usable after a failure', async () => {
    const client = await pool.connect();
    const own = clientSql(client);
    await expect(own.transaction((within) => within.query('SELECT 1 / 0'))).rejects.toThrow(/division/);
    expect(await own.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    client.release();
  });
});

describe('an error', () => {
  test('of a server that refuses connections is one to come back after', async () => {
    const nobody = new pg.Client({ host: '127.0.0.1', port: 1, user: 'x', database: 'x' });
    nobody.on('error', () => undefined);
    await expect(nobody.connect()).rejects.toSatisfy(isUnavailable);
  });

  test.each([
    ['make', 'CREATE ROLE racer', true],
    ['change', 'ALTER ROLE racer NOLOGIN', false],
  ])('of two sessions that %s one object at once is one to come back after', async (_, order, made) => {
    const [first, later] = [await server.connect(), await server.connect()];
    const lost = await overtaken(first, order, () => later.query(order));
    const { reason } = lost as PromiseRejectedResult;
    expect([isUnavailable(reason), isMadeMeanwhile(reason)]).toEqual([true, made]);
    expect(isChangedMeanwhile(reason)).toBe(!made);
    await Promise.all([first.end(), later.end()]);
  });

  test('of an order whose object is there is none of those', async () => {
    const again = await sql.query('CREATE DATABASE postgres').catch((error: unknown) => error);
    expect([isUnavailable(again), isMadeMeanwhile(again)]).toEqual([false, true]);
  });

  test.each([
    ['40P01', true, false],
    ['40001', true, false],
    ['55P03', true, false],
    ['53300', true, false],
    ['57P01', true, true],
    ['57P03', true, true],
    ['08006', true, true],
    ['23505', false, false],
    ['42501', false, false],
    ['57014', false, false],
  ])('%s: unavailable %s, connection lost %s', (code, unavailable, lost) => {
    const error = Object.assign(new Error('from the server'), { code });
    expect([sqlState(error), isUnavailable(error), isConnectionLost(error)]).toEqual([code, unavailable, lost]);
  });
});
