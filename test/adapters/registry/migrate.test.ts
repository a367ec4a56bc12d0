import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { poolSql, type Sql } from '../../../adapters/postgres/sql.ts';
import { migrateRegistry, migrations } from '../../../adapters/registry/migrate.ts';
import { startTestPostgres, type TestPostgres } from '../../postgres.ts';

let server: TestPostgres;
const pools: pg.Pool[] = [];
beforeAll(async () => {
  server = await startTestPostgres();
});
afterAll(async () => {
  for (const pool of pools) await pool.end();
  await server.stop();
});

const connect = (database: string): Sql => {
  const { username: user, password } = server.superuser;
  const pool = new pg.Pool({ host: server.host, port: server.port, user, password, database });
  pool.on('error', () => undefined);
  pools.push(pool);
  return poolSql(pool);
};

const freshDatabase = async (name: string): Promise<Sql> => {
  await connect('postgres').query(`CREATE DATABASE ${name}`);
  return connect(name);
};

describe('migrating the registry', () => {
  test('runs every migration once, in order, however many start it at once', async () => {
    const sql = await freshDatabase('crowd');
    const ran = await Promise.all(Array.from({ length: 6 }, () => migrateRegistry(sql)));
    expect(ran.filter((names) => names.length > 0)).toEqual([migrations.map(({ name }) => name)]);
    expect(migrations.map(({ name }) => name)).toEqual(migrations.map(({ name }) => name).toSorted());
  });

  test('that fails halfway leaves nothing behind, and the next run starts from the beginning', async () => {
    const sql = await freshDatabase('broken');
    const good = { name: '001-good', sql: 'CREATE TABLE good (id int)' };
    await expect(migrateRegistry(sql, [good, { name: '002-bad', sql: 'CREATE TABLE oops (' }])).rejects.toThrow(
      /syntax/,
    );
    expect(await sql.query(`SELECT to_regclass('good') AS good`)).toEqual([{ good: null }]);
    expect(await migrateRegistry(sql, [good])).toEqual(['001-good']);
  });

  test('runs only what is new', async () => {
    const sql = await freshDatabase('later');
    const first = { name: '001-first', sql: 'CREATE TABLE first (id int)' };
    await migrateRegistry(sql, [first]);
    expect(await migrateRegistry(sql, [first, { name: '002-second', sql: 'CREATE TABLE second (id int)' }])).toEqual([
      '002-second',
    ]);
  });

  test('refuses a registry of a newer release', async () => {
    const sql = await freshDatabase('newer');
    await migrateRegistry(sql, [{ name: '999-future', sql: 'SELECT 1' }]);
    await expect(migrateRegistry(sql)).rejects.toThrow(/999-future of a newer release/);
  });
});
