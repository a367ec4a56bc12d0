import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Databases, openDatabases } from '../../../adapters/postgres/connection.ts';
import type { Secrets } from '../../../adapters/secrets.ts';
import { startTestPostgres, type TestPostgres } from '../../postgres.ts';

let server: TestPostgres;
let master: pg.Client;
beforeAll(async () => {
  server = await startTestPostgres();
  const { username: user, password } = server.superuser;
  master = new pg.Client({ host: server.host, port: server.port, user, password, database: 'postgres' });
  await master.connect();
  await master.query("CREATE ROLE provisioner LOGIN PASSWORD 'first'");
});
afterAll(async () => {
  await master.end();
  await server.stop();
});

/** A store of one login; `stored` is what a rotation changes, and a process asks again only after `forget`. */
const storeOf = (password: string): Secrets & { stored: string } => {
  let kept: string | undefined;
  const store: Secrets & { stored: string } = {
    stored: password,
    credentials: async () => {
      kept ??= store.stored;
      return { username: 'provisioner', password: kept };
    },
    forget: () => {
      kept = undefined;
    },
    values: () => Promise.reject(new Error('nobody asks for values here')),
    ensure: () => Promise.reject(new Error('nobody makes a login here')),
    remove: () => Promise.reject(new Error('nobody removes a login here')),
  };
  return store;
};

let secrets: Secrets & { stored: string };
let databases: Databases;
beforeEach(async () => {
  await master.query("ALTER ROLE provisioner PASSWORD 'first'");
  secrets = storeOf('first');
  databases = openDatabases(secrets);
});
afterEach(() => databases.close());

const lend = <Result>(work: (client: pg.ClientBase) => Promise<Result>): Promise<Result> =>
  databases.lend(
    { host: server.host, port: server.port, database: 'postgres', secretPrefix: 'cell' },
    'provision',
    work,
  );

const pidOf = async (client: pg.ClientBase): Promise<number> =>
  (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!.pid;

const sessions = async (): Promise<number> =>
  (
    await master.query<{ n: number }>(
      "SELECT count(*)::integer AS n FROM pg_stat_activity WHERE usename = 'provisioner'",
    )
  ).rows[0]!.n;

/** Ends a session and waits until the server has none of it. */
const end = async (pid: number): Promise<void> => {
  await master.query('SELECT pg_terminate_backend($1, 5000)', [pid]);
};

describe('a lent connection', () => {
  test('is the same one for every call of a place, which take turns', async () => {
    const pids = await Promise.all(Array.from({ length: 4 }, () => lend(pidOf)));
    expect(new Set(pids).size).toBe(1);
    expect(await sessions()).toBe(1);
  });

  test('is thrown away with whatever a failed call left in it', async () => {
    const first = lend(async (client) => {
      await client.query('BEGIN');
      await client.query("SELECT set_config('app.tenant_id', 'acme', false)");
      throw new Error('half done');
    });
    await expect(first).rejects.toThrow('half done');
    const left = await lend(
      async (client) =>
        (await client.query<{ tenant: string | null }>("SELECT current_setting('app.tenant_id', true) AS tenant"))
          .rows[0]!.tenant,
    );
    expect(left).toBeNull();
  });

  test('that the server ended costs one call at most, and not the process', async () => {
    const before = await lend(pidOf);
    await end(before);
    const after = await lend(pidOf).catch(() => lend(pidOf));
    expect(after).not.toBe(before);
  });

  test('is opened with the new login when the password was rotated', async () => {
    const before = await lend(pidOf);
    await master.query("ALTER ROLE provisioner PASSWORD 'second'");
    secrets.stored = 'second';
    await end(before);
    expect(await lend(pidOf).catch(() => lend(pidOf))).not.toBe(before);
  });

  test('is ended with the process that kept it', async () => {
    await lend(pidOf);
    await databases.close();
    await expect.poll(sessions).toBe(0);
  });
});
