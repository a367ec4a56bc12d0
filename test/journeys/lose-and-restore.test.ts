import { createHash } from 'node:crypto';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chatTables, loadChat } from '../../sample-app/load.ts';
import { startTestCloud, type TestCloud } from '../cloud.ts';

let laptop: TestCloud;
let pool: pg.Client;

/** Written apart from the product's digests: a mistake there must not hide here. */
const digest = async (tenantId: string): Promise<Record<string, string>> => {
  const found: Record<string, string> = {};
  for (const table of chatTables) {
    const { rows } = await pool.query<{ row: string }>(
      `SELECT t::text AS row FROM ${table} t WHERE tenant_id = $1 ORDER BY 1`,
      [tenantId],
    );
    found[table] = createHash('sha256')
      .update(rows.map(({ row }) => row).join('\n'))
      .digest('hex');
  }
  return found;
};

/** As the superuser in replica mode: damage that no trigger of ours sees. */
const damage = async (text: string): Promise<void> => {
  await pool.query('SET session_replication_role = replica');
  await pool.query(text);
  await pool.query('SET session_replication_role = origin');
};

/** The restore's own id, as the execution's output tells it. */
const restoreOf = ({ output }: { output?: string | undefined }): string =>
  (JSON.parse(output!) as { restoreId: string }).restoreId;

beforeAll(async () => {
  laptop = await startTestCloud();
  pool = await laptop.admin('pool');
  for (const [seed, tenantId] of ['acme', 'globex'].entries()) {
    expect(await laptop.run('provision-tenant', { tenantId, plan: 'starter' })).toMatchObject({ status: 'SUCCEEDED' });
    await loadChat(pool, { tenantId, users: 8, messages: 120, seed: seed + 1 });
  }
});
afterAll(() => laptop.close());

describe('a tenant that lost data', () => {
  let before: Record<string, string>;
  let neighbour: Record<string, string>;

  beforeEach(async () => {
    before = await digest('acme');
    neighbour = await digest('globex');
    expect(await laptop.run('back-up-tenant', { tenantId: 'acme' })).toMatchObject({ status: 'SUCCEEDED' });
  });

  test('gets one table back in place, and the neighbour never changed', async () => {
    await damage("DELETE FROM reactions WHERE tenant_id = 'acme'");
    const restored = await laptop.run('restore-tenant', {
      tenantId: 'acme',
      tables: ['reactions'],
      into: 'in-place',
      approval: 'given',
    });
    expect(restored, restored.cause).toMatchObject({ status: 'SUCCEEDED' });
    expect(await digest('acme')).toEqual(before);
    expect(await digest('globex')).toEqual(neighbour);
  });

  test('gets everything back, and undo brings the damage back', async () => {
    await damage("DELETE FROM attachments WHERE tenant_id = 'acme'");
    await damage("UPDATE messages SET body = 'lost' WHERE tenant_id = 'acme' AND id % 2 = 0");
    await damage("INSERT INTO streams (tenant_id, name) VALUES ('acme', 'made later')");
    const damaged = await digest('acme');
    const execution = await laptop.start('restore-tenant', { tenantId: 'acme', into: 'in-place', approval: 'given' });
    const restored = await laptop.ended(execution);
    expect(restored, restored.cause).toMatchObject({ status: 'SUCCEEDED' });
    expect(await digest('acme')).toEqual(before);
    const undone = await laptop.run('restore-tenant', {
      tenantId: 'acme',
      restoreId: restoreOf(restored),
      action: 'undo',
    });
    expect(undone, undone.cause).toMatchObject({ status: 'SUCCEEDED' });
    expect(await digest('acme')).toEqual(damaged);
    expect(await laptop.run('restore-tenant', { tenantId: 'acme', into: 'in-place', approval: 'given' })).toMatchObject(
      { status: 'SUCCEEDED' },
    );
    expect(await digest('acme')).toEqual(before);
    expect(await digest('globex')).toEqual(neighbour);
  });

  test('sees in a dry run what a restore would change, and nothing changes', async () => {
    await damage(
      "UPDATE users SET full_name = 'nobody' WHERE tenant_id = 'acme' AND id = (SELECT min(id) FROM users WHERE tenant_id = 'acme')",
    );
    const damaged = await digest('acme');
    const preview = await laptop.run('restore-tenant', { tenantId: 'acme', tables: ['users'], dryRun: true });
    expect(preview, preview.cause).toMatchObject({ status: 'SUCCEEDED' });
    const { body } = await laptop.api<{ status: string; report: { tables: { table: string; changed: number }[] } }>(
      'GET',
      `/restores/${preview.name}`,
    );
    expect(body).toMatchObject({
      status: 'previewed',
      report: { tables: [expect.objectContaining({ changed: 1, onlyNow: 0, onlyThen: 0 })] },
    });
    expect(await digest('acme')).toEqual(damaged);
    await damage(`DELETE FROM users WHERE false`);
    expect(
      await laptop.run('restore-tenant', { tenantId: 'acme', tables: ['users'], into: 'in-place', approval: 'given' }),
    ).toMatchObject({ status: 'SUCCEEDED' });
    expect(await digest('acme')).toEqual(before);
  });

  test('gets some rows back by predicate, others stay as they are now', async () => {
    await damage("UPDATE messages SET body = 'lost' WHERE tenant_id = 'acme'");
    const { rows } = await pool.query<{ id: string }>(
      "SELECT id FROM messages WHERE tenant_id = 'acme' ORDER BY id LIMIT 2",
    );
    const restored = await laptop.run('restore-tenant', {
      tenantId: 'acme',
      rows: { table: 'messages', where: `id <= ${rows[1]!.id}` },
      into: 'in-place',
      approval: 'given',
    });
    expect(restored, restored.cause).toMatchObject({ status: 'SUCCEEDED' });
    const { rows: lost } = await pool.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM messages WHERE tenant_id = 'acme' AND body <> 'lost'",
    );
    expect(lost).toEqual([{ n: 2 }]);
    expect(
      await laptop.run('restore-tenant', {
        tenantId: 'acme',
        tables: ['messages'],
        into: 'in-place',
        approval: 'given',
      }),
    ).toMatchObject({ status: 'SUCCEEDED' });
    expect(await digest('acme')).toEqual(before);
  });

  test('waits in place for approval: a rejected restore changes nothing, an approved one swaps', async () => {
    await damage("DELETE FROM activity WHERE tenant_id = 'acme'");
    const damaged = await digest('acme');
    const ask = async (): Promise<string> => {
      const execution = await laptop.start('restore-tenant', {
        tenantId: 'acme',
        tables: ['activity'],
        into: 'in-place',
      });
      const operation = execution.split(':').at(-1)!;
      await laptop.eventually("SELECT 1 FROM operations WHERE id = $1 AND status = 'awaiting-approval'", [operation]);
      expect(await digest('acme')).toEqual(damaged);
      return execution;
    };
    const rejected = await ask();
    expect(
      (await laptop.api('POST', `/operations/${rejected.split(':').at(-1)}/reject`, { reason: 'not now' })).status,
    ).toBeLessThan(300);
    expect(await laptop.ended(rejected)).toMatchObject({ status: 'FAILED', error: 'RestoreFailed' });
    expect(await digest('acme')).toEqual(damaged);
    const approved = await ask();
    expect((await laptop.api('POST', `/operations/${approved.split(':').at(-1)}/approve`, {})).status).toBeLessThan(
      300,
    );
    expect(await laptop.ended(approved)).toMatchObject({ status: 'SUCCEEDED' });
    expect(await digest('acme')).toEqual(before);
  });

  test('keeps a side-by-side copy until somebody swaps it in', async () => {
    await damage("DELETE FROM subscriptions WHERE tenant_id = 'acme'");
    const copy = await laptop.run('restore-tenant', { tenantId: 'acme', tables: ['subscriptions'] });
    expect(copy, copy.cause).toMatchObject({ status: 'SUCCEEDED' });
    expect((await digest('acme')).subscriptions).not.toEqual(before.subscriptions);
    const swapped = await laptop.run('restore-tenant', {
      tenantId: 'acme',
      restoreId: restoreOf(copy),
      action: 'swap',
      approval: 'given',
    });
    expect(swapped, swapped.cause).toMatchObject({ status: 'SUCCEEDED' });
    expect(await digest('acme')).toEqual(before);
  });

  test('the fleet backs up every tenant that is due, under one summary', async () => {
    const fleet = await laptop.run('back-up-fleet', { tenantIds: ['acme', 'globex'] });
    expect(fleet, fleet.cause).toMatchObject({ status: 'SUCCEEDED' });
    expect(JSON.parse(fleet.output!)).toMatchObject({ failed: 0 });
    const sealed = await laptop.eventually("SELECT 1 FROM backups WHERE tenant_id = 'globex' AND status = 'sealed'");
    expect(sealed).toHaveLength(1);
  });
});
