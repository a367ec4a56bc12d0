import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Bench, fillTenant, openBench } from './restore-bench.ts';

let bench: Bench;
let quiet: Record<string, string>;
let busy: Awaited<ReturnType<Bench['writeAs']>>;

beforeAll(async () => {
  bench = await openBench();
  for (const tenant of ['acme', 'globex', 'initech']) await fillTenant(bench, tenant);
});
afterAll(() => bench.stop());

// Every test runs beside a neighbour that writes and one that does not: the first loses nothing, the second nothing changes.
beforeEach(async () => {
  quiet = await bench.fingerprints('globex');
  busy = await bench.writeAs('initech');
});
afterEach(async () => {
  const { acknowledged, found, errors } = await busy.stop();
  expect(errors).toEqual([]);
  expect(found).toBe(acknowledged);
  expect(await bench.fingerprints('globex')).toEqual(quiet);
});

const only = (fingerprints: Record<string, string>, tables: readonly string[]): Record<string, string> =>
  Object.fromEntries(Object.entries(fingerprints).filter(([table]) => tables.includes(table)));

describe('a whole tenant', () => {
  test('is as it was, whatever happened to its rows', async () => {
    const taken = await bench.take('acme');
    const before = await bench.fingerprints('acme');
    await bench.as('acme', async (app) => {
      await app.query(`DELETE FROM attachments WHERE file_name IN (SELECT file_name FROM attachments LIMIT 2)`);
      await app.query(`DELETE FROM activity WHERE happened_on < '2026-03-01'`);
      await app.query(`UPDATE messages SET body = 'overwritten by a script'`);
      await app.query(`UPDATE gadgets SET spec = '{"b":1,"a":2}', place = point(9, 9), price = 1.5`);
      await app.query(`UPDATE users SET email = 'swap-' || id`);
      await app.query(
        `INSERT INTO messages (tenant_id, stream_id, sender_id, body) SELECT tenant_id, id, created_by, 'new' FROM streams`,
      );
      await app.query(`INSERT INTO labels VALUES ('acme', 'green')`);
    });
    const restoring = await bench.begin('acme', taken);
    expect(restoring.report.tables.find(({ table }) => table === 'public.messages')).toMatchObject({
      onlyNow: 1,
      changed: 25,
    });
    expect(restoring.report.broken).toEqual([]);
    const result = await bench.swap(restoring);
    expect(await bench.fingerprints('acme')).toEqual(before);
    expect(result.report.comparedAgain).toBe(false);
    expect(result.fencedMs).toBeGreaterThan(0);
    const reported = restoring.report.tables.reduce((sum, { changed }) => sum + changed, 0);
    expect(result.updated).toBe(reported);
  });

  test('comes back when every row was deleted', async () => {
    const taken = await bench.take('acme');
    const before = await bench.fingerprints('acme');
    await bench.pool.master.query(
      `SET session_replication_role = replica; DELETE FROM messages WHERE tenant_id = 'acme'; DELETE FROM users WHERE tenant_id = 'acme';
       DELETE FROM realms WHERE tenant_id = 'acme'; DELETE FROM activity WHERE tenant_id = 'acme'; RESET session_replication_role`,
    );
    await bench.swap(await bench.begin('acme', taken));
    expect(await bench.fingerprints('acme')).toEqual(before);
  });

  test('gets rows that exchanged a unique value back, one for the other', async () => {
    const taken = await bench.take('acme');
    const before = await bench.fingerprints('acme');
    await bench.as('acme', async (app) => {
      await app.query(`UPDATE users SET email = 'x' WHERE email = 'user1@acme.example'`);
      await app.query(`UPDATE users SET email = 'user1@acme.example' WHERE email = 'user2@acme.example'`);
      await app.query(`UPDATE users SET email = 'user2@acme.example' WHERE email = 'x'`);
    });
    expect(await bench.swap(await bench.begin('acme', taken))).toMatchObject({ updated: 2, inserted: 0 });
    expect(await bench.fingerprints('acme')).toEqual(before);
  });

  test('changes nothing when nothing differs, and fires no trigger of the app', async () => {
    const taken = await bench.take('acme');
    const before = await bench.fingerprints('acme');
    const result = await bench.swap(await bench.begin('acme', taken));
    expect(result).toMatchObject({ removed: 0, inserted: 0, updated: 0 });
    expect(await bench.fingerprints('acme')).toEqual(before);
  });

  test('is compared again when somebody wrote between the report and the swap', async () => {
    const taken = await bench.take('acme');
    const before = await bench.fingerprints('acme');
    const restoring = await bench.begin('acme', taken);
    await bench.as('acme', (app) => app.query(`INSERT INTO labels VALUES ('acme', 'late')`));
    const { report, removed } = await bench.swap(restoring);
    expect(report.comparedAgain).toBe(true);
    expect(report.tables.find(({ table }) => table === 'public.labels')).toMatchObject({ onlyNow: 1 });
    expect(removed).toBe(1);
    expect(await bench.fingerprints('acme')).toEqual(before);
  });
});

describe('chosen tables', () => {
  test('are restored alone; the others keep what was written since', async () => {
    const taken = await bench.take('acme');
    const before = await bench.fingerprints('acme');
    await bench.as('acme', async (app) => {
      await app.query(`UPDATE labels SET code = 'RED' WHERE code = 'red'`);
      await app.query(`UPDATE gadgets SET price = 0`);
      await app.query(`DELETE FROM activity WHERE kind = 'login' AND happened_on >= '2026-01-01'`);
    });
    const meanwhile = await bench.fingerprints('acme');
    const tables = ['public.gadgets', 'public.activity'];
    await bench.swap(await bench.begin('acme', taken, { tables }));
    const after = await bench.fingerprints('acme');
    expect(only(after, tables)).toEqual(only(before, tables));
    expect(after['public.labels']).toBe(meanwhile['public.labels']);
    await bench.as('acme', (app) => app.query(`UPDATE labels SET code = 'red' WHERE code = 'RED'`));
  });

  test('whose parents are gone are refused with table, key, count and fix, and nothing changes', async () => {
    const taken = await bench.take('acme');
    await bench.as('acme', async (app) => {
      await app.query(`DELETE FROM attachments`);
      await app.query(`DELETE FROM reactions`);
      await app.query(`DELETE FROM messages WHERE reply_to IS NOT NULL`);
      await app.query(`DELETE FROM messages`);
    });
    const meanwhile = await bench.fingerprints('acme');
    const restoring = await bench.begin('acme', taken, { tables: ['public.reactions'] });
    expect(restoring.report.broken).toMatchObject([
      { table: 'public.reactions', references: 'public.messages', rows: 8, fix: 'restore public.messages too' },
    ]);
    await expect(bench.swap(restoring)).rejects.toMatchObject({
      name: 'BrokenReferences',
      message: expect.stringMatching(/8 rows of public\.reactions .* public\.messages .*restore public\.messages too/),
    });
    expect(await bench.fingerprints('acme')).toEqual(meanwhile);
    await bench.swap(await bench.begin('acme', taken));
  });

  test('that others refer to are refused when those would lose their parent', async () => {
    const taken = await bench.take('acme');
    await bench.as('acme', (app) =>
      app.query(`WITH m AS (INSERT INTO messages (tenant_id, stream_id, sender_id, body)
        SELECT tenant_id, id, created_by, 'new' FROM streams RETURNING id, sender_id)
        INSERT INTO reactions (tenant_id, message_id, user_id, emoji) SELECT 'acme', id, sender_id, 'tada' FROM m`),
    );
    const restoring = await bench.begin('acme', taken, { tables: ['public.messages'] });
    expect(restoring.report.broken).toMatchObject([
      { table: 'public.reactions', references: 'public.messages', rows: 1, fix: 'restore public.reactions too' },
    ]);
    await expect(bench.swap(restoring)).rejects.toMatchObject({ name: 'BrokenReferences' });
    await bench.swap(await bench.begin('acme', taken, { tables: ['public.messages', 'public.reactions'] }));
  });
});

describe('chosen rows', () => {
  test('by key come back, and nothing else changes', async () => {
    const taken = await bench.take('acme');
    const before = await bench.fingerprints('acme');
    await bench.as('acme', async (app) => {
      await app.query(`UPDATE gadgets SET price = 7, place = point(0, 0)`);
      await app.query(`DELETE FROM gadgets WHERE id = (SELECT max(id) FROM gadgets)`);
    });
    const { rows } = await bench.pool.master.query<{ id: string }>(
      `SELECT min(id)::text AS id FROM gadgets WHERE tenant_id = 'acme'`,
    );
    const restoring = await bench.begin('acme', taken, { rows: { table: 'public.gadgets', keys: [rows[0]!.id] } });
    expect(restoring.report.tables).toMatchObject([{ onlyNow: 0, onlyThen: 0, changed: 1, removesOnlyNow: false }]);
    expect(await bench.swap(restoring)).toMatchObject({ removed: 0, inserted: 0, updated: 1 });
    await bench.swap(await bench.begin('acme', taken, { rows: { table: 'public.gadgets', where: `price >= 1.5` } }));
    expect(await bench.fingerprints('acme')).toEqual(before);
  });

  test('by composite key and by predicate find exactly those rows; rows that exist only now stay', async () => {
    const taken = await bench.take('acme');
    const { rows } = await bench.pool.master.query<{ id: string; on: string }>(
      `SELECT id::text, happened_on::text AS on FROM activity WHERE tenant_id = 'acme' ORDER BY happened_on`,
    );
    await bench.as('acme', async (app) => {
      await app.query(`DELETE FROM activity`);
      await app.query(
        `INSERT INTO activity (tenant_id, kind, subject, happened_on) VALUES ('acme', 'later', 'now', '2026-06-06')`,
      );
    });
    const keys = rows.slice(0, 2).map(({ id, on }) => [id, on]);
    expect(
      await bench.swap(await bench.begin('acme', taken, { rows: { table: 'public.activity', keys } })),
    ).toMatchObject({
      removed: 0,
      inserted: 2,
    });
    const where = `kind = 'login' and happened_on >= '2026-01-01' and subject like 'user %' and id is not null`;
    expect(
      await bench.swap(await bench.begin('acme', taken, { rows: { table: 'public.activity', where } })),
    ).toMatchObject({
      removed: 0,
      inserted:
        rows.filter(({ on }) => on >= '2026-01-01').length - keys.filter(([, on]) => on! >= '2026-01-01').length,
    });
    const kept = await bench.pool.master.query(`SELECT FROM activity WHERE tenant_id = 'acme' AND kind = 'later'`);
    expect(kept.rowCount).toBe(1);
    await bench.swap(await bench.begin('acme', taken));
  });

  test('that meet a newer row with the same unique value are refused with the reason', async () => {
    const taken = await bench.take('acme');
    await bench.as('acme', async (app) => {
      await app.query(
        `DELETE FROM subscriptions WHERE user_id = (SELECT id FROM users WHERE email = 'user5@acme.example')`,
      );
      await app.query(`DELETE FROM users WHERE email = 'user5@acme.example'`);
      await app.query(`INSERT INTO users (tenant_id, email, full_name) VALUES ('acme', 'user5@acme.example', 'Newer')`);
    });
    const restoring = await bench.begin('acme', taken, {
      rows: { table: 'public.users', where: `email = 'user5@acme.example'` },
    });
    await expect(bench.swap(restoring)).rejects.toMatchObject({
      name: 'RestoreRefused',
      message: expect.stringMatching(/same unique value .*users_tenant_id_email_key/),
    });
    await bench.swap(await bench.begin('acme', taken));
  });
});
