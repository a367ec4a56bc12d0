import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { credentials } from '../adapters/pool/chat-pool.ts';
import { type Neighbours, openNeighbours, tables } from './isolation-pool.ts';

let pool: Neighbours;
let globexBefore: string;

beforeAll(async () => {
  pool = await openNeighbours();
  globexBefore = await pool.digestOf('globex');
});

afterAll(() => pool.stop());

describe('effects that reach beyond a policy', () => {
  test('9. TRUNCATE: not granted, and refused by the fence trigger where it is', async () => {
    await expect(pool.asAcme((sql) => sql.query('TRUNCATE audit_trail'))).rejects.toMatchObject({
      code: '42501',
      message: expect.stringContaining('permission denied'),
    });
    await pool.planted(
      'GRANT TRUNCATE ON audit_trail TO tenantry_app',
      'REVOKE TRUNCATE ON audit_trail FROM tenantry_app',
      async () => {
        await expect(pool.asAcme((sql) => sql.query('TRUNCATE audit_trail'))).rejects.toThrow(
          'would remove the rows of every tenant',
        );
      },
    );
  });

  const pins = `CREATE UNIQUE INDEX messages_id ON messages (id);
    CREATE TABLE pins (tenant_id text NOT NULL, id int, message_id bigint NOT NULL REFERENCES messages (id) ON DELETE CASCADE, PRIMARY KEY (tenant_id, id)); SELECT tenantry.protect_app()`;
  const pinForeign = (id: number) =>
    pool.asAcme(async (sql) => {
      const { rows } = await pool.master(
        "SELECT m.id FROM messages m WHERE tenant_id = 'globex' AND NOT EXISTS (SELECT FROM messages r WHERE r.tenant_id = 'globex' AND r.reply_to = m.id) LIMIT 1",
      );
      await sql.query('INSERT INTO pins (tenant_id, id, message_id) VALUES ($1, $2, $3)', [
        sql.tenantId,
        id,
        rows[0]!.id,
      ]);
      return rows[0]!.id;
    });

  test("10. a foreign key to a neighbour's row: refused by keys that carry the tenant, found by the schema rule where they do not", async () => {
    const stream = (await pool.master("SELECT id FROM streams WHERE tenant_id = 'globex' LIMIT 1")).rows[0]!.id;
    const intrude = pool.asAcme((sql) =>
      sql.query(
        'INSERT INTO messages (tenant_id, stream_id, sender_id, body) SELECT $1, $2, id, $3 FROM users LIMIT 1',
        [sql.tenantId, stream, 'hello'],
      ),
    );
    await expect(intrude).rejects.toMatchObject({ code: '23503' });
    await pool.planted(pins, 'DROP TABLE pins; DROP INDEX messages_id', async () => {
      await pinForeign(1);
      expect(await pool.findings()).toContainEqual(
        expect.stringMatching(
          /^public\.pins: foreign key pins_message_id_fkey \(message_id\) does not carry the tenant/,
        ),
      );
    });
  });

  test("11. a cascade from a neighbour's row: reaches no other tenant through keys that carry the tenant", async () => {
    await pool.planted(pins, 'DROP TABLE pins; DROP INDEX messages_id', async () => {
      const message = await pinForeign(1);
      await pool.master('BEGIN');
      await pool.master("SELECT set_config('app.tenant_id', 'globex', true)");
      await pool.master("DELETE FROM messages WHERE tenant_id = 'globex' AND id = $1", [message]);
      // acme's pin went with it: the leak that finding 10 names.
      expect((await pool.master('SELECT FROM pins')).rowCount).toBe(0);
      await pool.master('ROLLBACK');
    });
    const before = await pool.digestOf('acme');
    await pool.master('BEGIN');
    await pool.master(
      "SELECT set_config('app.tenant_id', 'globex', true), set_config('session_replication_role', 'origin', true)",
    );
    await pool.master("DELETE FROM streams WHERE tenant_id = 'globex'");
    expect(await pool.digestOf('acme')).toBe(before);
    await pool.master('ROLLBACK');
  });

  test('12. a unique index that tells what a neighbour has: found by the schema rule; with the tenant in it both have the same', async () => {
    const address = String(
      (await pool.master("SELECT email FROM users WHERE tenant_id = 'globex' LIMIT 1")).rows[0]!.email,
    );
    const invite = () =>
      pool.asAcme((sql) =>
        sql.query("INSERT INTO users (tenant_id, email, full_name) VALUES ($1, $2, 'Twin')", [sql.tenantId, address]),
      );
    await pool.planted('CREATE UNIQUE INDEX one_address ON users (email)', 'DROP INDEX one_address', async () => {
      await expect(invite()).rejects.toMatchObject({ code: '23505' });
      expect(await pool.findings()).toEqual([
        expect.stringContaining('public.users: unique index one_address lacks tenant_id'),
      ]);
    });
    await expect(invite()).resolves.toEqual([]);
  });
});

describe('the setting that names the tenant', () => {
  test('13. another value of app.tenant_id: app-kit lets no statement name it, and what users write stays text', async () => {
    await expect(pool.asAcme((sql) => sql.query("SELECT set_config('app.tenant_id', 'globex', true)"))).rejects.toThrow(
      'set by withTenant alone',
    );
    const injected = "x'); SELECT set_config('app.tenant_id', 'globex', true); --";
    await pool.asAcme((sql) =>
      sql.query('INSERT INTO streams (tenant_id, name) VALUES ($1, $2)', [sql.tenantId, injected]),
    );
    expect(await pool.asAcme((sql) => sql.query('SELECT tenant_id FROM streams WHERE name = $1', [injected]))).toEqual([
      { tenant_id: 'acme' },
    ]);
    // The limit that docs/app-contract.md names: a tenant who may send SQL of its own needs a login of its own.
    const free = await pool.world.pool.connect('app');
    await free.query("SELECT set_config('app.tenant_id', 'globex', false)");
    expect((await free.query("SELECT FROM messages WHERE tenant_id = 'globex' LIMIT 1")).rowCount).toBe(1);
  });

  test('14. a connection after COMMIT: shows nothing and writes nothing', async () => {
    const client = await pool.world.pool.connect('app');
    await client.query('BEGIN');
    await client.query("SELECT set_config('app.tenant_id', 'acme', true)");
    await client.query('COMMIT');
    expect((await client.query('SELECT FROM messages')).rowCount).toBe(0);
    await expect(client.query("INSERT INTO streams (tenant_id, name) VALUES ('acme', 'late')")).rejects.toMatchObject({
      code: '42501',
    });
    await expect(client.query("DELETE FROM streams WHERE tenant_id = 'acme'")).rejects.toMatchObject({ code: '42501' });
  });

  test('15. a session-level SET: does not reach the next checkout of the connection', async () => {
    const tenancy = pool.world.open({ pools: { connections: 1 } });
    const acme = (await tenancy.resolveTenant('acme.localhost'))!;
    const globex = (await tenancy.resolveTenant('globex.localhost'))!;
    await tenancy.withTenant(globex, (sql) => sql.query("SELECT set_config('app.' || 'tenant_id', 'globex', false)"));
    const [seen] = await tenancy.withTenant(acme, (sql) =>
      sql.query(
        "SELECT current_setting('app.' || 'tenant_id') AS tenant, count(*) FILTER (WHERE tenant_id <> 'acme')::int AS foreign FROM messages",
      ),
    );
    expect(seen).toEqual({ tenant: 'acme', foreign: 0 });
  });
});

describe('side channels', () => {
  test('16. NOTIFY: a LISTEN of one tenant is gone before the next one may speak', async () => {
    const tenancy = pool.world.open({ pools: { connections: 1 } });
    const acme = (await tenancy.resolveTenant('acme.localhost'))!;
    const globex = (await tenancy.resolveTenant('globex.localhost'))!;
    await tenancy.withTenant(globex, (sql) => sql.query('LISTEN wall'));
    const [heard] = await tenancy.withTenant(acme, (sql) =>
      sql.query('SELECT count(*)::int AS channels FROM pg_listening_channels()'),
    );
    expect(heard).toEqual({ channels: 0 });
    // The limit: whoever holds a raw connection hears every tenant of the database.
    const raw = await pool.world.pool.connect('app');
    await raw.query('LISTEN wall');
    const notified = once(raw, 'notification');
    await pool.asAcme((sql) => sql.query("SELECT pg_notify('wall', 'from acme')"));
    expect((await notified)[0]).toMatchObject({ payload: 'from acme' });
  });

  test("17. statistics: pg_stats hides the columns of tenant tables, and EXPLAIN shows a number but no neighbour's value", async () => {
    await pool.master('ANALYZE');
    expect(
      await pool.asAcme((sql) => sql.query("SELECT FROM pg_stats WHERE tablename IN ('messages', 'users', 'streams')")),
    ).toEqual([]);
    await expect(pool.asAcme((sql) => sql.query('SELECT stavalues1 FROM pg_statistic'))).rejects.toMatchObject({
      code: '42501',
    });
    const plan = JSON.stringify(await pool.asAcme((sql) => sql.query('EXPLAIN (FORMAT JSON) SELECT * FROM users')));
    expect(plan).toMatch(/Plan Rows/);
    expect(plan).not.toContain('globex');
  });

  test('18. a dump with row security: holds the rows of its tenant, leaves included', async () => {
    const { host, port } = pool.world.pool;
    const { username, password } = credentials.provision;
    const env = {
      PATH: process.env.PATH,
      PGPASSWORD: password,
      PGOPTIONS: '-c app.tenant_id=acme',
      PGDATABASE: 'pool',
    };
    const args = [
      '--enable-row-security',
      '--data-only',
      '--inserts',
      '-n',
      'public',
      '-h',
      host,
      '-p',
      String(port),
      '-U',
      username,
    ];
    const own = await pool.world.pool.connect('provision');
    await own.query("SELECT set_config('app.tenant_id', 'acme', false)");
    const { rows: leaves } = await pool.master(
      "SELECT relid::regclass::text AS leaf FROM pg_partition_tree('activity') WHERE isleaf",
    );
    let rows = 0;
    for (const leaf of [...tables, ...leaves.map((row) => String(row.leaf))]) {
      const found = (await own.query<{ tenant_id: string }>(`SELECT tenant_id FROM ${leaf}`)).rows;
      expect({ leaf, foreign: found.filter(({ tenant_id }) => tenant_id !== 'acme') }).toEqual({ leaf, foreign: [] });
      rows += tables.includes(leaf) && leaf !== 'activity' ? found.length : 0;
      rows += tables.includes(leaf) ? 0 : found.length;
    }
    const dump = await promisify(execFile)('pg_dump', args, { env, maxBuffer: 1 << 28 }).catch(
      (error: NodeJS.ErrnoException) => {
        // Machines without PostgreSQL's client have proved the same above, statement by statement.
        if (error.code === 'ENOENT') return undefined;
        throw error;
      },
    );
    if (!dump) return;
    const inserted = dump.stdout.split('\n').filter((line) => /^INSERT INTO public\.(?!emoji_catalogue)/.test(line));
    expect(inserted.length).toBe(rows);
    expect(inserted.filter((line) => !/ VALUES \('acme', /.test(line))).toEqual([]);
  });

  test('and a partition that is made later: protected in the transaction that makes it', async () => {
    await pool.planted(
      "CREATE TABLE activity_2030 PARTITION OF activity FOR VALUES FROM ('2030-01-01') TO ('2031-01-01')",
      'DROP TABLE activity_2030',
      async () => {
        const { rows } = await pool.master(
          "SELECT relrowsecurity AND relforcerowsecurity AS forced, (SELECT count(*)::int FROM pg_policy WHERE polrelid = c.oid) AS policies FROM pg_class c WHERE relname = 'activity_2030'",
        );
        expect(rows).toEqual([{ forced: true, policies: 1 }]);
        await expect(pool.foreignRows('SELECT tenant_id FROM activity_2030')).rejects.toMatchObject({ code: '42501' });
      },
    );
  });
});

test('after all of it no row of the neighbour has changed', async () => {
  expect(await pool.digestOf('globex')).toBe(globexBefore);
});
