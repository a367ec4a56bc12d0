import { PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { setUp } from '../../../lambdas/set-up.ts';
import { type Laptop, startLaptop } from '../operator-api/laptop.ts';

let laptop: Laptop;
let first: Awaited<ReturnType<typeof setUp>>;
beforeAll(async () => {
  laptop = await startLaptop();
  first = await setUp(laptop.setUpInput, laptop.world);
});
afterAll(() => laptop.stop());

/** Runs one statement in the registry as one of its logins; the answer is its SQLSTATE, or `done`. */
const as = async (login: 'control' | 'router', text: string): Promise<string> => {
  const { username, password } = await laptop.world.secrets.credentials(`tenantry/registry/${login}`);
  const { host, port, database } = laptop.world.registryPlace;
  const client = new pg.Client({ host, port, database, user: username, password });
  await client.connect();
  try {
    await client.query(text);
    return 'done';
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    await client.end();
  }
};

describe('set-up', () => {
  test('makes registry, logins and pool out of empty servers, and the cell takes tenants', async () => {
    expect(first.migrations[0]).toBe('001-registry');
    expect(first.cells).toMatchObject([{ id: 'eu-1', applied: ['001-chat.sql'] }]);
    expect(await laptop.world.registry.cells.list()).toMatchObject([
      { id: 'eu-1', capacity: 100, used: 0, open: true },
    ]);
    const client = await laptop.world.databases.connect((await laptop.world.registry.cells.get('eu-1'))!, 'app');
    await client.query('SELECT count(*) FROM emoji_catalogue');
    await client.end();
    const restore = await laptop.world.databases.connect((await laptop.world.registry.cells.get('eu-1'))!, 'restore');
    await restore.query('SELECT count(*) FROM tenantry.effects');
    await restore.end();
  });

  test('run again changes nothing', async () => {
    const again = await setUp(laptop.setUpInput, laptop.world);
    expect(again.migrations).toEqual([]);
    expect(again.cells).toMatchObject([{ id: 'eu-1', applied: [] }]);
  });

  test('run twice at once migrates once and fails neither', async () => {
    const [one, two] = await Promise.all([
      setUp(laptop.setUpInput, laptop.world),
      setUp({ ...laptop.setUpInput, tenantUrl: 'https://{tenant}.chat.example' }, laptop.world),
    ]);
    expect([one.migrations, two.migrations]).toEqual([[], []]);
    expect(await laptop.world.registry.routes.pattern()).toBe('https://{tenant}.chat.example');
  });

  test('refuses an input without cells and names the field', async () => {
    await expect(setUp({ ...laptop.setUpInput, cells: [] }, laptop.world)).rejects.toThrow(/cells/);
  });

  test('refuses a prefix without migrations: an empty schema would pass for the app', async () => {
    await expect(setUp({ ...laptop.setUpInput, schemaPrefix: 'nothing/' }, laptop.world)).rejects.toThrow(
      /schemaPrefix nothing\/ has no \.sql object/,
    );
  });
});

describe('the handlers’ login', () => {
  test.each([
    ['change an audit row', 'UPDATE audit SET actor = $$x$$'],
    ['remove audit rows', 'DELETE FROM audit'],
    ['truncate the audit', 'TRUNCATE audit'],
    ['delete an operation', 'DELETE FROM operations'],
    ['delete a lease, and with it a fence', 'DELETE FROM leases'],
    ['raise the capacity of a cell', 'UPDATE cells SET capacity = 1'],
    ['make a table', 'CREATE TABLE mine (id int)'],
    ['switch triggers off', 'SET session_replication_role = replica'],
    ['read passwords', 'SELECT * FROM pg_authid'],
  ])('cannot %s', async (_what, text) => {
    expect(await as('control', text)).toBe('42501');
  });

  test('can append to the audit', async () => {
    expect(await as('control', `INSERT INTO audit (actor, action, phase) VALUES ('a', 'b', 'before')`)).toBe('done');
  });
});

describe('the router’s login', () => {
  test('reads routes', async () => {
    expect(await as('router', 'SELECT * FROM router')).toBe('done');
  });

  test.each(['tenants', 'routes', 'cells', 'operations', 'audit', 'events'])('cannot read %s', async (table) => {
    expect(await as('router', `SELECT * FROM ${table}`)).toBe('42501');
  });
});

test('not even the owner changes the audit by an ordinary statement', async () => {
  await expect(laptop.sql.query(`DELETE FROM audit`)).rejects.toMatchObject({ code: '42501' });
});

/** Rotates a login the way a rotation does: new password in the server, then in the secret. */
const rotate = async (secretId: string, username: string): Promise<void> => {
  const password = `rotated ${secretId}`;
  await laptop.sql.query(`ALTER ROLE ${username} PASSWORD '${password}'`);
  const client = new SecretsManagerClient({});
  await client.send(
    new PutSecretValueCommand({ SecretId: secretId, SecretString: JSON.stringify({ username, password }) }),
  );
  client.destroy();
};

describe('a rotated password', () => {
  test('of a pool role is fetched again by the next connection', async () => {
    const place = (await laptop.world.registry.cells.get('eu-1'))!;
    await (await laptop.world.databases.connect(place, 'provision')).end();
    await rotate('tenantry/eu-1/provision', 'tenantry_provision');
    const client = await laptop.world.databases.connect(place, 'provision');
    expect((await client.query('SELECT current_user AS role')).rows).toEqual([{ role: 'tenantry_provision' }]);
    await client.end();
  });

  test('of the registry is fetched again when the pool opens its next connection', async () => {
    await rotate('tenantry/registry/control', 'tenantry_control');
    await laptop.sql.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'tenantry_control'`);
    // The ended connection may be noticed by the pool or by the query that meets it; the one after that is new.
    await laptop.world.registry.cells.list().catch(() => undefined);
    expect(await laptop.world.registry.cells.list()).toHaveLength(1);
  });
});
