import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { setUpPool } from '../../adapters/pool/set-up.ts';
import { prepareTenant } from '../../adapters/pool/tenant.ts';
import type { Route } from '../../app-kit/route.ts';
import { chatMigrations, credentials } from '../adapters/pool/chat-pool.ts';
import { openTestTenancy, type TestTenancy } from './test-tenancy.ts';

let world: TestTenancy;
let acme: Route;
let globex: Route;

beforeAll(async () => {
  world = await openTestTenancy();
  await world.addTenant('acme');
  await world.addTenant('globex');
  acme = (await world.tenancy.resolveTenant('acme.localhost:4480'))!;
  globex = (await world.tenancy.resolveTenant('globex.localhost'))!;
});

afterAll(() => world.stop());

afterEach(async () => {
  world.onRefresh = () => undefined;
  world.refreshed.length = 0;
  await setState('acme', 'open');
});

const setState = (tenantId: string, state: 'open' | 'fenced' | 'moved') =>
  world.pool.master.query('UPDATE tenantry.tenants SET state = $2, epoch = epoch + 1 WHERE tenant_id = $1', [
    tenantId,
    state,
  ]);

const write = (route: Route, name: string) =>
  world.tenancy.withTenant(route, (sql) =>
    sql.query('INSERT INTO streams (tenant_id, name) VALUES ($1, $2) RETURNING id', [sql.tenantId, name]),
  );

const streamsNamed = async (name: string): Promise<string[]> =>
  (
    await world.pool.master.query<{ tenant_id: string }>('SELECT tenant_id FROM streams WHERE name = $1', [name])
  ).rows.map((row) => row.tenant_id);

describe('a transaction of a tenant', () => {
  test('sees its rows and no others', async () => {
    const tenants = await world.tenancy.withTenant(acme, (sql) => sql.query('SELECT DISTINCT tenant_id FROM messages'));
    expect(tenants).toEqual([{ tenant_id: 'acme' }]);
  });

  test('is rolled back when its work throws, and the error comes through', async () => {
    const failing = world.tenancy.withTenant(acme, async (sql) => {
      await sql.query("INSERT INTO streams (tenant_id, name) VALUES ($1, 'half')", [sql.tenantId]);
      throw new TypeError('no');
    });
    await expect(failing).rejects.toThrow(new TypeError('no'));
    expect(await streamsNamed('half')).toEqual([]);
  });

  test('cannot be used after its end, when its connection serves somebody else', async () => {
    const kept = await world.tenancy.withTenant(acme, async (sql) => sql);
    await expect(kept.query('SELECT 1')).rejects.toThrow('This transaction has ended');
  });

  test('cannot be turned into another tenant by a slip', async () => {
    const slip = world.tenancy.withTenant(acme, (sql) => sql.query("SET LOCAL app.tenant_id = 'globex'"));
    await expect(slip).rejects.toThrow('The tenant of a transaction is set by withTenant alone.');
  });

  test('leaves nothing on its connection that the next tenant could find', async () => {
    const tenancy = world.open({ pools: { connections: 1 } });
    await tenancy.withTenant(acme, async (sql) => {
      await sql.query("SELECT set_config('app.' || 'tenant_id', 'acme', false)");
      await sql.query("SET app.note = 'acme was here'");
      await sql.query('CREATE TEMP TABLE stolen AS SELECT body FROM messages');
      await sql.query('LISTEN neighbours');
      await sql.query("SELECT pg_advisory_lock_shared(7001, hashtext('acme'))");
      await sql.query('PREPARE spy AS SELECT body FROM messages');
    });
    const [found] = await tenancy.withTenant(globex, (sql) =>
      sql.query(
        `SELECT to_regclass('pg_temp.stolen') AS stolen, current_setting('app.note', true) AS note, current_setting('app.' || 'tenant_id') AS tenant,
           (SELECT count(*)::int FROM pg_listening_channels()) AS channels, (SELECT count(*)::int FROM pg_prepared_statements WHERE name = 'spy') AS statements,
           (SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks`,
      ),
    );
    // The custom setting is known to the session from then on, but empty.
    expect(found).toEqual({ stolen: null, note: '', tenant: 'globex', channels: 0, statements: 0, locks: 0 });
  });

  test('never meets a neighbour in 10,000 interleaved checkouts that try to leave their tenant behind', async () => {
    const tenancy = world.open({ pools: { connections: 3 } });
    let foreign = 0;
    let seen = 0;
    const visit = async (route: Route, other: string) => {
      for (let round = 0; round < 1250; round += 1) {
        await tenancy.withTenant(route, async (sql) => {
          const [row] = await sql.query<{ own: number; foreign: number; tenant: string }>(
            `SELECT count(*) FILTER (WHERE tenant_id = $1)::int AS own, count(*) FILTER (WHERE tenant_id <> $1)::int AS foreign, current_setting('app.' || 'tenant_id') AS tenant FROM streams`,
            [route.tenantId],
          );
          if (row!.foreign > 0 || row!.own === 0 || row!.tenant !== route.tenantId) foreign += 1;
          seen += 1;
          await sql.query("SELECT set_config('app.' || 'tenant_id', $1, false)", [other]);
        });
      }
    };
    await Promise.all([0, 1, 2, 3].flatMap(() => [visit(acme, 'globex'), visit(globex, 'acme')]));
    expect({ seen, foreign }).toEqual({ seen: 10_000, foreign: 0 });
  });
});

describe('the etiquette of the write fence', () => {
  test('a write that meets the fence waits outside it and is stored once when the tenant opens', async () => {
    await setState('acme', 'fenced');
    const twice = new Promise<void>((done) => {
      world.onRefresh = () => {
        if (world.refreshed.length === 2) done();
      };
    });
    const writing = write(acme, 'after-the-fence');
    await twice;
    await setState('acme', 'open');
    await writing;
    expect(await streamsNamed('after-the-fence')).toEqual(['acme']);
    expect(new Set(world.refreshed)).toEqual(new Set(['acme']));
  });

  test('a neighbour of a fenced tenant writes without waiting', async () => {
    await setState('acme', 'fenced');
    await write(globex, 'unfenced');
    expect(await streamsNamed('unfenced')).toEqual(['globex']);
    expect(world.refreshed).toEqual([]);
  });

  test('a fence that stays is told as unavailable within the deadline, and nothing was written', async () => {
    await setState('acme', 'fenced');
    const options = { deadline: 300 };
    const writing = world.tenancy.withTenant(
      acme,
      (sql) => sql.query("INSERT INTO streams (tenant_id, name) VALUES ($1, 'never')", [sql.tenantId]),
      options,
    );
    await expect(writing).rejects.toMatchObject({ name: 'TenantUnavailable', status: 503, retryAfter: 1 });
    expect(await streamsNamed('never')).toEqual([]);
  });

  test('a tenant that moved is written to at its new place', async () => {
    await world.pool.master.query('CREATE DATABASE other');
    const { user, password } = world.pool.master;
    const master = new pg.Client({
      host: acme.host,
      port: acme.port,
      user,
      password: password ?? '',
      database: 'other',
    });
    await master.connect();
    await setUpPool(master, { credentials, migrations: await chatMigrations() });
    await prepareTenant(master, { tenantId: 'acme', profile: {}, fence: 1 });
    await world.control.query(
      `INSERT INTO cells (id, region, host, port, database, secret_prefix, capacity) SELECT 'local-2', region, host, port, 'other', secret_prefix, capacity FROM cells WHERE id = 'local-1'`,
    );
    await setState('acme', 'moved');
    await world.control.query("UPDATE placements SET cell_id = 'local-2' WHERE tenant_id = 'acme'");
    await write(acme, 'moved-along');
    expect(await streamsNamed('moved-along')).toEqual([]);
    expect((await master.query("SELECT tenant_id FROM streams WHERE name = 'moved-along'")).rows).toEqual([
      { tenant_id: 'acme' },
    ]);
    expect((await world.tenancy.resolveTenant('acme.localhost'))?.database).toBe('other');
    const read = await world.tenancy.withTenant(acme, (sql) =>
      sql.query("SELECT name FROM streams WHERE name = 'moved-along'"),
    );
    expect(read, 'a reader that still holds the old route').toEqual([{ name: 'moved-along' }]);
    await world.control.query("UPDATE placements SET cell_id = 'local-1' WHERE tenant_id = 'acme'");
    await master.end();
  });

  test('a tenant that was suspended meanwhile is told as suspended', async () => {
    await setState('acme', 'fenced');
    await world.control.query("UPDATE routes SET state = 'off' WHERE tenant_id = 'acme'");
    await expect(write(acme, 'suspended')).rejects.toMatchObject({ name: 'TenantSuspended', status: 503 });
    await world.control.query("UPDATE routes SET state = 'on' WHERE tenant_id = 'acme'");
  });

  test('a tenant that is gone is told as not found', async () => {
    await setState('acme', 'fenced');
    const [row] = (await world.control.query("DELETE FROM routes WHERE tenant_id = 'acme' RETURNING host")).rows as {
      host: string;
    }[];
    await expect(write(acme, 'gone')).rejects.toMatchObject({ name: 'TenantNotFound', status: 404 });
    await world.control.query(
      "INSERT INTO routes (host, tenant_id, kind, state) VALUES ($1, 'acme', 'subdomain', 'on')",
      [row!.host],
    );
  });
});

describe('what is repeated and what is not', () => {
  test('a serialisation failure is repeated until both increments are stored', async () => {
    await world.tenancy.withTenant(acme, (sql) => sql.query(`UPDATE realms SET settings = '{"n": 0}'`));
    let arrived = 0;
    let meet: () => void = () => undefined;
    const both = new Promise<void>((done) => {
      meet = done;
    });
    const increment = () =>
      world.tenancy.withTenant(
        acme,
        async (sql) => {
          const [row] = await sql.query<{ n: number }>("SELECT (settings ->> 'n')::int AS n FROM realms");
          arrived += 1;
          if (arrived === 2) meet();
          await both;
          await sql.query("UPDATE realms SET settings = jsonb_build_object('n', $1::int)", [row!.n + 1]);
        },
        { isolation: 'serializable' },
      );
    await Promise.all([increment(), increment()]);
    expect(arrived).toBeGreaterThan(2);
    expect((await world.pool.master.query("SELECT settings FROM realms WHERE tenant_id = 'acme'")).rows).toEqual([
      { settings: { n: 2 } },
    ]);
  });

  test('a connection that breaks before COMMIT is repeated on another, and the work is stored once', async () => {
    let attempts = 0;
    await world.tenancy.withTenant(acme, async (sql) => {
      attempts += 1;
      await sql.query("INSERT INTO streams (tenant_id, name) VALUES ($1, 'reconnected')", [sql.tenantId]);
      const [row] = await sql.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      // Waits until the backend is gone, so its last words come between two queries, where nobody awaits an answer.
      if (attempts === 1) await world.pool.master.query('SELECT pg_terminate_backend($1, 5000)', [row!.pid]);
      await sql.query('SELECT 1');
    });
    expect(attempts).toBe(2);
    expect(await streamsNamed('reconnected')).toEqual(['acme']);
  });

  test('a connection that breaks during COMMIT is not repeated: the change may be there already', async () => {
    await world.pool.master.query(`
      CREATE FUNCTION public.cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.name = 'cut' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NULL; END $$;
      CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON streams DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.cut()`);
    const work = vi.fn((sql: { tenantId: string; query(text: string, values: unknown[]): Promise<unknown> }) =>
      sql.query("INSERT INTO streams (tenant_id, name) VALUES ($1, 'cut')", [sql.tenantId]),
    );
    await expect(world.tenancy.withTenant(acme, work)).rejects.toMatchObject({
      name: 'OutcomeUnknown',
      retryAfter: undefined,
    });
    expect(work).toHaveBeenCalledTimes(1);
    await world.pool.master.query('DROP TRIGGER cut ON streams; DROP FUNCTION public.cut()');
  });

  test('a rotated password is fetched anew', async () => {
    const tenancy = world.open();
    await tenancy.withTenant(acme, (sql) => sql.query('SELECT 1'));
    await world.pool.master.query("ALTER ROLE tenantry_app PASSWORD 'rotated'");
    world.secrets.set('tenantry/local-1/app', { username: 'tenantry_app', password: 'rotated' });
    await world.pool.master.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'tenantry_app'",
    );
    expect(await tenancy.withTenant(acme, (sql) => sql.query('SELECT 1 AS one'))).toEqual([{ one: 1 }]);
  });
});
