import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { setUpPool } from '../../../adapters/pool/set-up.ts';
import { chatMigrations, credentials, openTestPool, type TestPool } from './chat-pool.ts';

let pool: TestPool;
let app: pg.Client;

const asTenant = async <Result>(client: pg.Client, tenantId: string, work: () => Promise<Result>): Promise<Result> => {
  await client.query('BEGIN');
  try {
    await client.query(`SELECT set_config('app.tenant_id', $1, true)`, [tenantId]);
    return await work();
  } finally {
    await client.query('ROLLBACK');
  }
};

beforeAll(async () => {
  pool = await openTestPool();
  await pool.addTenant('acme');
  await pool.addTenant('globex');
  app = await pool.connect('app');
});

afterAll(() => pool.stop());

describe('a pooled database that was set up', () => {
  test('shows the app one tenant, and nobody without app.tenant_id', async () => {
    const tenants = await asTenant(app, 'acme', () => app.query('SELECT DISTINCT tenant_id FROM messages'));
    expect(tenants.rows).toEqual([{ tenant_id: 'acme' }]);
    expect((await app.query('SELECT FROM messages')).rowCount).toBe(0);
  });

  test('refuses a row of another tenant', async () => {
    const foreign = asTenant(app, 'acme', () =>
      app.query(`INSERT INTO audit_trail (tenant_id, action) VALUES ('globex', 'spy')`),
    );
    await expect(foreign).rejects.toMatchObject({ code: '42501' });
  });

  test('refuses a write without app.tenant_id, to its superuser too', async () => {
    await expect(pool.master.query(`UPDATE messages SET body = ''`)).rejects.toMatchObject({
      code: '42501',
      message: expect.stringContaining('set app.tenant_id'),
    });
  });

  test('lets nobody but the owner of the tables write as a migration', async () => {
    await app.query('BEGIN');
    await app.query(`SET LOCAL tenantry.migrating = 'on'`);
    await expect(app.query(`UPDATE messages SET body = ''`)).rejects.toMatchObject({ code: '42501' });
    await app.query('ROLLBACK');
  });

  test('refuses TRUNCATE, which row-level security does not see', async () => {
    const client = await pool.connect('migrate');
    const truncating = asTenant(client, 'acme', () => client.query('TRUNCATE activity_2025'));
    await expect(truncating).rejects.toMatchObject({ code: '42501' });
    await expect(asTenant(app, 'acme', () => app.query('TRUNCATE attachments'))).rejects.toMatchObject({
      code: '42501',
    });
  });

  test.each(['read committed', 'repeatable read', 'serializable'])(
    'refuses writes of a fenced tenant under %s',
    async (level) => {
      const writer = await pool.connect('app');
      const write = () => writer.query(`INSERT INTO audit_trail (tenant_id, action) VALUES ('globex', 'late')`);
      await writer.query(`BEGIN ISOLATION LEVEL ${level}`);
      await writer.query(`SELECT set_config('app.tenant_id', 'globex', true)`);
      await writer.query('SELECT count(*) FROM messages');
      await pool.master.query(`UPDATE tenantry.tenants SET state = 'fenced' WHERE tenant_id = 'globex'`);
      try {
        await expect(write()).rejects.toMatchObject({ code: level === 'read committed' ? 'TN001' : '40001' });
      } finally {
        await writer.query('ROLLBACK');
        await pool.master.query(`UPDATE tenantry.tenants SET state = 'open' WHERE tenant_id = 'globex'`);
      }
    },
  );

  test('makes a fence wait for the writers of its tenant only', async () => {
    const fencer = await pool.connect('restore');
    await fencer.query(`SET lock_timeout = '100ms'`);
    const fence = (tenantId: string) => fencer.query('SELECT pg_advisory_xact_lock(7001, hashtext($1))', [tenantId]);
    await asTenant(app, 'acme', async () => {
      await app.query(`INSERT INTO audit_trail (tenant_id, action) VALUES ('acme', 'under way')`);
      await expect(fence('acme')).rejects.toMatchObject({ code: '55P03' });
      await fence('globex');
    });
    await fence('acme');
  });

  test('protects every table, leaf included, by force', async () => {
    const { rows } = await pool.master.query(
      `SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
       WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
         AND NOT (c.relrowsecurity AND c.relforcerowsecurity
           AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)
           AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'tenantry_fence'))`,
    );
    expect(rows).toEqual([]);
  });

  test('protects a partition in the transaction that makes or attaches it', async () => {
    const restore = await pool.connect('restore');
    await pool.master.query(`
      CREATE TABLE activity_2047 PARTITION OF activity FOR VALUES FROM ('2048-01-01') TO ('2049-01-01');
      CREATE TABLE activity_2050 (LIKE activity INCLUDING ALL);
      ALTER TABLE activity ATTACH PARTITION activity_2050 FOR VALUES FROM ('2050-01-01') TO ('2051-01-01');
      SET app.tenant_id = 'acme';
      INSERT INTO activity (tenant_id, kind, subject, happened_on) VALUES ('acme', 'k', 's', '2048-05-05'), ('acme', 'k', 's', '2050-05-05');
      RESET app.tenant_id`);
    for (const leaf of ['activity_2047', 'activity_2050']) {
      const seen = (tenantId: string) => asTenant(restore, tenantId, () => restore.query(`SELECT FROM ${leaf}`));
      expect((await seen('acme')).rowCount).toBe(1);
      expect((await seen('globex')).rowCount).toBe(0);
    }
    await pool.master.query('DROP TABLE activity_2047, activity_2050');
  });

  test('puts back what a hand took off', async () => {
    await pool.master.query(`
      DROP POLICY tenantry_tenant ON users; ALTER TABLE users DISABLE TRIGGER tenantry_fence;
      ALTER ROLE tenantry_app BYPASSRLS`);
    await setUpPool(pool.master, { credentials, migrations: await chatMigrations() });
    const seen = await asTenant(app, 'acme', () => app.query('SELECT DISTINCT tenant_id FROM users'));
    expect(seen.rows).toEqual([{ tenant_id: 'acme' }]);
    await expect(app.query('DELETE FROM users')).rejects.toMatchObject({ code: '42501' });
  });

  test('gives no role superuser rights, and only backup and replicate a look at all tenants', async () => {
    const { rows } = await pool.master.query(
      `SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname LIKE 'tenantry_%' ORDER BY rolname`,
    );
    expect(rows).toEqual([
      { rolname: 'tenantry_app', rolsuper: false, rolbypassrls: false },
      { rolname: 'tenantry_backup', rolsuper: false, rolbypassrls: true },
      { rolname: 'tenantry_provision', rolsuper: false, rolbypassrls: false },
      { rolname: 'tenantry_replicate', rolsuper: false, rolbypassrls: true },
      { rolname: 'tenantry_restore', rolsuper: false, rolbypassrls: false },
    ]);
    const backup = await pool.connect('backup');
    expect((await backup.query('SELECT DISTINCT tenant_id FROM messages')).rowCount).toBe(2);
    await expect(backup.query('DELETE FROM messages')).rejects.toMatchObject({ code: '42501' });
  });

  test('runs each migration once and is safe to repeat', async () => {
    const again = await setUpPool(pool.master, { credentials, migrations: await chatMigrations() });
    expect(again).toEqual({ ...pool.state, applied: [] });
    expect(pool.state.applied).toEqual(['001-chat.sql']);
    expect(pool.state.template).toBe(`tn_template_${pool.state.fingerprint.slice(0, 12)}`);
  });
});

describe('a set-up is refused', () => {
  const migrate = async (...extra: { version: string; sql: string }[]) =>
    setUpPool(pool.master, { credentials, migrations: [...(await chatMigrations()), ...extra] });

  test('when the new migration breaks the schema rule, and the migration is rolled back', async () => {
    const refused = migrate({
      version: '002-notes.sql',
      sql: 'CREATE TABLE notes (id bigint PRIMARY KEY, tenant_id text)',
    });
    await expect(refused).rejects.toMatchObject({
      name: 'SchemaRefused',
      message: expect.stringMatching(/public\.notes: tenant_id may be NULL.*fix: ALTER TABLE/),
    });
    const { rows } = await pool.master.query(`SELECT to_regclass('public.notes') AS notes`);
    expect(rows).toEqual([{ notes: null }]);
  });

  test('when a migration was changed after it was applied', async () => {
    const [first] = await chatMigrations();
    const changed = [{ version: first!.version, sql: `${first!.sql} ` }];
    await expect(setUpPool(pool.master, { credentials, migrations: changed })).rejects.toMatchObject({
      name: 'SchemaRefused',
    });
  });

  test('when a new migration stands before one that is applied', async () => {
    const [first] = await chatMigrations();
    const early = { version: '000-early.sql', sql: 'SELECT 1' };
    await expect(setUpPool(pool.master, { credentials, migrations: [early, first!] })).rejects.toMatchObject({
      name: 'SchemaRefused',
      message: expect.stringContaining('000-early.sql stands before 001-chat.sql'),
    });
  });

  test('when a secret names a superuser', async () => {
    const wrong = { ...credentials, app: { username: 'postgres', password: 'x' } };
    await expect(setUpPool(pool.master, { credentials: wrong, migrations: [] })).rejects.toThrow('is a superuser');
  });
});

test('a migration may change the rows of all tenants', async () => {
  const migrations = [
    ...(await chatMigrations()),
    { version: '002-shout.sql', sql: 'UPDATE streams SET name = upper(name)' },
  ];
  await setUpPool(pool.master, { credentials, migrations });
  const backup = await pool.connect('backup');
  expect((await backup.query(`SELECT FROM streams WHERE name = 'GENERAL'`)).rowCount).toBe(2);
});

test('a template follows partitions that a job of the app made', async () => {
  await pool.master.query(
    `CREATE TABLE activity_2051 PARTITION OF activity FOR VALUES FROM ('2051-01-01') TO ('2052-01-01')`,
  );
  const migrations = [
    ...(await chatMigrations()),
    { version: '002-shout.sql', sql: 'UPDATE streams SET name = upper(name)' },
  ];
  const state = await setUpPool(pool.master, { credentials, migrations });
  expect(state.fingerprint).not.toBe(pool.state.fingerprint);
  expect(state).toMatchObject({ template: `tn_template_${state.fingerprint.slice(0, 12)}`, drift: [] });
});

test('a change by hand is told line by line, and such a pool has no template', async () => {
  await pool.master.query('ALTER TABLE attachments ADD COLUMN by_hand text');
  const migrations = [
    ...(await chatMigrations()),
    { version: '002-shout.sql', sql: 'UPDATE streams SET name = upper(name)' },
  ];
  const state = await setUpPool(pool.master, { credentials, migrations });
  expect(state).toMatchObject({ template: undefined, drift: ['+ column public.attachments.by_hand text'] });
});
