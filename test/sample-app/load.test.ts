import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadChat } from '../../sample-app/load.ts';
import { openTestPool, type TestPool } from '../adapters/pool/chat-pool.ts';

let pool: TestPool;
let app: pg.Client;

beforeAll(async () => {
  pool = await openTestPool();
  for (const tenant of ['acme', 'globex', 'initech']) await pool.addTenant(tenant, 0);
  app = await pool.connect('app');
});

afterAll(() => pool.stop());

/** What a tenant's tables hold, without ids: those come from sequences that all tenants share. */
const content = async (tenantId: string) => {
  const { rows } = await pool.master.query(
    `SELECT (SELECT md5(string_agg(body || sent_at, '|' ORDER BY sent_at)) FROM messages WHERE tenant_id = $1) AS messages,
       (SELECT md5(string_agg(full_name || active || joined_at, '|' ORDER BY id)) FROM users WHERE tenant_id = $1 AND full_name <> 'Owner') AS users,
       (SELECT count(*) FROM messages WHERE tenant_id = $1 AND reply_to IS NOT NULL) AS replies,
       (SELECT md5(string_agg(file_name || encode(content, 'hex'), '|' ORDER BY file_name)) FROM attachments WHERE tenant_id = $1) AS files,
       (SELECT md5(string_agg(kind || subject || happened_on, '|' ORDER BY kind, subject, happened_on)) FROM activity WHERE tenant_id = $1) AS activity`,
    [tenantId],
  );
  return rows[0] as Record<string, string>;
};

test('fills every table and every partition, as the app, with replies and files', async () => {
  const loaded = await loadChat(app, { tenantId: 'acme', users: 15, messages: 600, seed: 7 });
  expect(loaded.tables).toMatchObject({ users: 15, messages: 600, audit_trail: 600 });
  for (const table of [
    'streams',
    'subscriptions',
    'reactions',
    'attachments',
    'activity_2025',
    'activity_2026',
    'activity_later',
  ]) {
    const { rows } = await pool.master.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM ${table} WHERE tenant_id = 'acme'`,
    );
    expect({ table, filled: rows[0]!.n > 1 }).toEqual({ table, filled: true });
  }
  const { rows } = await pool.master.query<{ n: string }>(
    `SELECT count(*) AS n FROM messages WHERE tenant_id = 'acme' AND reply_to IS NOT NULL`,
  );
  expect(Number(rows[0]!.n)).toBeGreaterThan(50);
});

test('writes the same content for the same seed and other content for another', async () => {
  await loadChat(app, { tenantId: 'globex', users: 15, messages: 600, seed: 7 });
  await loadChat(app, { tenantId: 'initech', users: 15, messages: 600, seed: 8 });
  expect(await content('globex')).toEqual(await content('acme'));
  expect((await content('initech')).messages).not.toBe((await content('acme')).messages);
});

test('reports exactly the rows that it added, also the second time', async () => {
  const count = async () => {
    const tables = [
      'users',
      'streams',
      'subscriptions',
      'messages',
      'reactions',
      'attachments',
      'audit_trail',
      'activity',
    ];
    const sums = tables.map((table) => `(SELECT count(*) FROM ${table} WHERE tenant_id = 'acme')`).join(' + ');
    return Number((await pool.master.query<{ n: string }>(`SELECT ${sums} AS n`)).rows[0]!.n);
  };
  const before = await count();
  const { rows } = await loadChat(app, { tenantId: 'acme', users: 5, messages: 100, seed: 9 });
  expect((await count()) - before).toBe(rows);
});

test('leaves nothing behind when it fails', async () => {
  const before = await content('globex');
  await expect(loadChat(app, { tenantId: 'globex', users: 5, messages: 2 ** 40, seed: 1 })).rejects.toThrow();
  expect(await content('globex')).toEqual(before);
});
