import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { tenancyFromEnvironment } from '../../app-kit/tenancy.ts';
import { type HostedApp, startApp } from '../../local/apps.ts';
import { credentials } from '../adapters/pool/chat-pool.ts';
import { until } from '../cloud.ts';
import { call } from '../local/ingress/http.ts';
import { openTestTenancy, type TestTenancy } from './test-tenancy.ts';

const entry = join(import.meta.dirname, '..', '..', 'sample-app', 'main.ts');
const host = 'acme.localhost';

let world: TestTenancy;
let app: HostedApp;
let lines: string[];

const environment = (): Record<string, string> => ({
  TENANTRY_TENANT_ID: 'acme',
  TENANTRY_HOSTS: `${host},chat.acme.example`,
  DATABASE_HOST: world.pool.host,
  DATABASE_PORT: String(world.pool.port),
  DATABASE_NAME: world.pool.database,
  DATABASE_USER: credentials.app.username,
  DATABASE_PASSWORD: credentials.app.password,
  SAMPLE_APP_OPEN_LOGIN: '1',
});

beforeAll(async () => {
  lines = [];
  world = await openTestTenancy();
  await world.addTenant('acme', 3);
  await world.addTenant('globex', 3);
  app = await startApp({ entry, env: environment(), log: (line) => lines.push(line) });
});

afterAll(async () => {
  await app.stop();
  await world.stop();
});

const setState = (state: 'open' | 'fenced' | 'moved') =>
  world.pool.master.query("UPDATE tenantry.tenants SET state = $1, epoch = epoch + 1 WHERE tenant_id = 'acme'", [
    state,
  ]);

afterEach(() => setState('open'));

const get = (path: string, name = host) => call(app.port()!, path, { headers: { host: name } });

const signIn = async (): Promise<Record<string, string>> => {
  const door = await call(app.port()!, '/login?email=owner@acme.example', {
    headers: { host, accept: 'application/json' },
  });
  const { token } = JSON.parse(door.body) as { token: string };
  return { host, authorization: `Bearer ${token}`, 'content-type': 'application/json' };
};

/** Sends a message of acme's owner; answers when the app did. */
const say = async (headers: Record<string, string>, words: string) => {
  const { items } = JSON.parse((await call(app.port()!, '/api/streams', { headers })).body) as {
    items: { id: string }[];
  };
  const path = `/api/streams/${items[0]!.id}/messages`;
  return () => call(app.port()!, path, { method: 'POST', headers, body: JSON.stringify({ body: words }) });
};

const stored = async (words: string): Promise<number> =>
  (await world.pool.master.query('SELECT FROM messages WHERE body = $1', [words])).rowCount ?? 0;

describe('an app of one tenant', () => {
  test.each([host, 'chat.acme.example', 'ACME.localhost:4480'])(
    'serves it at %s, without registry and AWS',
    async (name) => {
      expect(await get('/', name)).toMatchObject({ status: 200, body: expect.stringContaining('message 3 of acme') });
    },
  );

  test('does not know the neighbours in its database', async () => {
    expect(await get('/', 'globex.localhost')).toMatchObject({ status: 404 });
  });

  test('whose tenant has moved away answers 503 at once and says so to whoever routes', async () => {
    const send = await say(await signIn(), 'after the move');
    await setState('moved');
    const began = performance.now();
    const answers = [await get('/'), await get('/api/me'), await send()];
    expect(performance.now() - began).toBeLessThan(3_000);
    expect(answers[0]).toMatchObject({ status: 503, headers: { 'retry-after': '1', 'tenantry-moved': 'acme' } });
    // Nobody is signed in: the session is checked before the database is asked.
    expect(answers[1]).toMatchObject({ status: 401 });
    expect(answers[2]).toMatchObject({ status: 503, headers: { 'retry-after': '1', 'tenantry-moved': 'acme' } });
    expect(await stored('after the move')).toBe(0);
  });

  test('whose database was dropped after a move says the same', async () => {
    const tenancy = tenancyFromEnvironment({ ...environment(), DATABASE_NAME: 'dropped' });
    const route = (await tenancy.resolveTenant(host))!;
    const reading = tenancy.withTenant(route, (sql) => sql.query('SELECT 1'));
    await expect(reading).rejects.toMatchObject({ name: 'TenantMoved', status: 503, retryAfter: 1, moved: 'acme' });
    await tenancy.close();
  });

  test('whose tenant is fenced lets the write wait, and stores it once', async () => {
    const send = await say(await signIn(), 'through the fence');
    await setState('fenced');
    let answered = false;
    const sent = send().finally(() => {
      answered = true;
    });
    const refused = async (): Promise<boolean> =>
      (
        await world.pool.master.query(
          "SELECT FROM pg_stat_activity WHERE usename = 'tenantry_app' AND query IN ('ROLLBACK', 'DISCARD ALL') AND state_change > now() - interval '1 second'",
        )
      ).rowCount !== 0;
    await until('the write is refused', async () => (await refused()) || answered || undefined);
    expect(answered).toBe(false);
    await setState('open');
    expect((await sent).status).toBe(201);
    expect(await stored('through the fence')).toBe(1);
  });
});

/** A database can only be closed from another one. */
const allowConnections = async (database: 'pool' | 'control', allowed: boolean): Promise<void> => {
  const master = database === 'pool' ? world.control : world.pool.master;
  await master.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS ${String(allowed)}`);
  if (allowed) return;
  await master.query(
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1 AND application_name LIKE 'tenantry app%'",
    [database],
  );
};

describe('the health of an app', () => {
  test("of one tenant is its own database's", async () => {
    expect(await get('/healthz', '127.0.0.1')).toMatchObject({ status: 200, body: 'ok' });
    await allowConnections('control', false);
    expect((await get('/healthz')).status).toBe(200);
    await allowConnections('control', true);
    await allowConnections('pool', false);
    expect((await get('/healthz')).status).toBe(503);
    await allowConnections('pool', true);
    expect((await get('/healthz')).status).toBe(200);
  });

  test("of all tenants is the registry's", async () => {
    const tenancy = world.open();
    await tenancy.check();
    await allowConnections('pool', false);
    await tenancy.check();
    await allowConnections('pool', true);
    await allowConnections('control', false);
    await expect(tenancy.check()).rejects.toThrow('is not currently accepting connections');
    await allowConnections('control', true);
    await tenancy.check();
  });
});

test('an incomplete environment is told by name, and the password stays out of it', () => {
  expect(() =>
    tenancyFromEnvironment({ TENANTRY_TENANT_ID: 'acme', DATABASE_PASSWORD: 'hunter2', DATABASE_PORT: 'five' }),
  ).toThrow(
    /^The app's environment is incomplete: TENANTRY_HOSTS: .*; DATABASE_HOST: .*; DATABASE_PORT: .*; DATABASE_NAME: .*; DATABASE_USER: .*\. See docs\/app-contract\.md\.$/,
  );
  expect(() => tenancyFromEnvironment({ ...environment(), TENANTRY_HOSTS: 'acme.localhost,not a host' })).toThrow(
    'TENANTRY_HOSTS: "not a host" is no host name',
  );
});
