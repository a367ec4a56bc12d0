import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadChat } from '../../sample-app/load.ts';
import { startTestCloud, type TestCloud } from '../cloud.ts';
import { terminal } from './terminal.ts';

let laptop: TestCloud;
let tenantry: ReturnType<typeof terminal>;
let pool: pg.Client;

beforeAll(async () => {
  laptop = await startTestCloud();
  tenantry = terminal(laptop.home);
  pool = await laptop.admin('pool');
  expect(await laptop.run('provision-tenant', { tenantId: 'acme' })).toMatchObject({ status: 'SUCCEEDED' });
  await loadChat(pool, { tenantId: 'acme', users: 5, messages: 40, seed: 3 });
  expect(await laptop.run('back-up-tenant', { tenantId: 'acme' })).toMatchObject({ status: 'SUCCEEDED' });
});
afterAll(() => laptop.close());

const count = async (tenantId: string, table: string): Promise<number> =>
  (await pool.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table} WHERE tenant_id = $1`, [tenantId])).rows[0]!
    .n;

test('a restore into a new tenant tells what it reads, how many rows came and how to drop it', async () => {
  const cloned = await tenantry.run('restore', 'acme', '--into', 'new-tenant', '--as', 'acme-copy');
  expect(cloned.code, cloned.stderr).toBe(0);
  expect(cloned.stderr).toMatch(/acme into acme-copy {2}archive b-[0-9a-f]{12} of /);
  expect(cloned.stdout).toMatch(/^acme-copy {2}\d+ rows of acme {2}http:\/\/acme-copy\.localhost/);
  expect(cloned.stderr).toContain('npx tenantry tenant delete acme-copy');
  expect(await count('acme-copy', 'messages')).toBe(await count('acme', 'messages'));
  const [made] = (
    await tenantry.json<{ items: { id: string; status: string }[] }>(['restore', 'list', '--tenant', 'acme-copy'])
  ).items;
  expect(made).toMatchObject({ status: 'cloned' });
  const refused = await tenantry.run('restore', 'discard', made!.id);
  expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining('with the tenant itself') });
});

test('what a new tenant cannot have is said at once, with the fix', async () => {
  const wrong: [words: string[], code: number, why: RegExp][] = [
    [['--into', 'new-tenant'], 2, /give the name of the new tenant, --as/],
    [['--into', 'new-tenant', '--as', 'x1', '--rows', 'users: key 1'], 2, /leave --rows out/],
    [['--into', 'new-tenant', '--as', 'x1', '--dry-run'], 2, /leave --dry-run out/],
    [['--as', 'x1'], 2, /add --into new-tenant/],
    [['--point-in-time'], 2, /say which, --at/],
    [['--rows', 'users: key 1', '--with-references'], 2, /rows are restored alone/],
    [['--into', 'new-tenant', '--as', 'acme'], 5, /newTenantId acme is taken/],
    [['--into', 'new-tenant', '--as', 'Acme Two'], 2, /newTenantId must be 2 to 40 characters/],
  ];
  for (const [words, code, why] of wrong)
    expect(await tenantry.run('restore', 'acme', ...words), words.join(' ')).toMatchObject({
      code,
      stderr: expect.stringMatching(why),
    });
});

test('one table comes back with the tables that it refers to, which the plan names first', async () => {
  const before = await count('acme', 'reactions');
  await pool.query(
    `SET session_replication_role = replica; DELETE FROM reactions WHERE tenant_id = 'acme'; DELETE FROM messages WHERE tenant_id = 'acme'`,
  );
  const restored = await tenantry.run(
    ...['restore', 'acme', '--table', 'reactions', '--with-references', '--into', 'in-place', '--confirm', 'acme'],
  );
  expect(restored.code, restored.stderr).toBe(0);
  expect(restored.stderr).toMatch(
    /tables public\.realms, public\.users, public\.streams, public\.messages, public\.reactions/,
  );
  expect(restored.stderr).toContain(
    'note: public.messages is restored too: public.reactions (tenant_id, message_id) refers to it',
  );
  expect(await count('acme', 'reactions')).toBe(before);
});
