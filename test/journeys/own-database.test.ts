import { request } from 'node:http';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadChat } from '../../sample-app/load.ts';
import { startTestCloud, type TestCloud } from '../cloud.ts';

let laptop: TestCloud;
let control: pg.Client;

beforeAll(async () => {
  laptop = await startTestCloud();
  control = await laptop.admin('control');
  for (const tenantId of ['acme', 'globex'])
    expect(await laptop.run('provision-tenant', { tenantId, plan: 'enterprise', isolation: 'database' })).toMatchObject(
      {
        status: 'SUCCEEDED',
      },
    );
});
afterAll(() => laptop.close());

interface Place {
  readonly database: string;
  readonly app_secret_id: string;
}

const placeOf = async (tenantId: string): Promise<Place> =>
  (await control.query<Place>('SELECT database, app_secret_id FROM placements WHERE tenant_id = $1', [tenantId]))
    .rows[0]!;

const statusAt = (host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port: laptop.cloud.port, path: '/', headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    })
      .on('error', reject)
      .end();
  });

const loginTo = async (database: string, secretId: string): Promise<pg.Client> => {
  const { username: user, password } = await laptop.secret(secretId);
  const { host, port } = laptop.cloud.postgres;
  const client = new pg.Client({ host, port, database, user, password });
  client.on('error', () => undefined);
  await client.connect();
  return client;
};

describe('a tenant with a database of its own', () => {
  test('answers at its name, and its rows are there and not in the pool', async () => {
    expect(await statusAt(`acme.localhost:${laptop.cloud.port}`)).toBe(200);
    const own = await laptop.admin((await placeOf('acme')).database);
    expect((await own.query('SELECT DISTINCT tenant_id FROM realms')).rows).toEqual([{ tenant_id: 'acme' }]);
    const pool = await laptop.admin('pool');
    expect((await pool.query("SELECT FROM realms WHERE tenant_id = 'acme'")).rowCount).toBe(0);
    expect((await pool.query("SELECT FROM tenantry.tenants WHERE tenant_id = 'acme'")).rowCount).toBe(0);
  });

  test('has a login that enters its database alone: no pool, no neighbour', async () => {
    const [acme, globex] = [await placeOf('acme'), await placeOf('globex')];
    const own = await loginTo(acme.database, acme.app_secret_id);
    await own.end();
    for (const foreign of ['pool', 'control', 'tn_ready', globex.database])
      await expect(loginTo(foreign, acme.app_secret_id)).rejects.toMatchObject({ code: '42501' });
  });

  test('is backed up, and gets one table back in place', async () => {
    const { database } = await placeOf('acme');
    const own = await laptop.admin(database);
    await loadChat(own, { tenantId: 'acme', users: 5, messages: 60, seed: 7 });
    const count = async (): Promise<unknown> => (await own.query('SELECT count(*)::int AS n FROM reactions')).rows[0];
    const before = await count();
    expect(await laptop.run('back-up-tenant', { tenantId: 'acme' })).toMatchObject({ status: 'SUCCEEDED' });
    await own.query('SET session_replication_role = replica; DELETE FROM reactions');
    expect(await count()).toEqual({ n: 0 });
    const restored = await laptop.run('restore-tenant', {
      tenantId: 'acme',
      tables: ['reactions'],
      into: 'in-place',
      approval: 'given',
    });
    expect(restored, restored.cause).toMatchObject({ status: 'SUCCEEDED' });
    expect(await count()).toEqual(before);
  });

  test('is backed up by the fleet as an item of its own', async () => {
    const fleet = await laptop.run('back-up-fleet', { tenantIds: ['acme', 'globex'] });
    expect(fleet, fleet.cause).toMatchObject({ status: 'SUCCEEDED' });
    expect(JSON.parse(fleet.output!)).toMatchObject({ sealed: 2, failed: 0 });
  });

  test('leaves no database, no login and no secret behind', async () => {
    const { database, app_secret_id } = await placeOf('globex');
    const gone = await laptop.run('deprovision-tenant', { tenantId: 'globex', graceSeconds: 0 });
    expect(gone, gone.cause).toMatchObject({ status: 'SUCCEEDED' });
    const { rows } = await control.query(
      'SELECT datname FROM pg_database WHERE datname = $1 UNION ALL SELECT rolname FROM pg_roles WHERE rolname = $1',
      [database],
    );
    expect(rows).toEqual([]);
    await expect(laptop.secret(app_secret_id)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    expect((await control.query("SELECT FROM placements WHERE tenant_id = 'globex'")).rowCount).toBe(0);
  });
});
