import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { countTenantRows, releaseTenant } from '../../../adapters/pool/release.ts';
import { findTenant, prepareTenant } from '../../../adapters/pool/tenant.ts';
import { openTestPool, type TestPool } from './chat-pool.ts';

let pool: TestPool;
let provision: pg.Client;
let backup: pg.Client;

beforeAll(async () => {
  pool = await openTestPool();
  [provision, backup] = await Promise.all([pool.connect('provision'), pool.connect('backup')]);
  await pool.addTenant('globex', 50);
});
afterAll(() => pool.stop());
afterEach(() => releaseTenant(provision, { tenantId: 'acme', fence: 1_000 }));

const neighbour = async (): Promise<unknown> => {
  const { rows } = await backup.query(
    `SELECT (SELECT md5(string_agg(x::text, '' ORDER BY x::text)) FROM messages x WHERE tenant_id = 'globex') AS messages,
       (SELECT md5(string_agg(x::text, '' ORDER BY x::text)) FROM activity x WHERE tenant_id = 'globex') AS activity,
       (SELECT md5(string_agg(x::text, '' ORDER BY x::text)) FROM audit_trail x WHERE tenant_id = 'globex') AS audit`,
  );
  return rows;
};

describe('a tenant that is prepared', () => {
  const profile = { name: 'Acme & Sons', adminEmail: 'Ann@acme.example', adminName: 'Ann' };

  test('has the rows that the app’s hook makes, and nobody else has them', async () => {
    await prepareTenant(provision, { tenantId: 'acme', profile, fence: 7 });
    expect(await findTenant(provision, 'acme')).toEqual({ tenantId: 'acme', state: 'open', epoch: 0, fence: 7 });
    const { rows } = await backup.query(`SELECT tenant_id, name FROM realms WHERE name LIKE 'Acme%'`);
    expect(rows).toEqual([{ tenant_id: 'acme', name: 'Acme & Sons' }]);
  });

  test('twice is prepared once', async () => {
    for (const fence of [7, 7, 8]) await prepareTenant(provision, { tenantId: 'acme', profile, fence });
    expect(await countTenantRows(provision, 'acme')).toEqual({
      'public.realms': 1,
      'public.users': 1,
      'public.streams': 1,
    });
    expect((await findTenant(provision, 'acme'))?.fence).toBe(8);
  });

  test('is left alone by an operation with an older fence', async () => {
    await prepareTenant(provision, { tenantId: 'acme', profile, fence: 8 });
    await expect(prepareTenant(provision, { tenantId: 'acme', profile, fence: 7 })).rejects.toMatchObject({
      name: 'StaleOperation',
    });
    expect((await findTenant(provision, 'acme'))?.fence).toBe(8);
  });

  test('leaves no trace when the hook fails', async () => {
    await pool.master.query(`ALTER TABLE streams ADD CONSTRAINT no_general CHECK (tenant_id <> 'acme')`);
    try {
      await expect(prepareTenant(provision, { tenantId: 'acme', profile, fence: 7 })).rejects.toMatchObject({
        code: '23514',
      });
    } finally {
      await pool.master.query('ALTER TABLE streams DROP CONSTRAINT no_general');
    }
    expect(await findTenant(provision, 'acme')).toBeUndefined();
    expect(await countTenantRows(provision, 'acme')).toEqual({});
  });

  test('is refused while its release is not finished', async () => {
    await prepareTenant(provision, { tenantId: 'acme', profile, fence: 7 });
    await pool.master.query(`UPDATE tenantry.tenants SET state = 'fenced' WHERE tenant_id = 'acme'`);
    await expect(prepareTenant(provision, { tenantId: 'acme', profile, fence: 8 })).rejects.toMatchObject({
      name: 'TenantNotReady',
    });
  });

  test('works without a hook', async () => {
    await pool.master.query('ALTER FUNCTION tenant_created(text, jsonb) RENAME TO put_aside');
    try {
      await prepareTenant(provision, { tenantId: 'acme', profile, fence: 7 });
    } finally {
      await pool.master.query('ALTER FUNCTION put_aside(text, jsonb) RENAME TO tenant_created');
    }
    expect(await countTenantRows(provision, 'acme')).toEqual({});
  });
});

describe('a tenant that is released', () => {
  test('is gone from every table and leaf, in batches smaller than its reply chains, and its neighbour is as it was', async () => {
    await pool.addTenant('acme', 30);
    await backup.query('SELECT 1');
    await provision.query('BEGIN');
    await provision.query(`SELECT set_config('app.tenant_id', 'acme', true)`);
    await provision.query(`UPDATE messages m SET reply_to = (SELECT max(id) FROM messages o WHERE o.id < m.id)`);
    await provision.query('COMMIT');
    const before = await neighbour();
    const rows = Object.values(await countTenantRows(provision, 'acme')).reduce((sum, count) => sum + count, 0);
    expect(await releaseTenant(provision, { tenantId: 'acme', fence: 2, batch: 7 })).toBe(rows);
    expect(await countTenantRows(provision, 'acme')).toEqual({});
    expect(await findTenant(provision, 'acme')).toBeUndefined();
    expect(await neighbour()).toEqual(before);
  });

  test('again answers that nothing was left', async () => {
    await pool.addTenant('acme');
    await releaseTenant(provision, { tenantId: 'acme', fence: 2 });
    expect(await releaseTenant(provision, { tenantId: 'acme', fence: 2 })).toBe(0);
  });

  test('cannot be written by the app once the release has begun', async () => {
    await pool.addTenant('acme', 30);
    const stop = new AbortController();
    stop.abort(new Error('out of time'));
    await expect(releaseTenant(provision, { tenantId: 'acme', fence: 2, signal: stop.signal })).rejects.toThrow(
      'out of time',
    );
    const app = await pool.connect('app');
    await app.query(`SET app.tenant_id = 'acme'`);
    await expect(
      app.query(`INSERT INTO audit_trail (tenant_id, action) VALUES ('acme', 'late')`),
    ).rejects.toMatchObject({ code: 'TN001' });
    expect(await countTenantRows(provision, 'acme')).toMatchObject({ 'public.messages': 30 });
    expect(await releaseTenant(provision, { tenantId: 'acme', fence: 2 })).toBeGreaterThan(30);
  });

  test('waits for a write under way', async () => {
    await pool.addTenant('acme');
    const app = await pool.connect('app');
    await app.query('BEGIN');
    await app.query(`SELECT set_config('app.tenant_id', 'acme', true)`);
    await app.query(`INSERT INTO audit_trail (tenant_id, action) VALUES ('acme', 'under way')`);
    await provision.query(`SET lock_timeout = '100ms'`);
    await expect(releaseTenant(provision, { tenantId: 'acme', fence: 2 })).rejects.toMatchObject({ code: '55P03' });
    expect((await findTenant(provision, 'acme'))?.state).toBe('open');
    await app.query('COMMIT');
    await provision.query('RESET lock_timeout');
    expect(await releaseTenant(provision, { tenantId: 'acme', fence: 2 })).toBeGreaterThan(0);
  });

  test('is not released by an operation with an older fence, not even its last row', async () => {
    await pool.addTenant('acme');
    await pool.master.query(`UPDATE tenantry.tenants SET fence = 9 WHERE tenant_id = 'acme'`);
    await expect(releaseTenant(provision, { tenantId: 'acme', fence: 8 })).rejects.toMatchObject({
      name: 'StaleOperation',
    });
    expect(await countTenantRows(provision, 'acme')).toMatchObject({ 'public.users': 1 });
    expect((await findTenant(provision, 'acme'))?.state).toBe('open');
  });
});
