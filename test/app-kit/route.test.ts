import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { registryRoutes } from '../../app-kit/registry.ts';
import { createRouter, hostName, type Route } from '../../app-kit/route.ts';
import { openTestTenancy, type TestTenancy } from './test-tenancy.ts';

const route = (tenantId: string): Route => ({
  tenantId,
  state: 'active',
  host: '127.0.0.1',
  port: 5432,
  database: 'pool',
  secretId: 'tenantry/local-1/app',
});

/** A source that counts its askers. */
const counted = (answer: (host: string) => Promise<Route | undefined>) => {
  const asked: string[] = [];
  return {
    asked,
    source: {
      byHost: (host: string) => {
        asked.push(host);
        return answer(host);
      },
      byTenant: (tenantId: string) => {
        asked.push(`tenant ${tenantId}`);
        return Promise.resolve(tenantId === 'gone' ? undefined : route(tenantId));
      },
    },
  };
};

describe('a Host header', () => {
  test.each([
    ['acme.localhost', 'acme.localhost'],
    ['ACME.localhost:4480', 'acme.localhost'],
    ['chat.acme.example.', 'chat.acme.example'],
    [' acme.localhost ', 'acme.localhost'],
  ])('%s names %s', (header, name) => expect(hostName(header)).toBe(name));

  test.each([
    '',
    ':80',
    'acme_x y',
    "acme'--",
    'a..b',
    '[::1]',
    'ａcme.localhost',
    `${'a'.repeat(64)}.localhost`,
    `${'a.'.repeat(127)}localhost`,
  ])('%j names nothing and never reaches the registry', async (header) => {
    const { asked, source } = counted(() => Promise.resolve(route('acme')));
    expect(await createRouter(source).resolve(header)).toBeUndefined();
    expect(asked).toEqual([]);
  });
});

describe('a router', () => {
  test('asks once for many requests at the same moment, and again when the answer is too old', async () => {
    let now = 0;
    const { asked, source } = counted(() => Promise.resolve(route('acme')));
    const router = createRouter(source, { ttl: 5000, now: () => now });
    await Promise.all(Array.from({ length: 50 }, () => router.resolve('acme.localhost')));
    now = 4999;
    await router.resolve('acme.localhost:80');
    expect(asked).toHaveLength(1);
    now = 5001;
    await router.resolve('acme.localhost');
    expect(asked).toHaveLength(2);
  });

  test('remembers that a host is unknown, and does not remember a failure', async () => {
    let failing = false;
    const { asked, source } = counted(() =>
      failing ? Promise.reject(new Error('registry down')) : Promise.resolve(undefined),
    );
    const router = createRouter(source);
    expect(await router.resolve('nobody.localhost')).toBeUndefined();
    expect(await router.resolve('nobody.localhost')).toBeUndefined();
    expect(asked).toHaveLength(1);
    failing = true;
    await expect(router.resolve('acme.localhost')).rejects.toThrow('registry down');
    failing = false;
    expect(await router.resolve('acme.localhost')).toBeUndefined();
  });

  test('keeps no more hosts than its capacity, the least used goes first', async () => {
    const { asked, source } = counted((host) => Promise.resolve(route(host)));
    const router = createRouter(source, { capacity: 2 });
    for (const host of ['a.x', 'b.x', 'a.x', 'c.x', 'a.x', 'b.x']) await router.resolve(host);
    expect(asked).toEqual(['a.x', 'b.x', 'c.x', 'b.x']);
  });

  test('a refresh drops every host of that tenant and of no other', async () => {
    const { asked, source } = counted((host) => Promise.resolve(route(host.startsWith('globex') ? 'globex' : 'acme')));
    const router = createRouter(source);
    for (const host of ['acme.localhost', 'chat.acme.example', 'globex.localhost']) await router.resolve(host);
    await router.refresh('acme');
    for (const host of ['acme.localhost', 'chat.acme.example', 'globex.localhost']) await router.resolve(host);
    expect(asked.slice(3)).toEqual(['tenant acme', 'acme.localhost', 'chat.acme.example']);
    await expect(router.refresh('gone')).rejects.toMatchObject({ name: 'TenantNotFound' });
  });
});

describe('routes of the registry', () => {
  let world: TestTenancy;
  beforeAll(async () => {
    world = await openTestTenancy();
    await world.addTenant('acme');
  });
  afterAll(() => world.stop());

  test('say where a tenant is and which secret opens its database, and a route that is off is suspended', async () => {
    expect(await world.open().resolveTenant('acme.localhost')).toEqual({
      tenantId: 'acme',
      state: 'active',
      host: world.pool.host,
      port: world.pool.port,
      database: 'pool',
      secretId: 'tenantry/local-1/app',
    });
    await world.control.query("UPDATE routes SET state = 'off'");
    expect(await world.open().resolveTenant('acme.localhost')).toMatchObject({ state: 'suspended' });
    await world.control.query("UPDATE routes SET state = 'on'");
  });

  test('are asked anew once when the connection broke, and with a fresh login when the password changed', async () => {
    const routes = registryRoutes(world.registry, world.logins);
    await routes.byHost('acme.localhost');
    await world.control.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'test_router'");
    expect(await routes.byHost('acme.localhost')).toMatchObject({ tenantId: 'acme' });
    await world.control.query("ALTER ROLE test_router PASSWORD 'rotated'");
    world.secrets.set('tenantry/registry/router', { username: 'test_router', password: 'rotated' });
    await world.control.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'test_router'");
    expect(await routes.byTenant('acme')).toMatchObject({ tenantId: 'acme' });
    await routes.close();
  });
});
