import { text } from 'node:stream/consumers';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ExportedTenant, type ExportRequest, exportTenants } from '../../../adapters/dump/export.ts';
import type { Manifest } from '../../../domain/archive.ts';
import { openTestBucket, type TestBucket } from '../archive/bucket.ts';
import { openTestPool, type TestPool } from '../pool/chat-pool.ts';

const tenants = ['acme', 'globex', 'initech'];
let pool: TestPool;
let bucket: TestBucket;
let attempts = 0;

beforeAll(async () => {
  [pool, bucket] = await Promise.all([openTestPool(), openTestBucket()]);
  for (const [place, tenant] of tenants.entries()) await pool.addTenant(tenant, 10 * (place + 1));
});
afterAll(() => Promise.all([pool.stop(), bucket.stop()]));

/** Exports tenants as backup `backupId`; what was written and what failed. */
const dump = async (ids: readonly string[], options: Partial<ExportRequest> & { backupId?: string } = {}) => {
  attempts += 1;
  const { backupId = `b-${attempts}`, ...rest } = options;
  const written: ExportedTenant[] = [];
  const failed = await exportTenants({
    connect: () => pool.connect('backup'),
    archive: bucket.archive,
    tenants: ids.map((tenantId) => ({ tenantId, backupId, operation: 'op', kind: 'manual' as const })),
    isolation: 'pooled',
    written: async (one) => void written.push(one),
    ...rest,
  });
  return { backupId, written, failed, of: (tenantId: string) => written.find((one) => one.tenantId === tenantId)! };
};

const rowsOf = async (manifest: Manifest): Promise<Record<string, string[]>> => {
  const rows: Record<string, string[]> = {};
  for (const member of manifest.members)
    rows[member.table] = (await text(bucket.archive.member(manifest, member))).split('\n').slice(0, -1);
  return rows;
};

const asTenant = async (client: pg.Client, tenantId: string, sql: string): Promise<void> => {
  await client.query('BEGIN');
  await client.query(`SELECT set_config('app.tenant_id', $1, true)`, [tenantId]);
  await client.query(sql);
  await client.query('COMMIT');
};

describe('an export of several tenants', () => {
  test('puts rows of one tenant alone into its archive, for every leaf', async () => {
    const { backupId, failed } = await dump(tenants);
    expect(failed).toEqual([]);
    for (const tenant of tenants) {
      const manifest = await bucket.archive.manifest(tenant, backupId);
      const rows = await rowsOf(manifest);
      expect(Object.keys(rows)).toEqual(
        expect.arrayContaining([
          'public.activity_2025',
          'public.activity_2026',
          'public.activity_later',
          'public.messages',
        ]),
      );
      for (const [table, lines] of Object.entries(rows)) {
        const member = manifest.members.find((one) => one.table === table)!;
        expect(member.columns[0]).toBe('tenant_id');
        expect(lines).toHaveLength(member.rows);
        expect(lines.filter((line) => !line.startsWith(`${tenant}\t`))).toEqual([]);
      }
    }
  });

  test('tells rows and digests by table, with tables that have no row', async () => {
    const { backupId, of } = await dump(tenants);
    const manifest = await bucket.archive.manifest('globex', backupId);
    const totals = Object.fromEntries(manifest.tables.map(({ table, rows }) => [table, rows]));
    expect(totals).toMatchObject({ 'public.messages': 20, 'public.activity': 6, 'public.attachments': 0 });
    expect(manifest.members.some(({ table }) => table === 'public.attachments')).toBe(false);
    expect(of('globex').rows).toBe(manifest.members.reduce((sum, { rows }) => sum + rows, 0));
    expect(manifest.takenAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  });

  test('leaves computed columns out', async () => {
    const { backupId } = await dump(['acme']);
    const { members } = await bucket.archive.manifest('acme', backupId);
    expect(members.find(({ table }) => table === 'public.messages')?.columns).not.toContain('words');
  });

  test('writes an archive of a tenant without a row, too', async () => {
    const { backupId, of } = await dump(['nobody']);
    expect(of('nobody')).toMatchObject({ rows: 0, bytes: 0 });
    expect(await bucket.archive.manifest('nobody', backupId)).toMatchObject({ members: [] });
  });

  test.each([
    // 40 values of 320 kB each.
    ['large', 40, `string_agg(sha512(convert_to(k::text || i, 'UTF8')), '')`],
    // 60 values of 320 kB that PostgreSQL stores in 4 kB: they count little until they are read.
    ['compressible', 60, `decode(repeat(md5(i::text), 20000), 'hex')`],
  ])('streams a %s tenant into one object per table, with the same rows', async (tenant, count, content) => {
    await pool.addTenant(tenant, 1);
    const writer = await pool.connect('provision');
    const bulk = `INSERT INTO attachments (tenant_id, message_id, file_name, content)
      SELECT '${tenant}', m.id, 'f' || i, (SELECT ${content} FROM generate_series(1, CASE WHEN '${tenant}' = 'large' THEN 5000 ELSE 1 END) k)
      FROM messages m, generate_series(1, ${count}) i`;
    await asTenant(writer, tenant, bulk);
    const { backupId, failed } = await dump([tenant, 'acme']);
    expect(failed).toEqual([]);
    const manifest = await bucket.archive.manifest(tenant, backupId);
    expect(new Set(manifest.members.map(({ object }) => object)).size).toBe(manifest.members.length);
    const rows = await rowsOf(manifest);
    expect(rows['public.attachments']).toHaveLength(count);
    const small = await bucket.archive.manifest('acme', backupId);
    expect(new Set(small.members.map(({ object }) => object)).size).toBe(1);
  });

  test('refuses a login that is bound by the policies instead of writing an empty archive', async () => {
    await expect(dump(['acme'], { connect: () => pool.connect('restore') })).rejects.toMatchObject({ code: '42501' });
  });

  test('ends its connections', async () => {
    await dump(tenants);
    const { rows } = await pool.master.query(
      `SELECT count(*)::int AS open FROM pg_stat_activity WHERE usename = 'tenantry_backup' AND state <> 'disabled' AND xact_start IS NOT NULL`,
    );
    expect(rows).toEqual([{ open: 0 }]);
  });
});

describe('one snapshot', () => {
  test('holds for all tenants while they write', async () => {
    const writer = await pool.connect('app');
    let stop = false;
    let transactions = 0;
    const writing = (async () => {
      // Two tables per transaction: a torn snapshot shows one without the other.
      while (!stop) {
        const tenant = tenants[transactions % tenants.length]!;
        await asTenant(
          writer,
          tenant,
          `INSERT INTO messages (tenant_id, stream_id, sender_id, body) SELECT '${tenant}', s.id, u.id, 'w' FROM streams s, users u LIMIT 1`,
        );
        transactions += 1;
      }
    })();
    try {
      for (let round = 0; round < 5; round += 1) {
        const { backupId, failed } = await dump(tenants);
        expect(failed).toEqual([]);
        for (const tenant of tenants) {
          const { tables } = await bucket.archive.manifest(tenant, backupId);
          const count = (name: string) => tables.find(({ table }) => table === `public.${name}`)?.rows;
          // The audit trigger writes one row per message in the same transaction.
          expect(count('audit_trail')).toBe(count('messages'));
        }
      }
    } finally {
      stop = true;
      await writing;
    }
    expect(transactions).toBeGreaterThan(5);
  });
});

describe('a tenant that has not changed', () => {
  let first: Awaited<ReturnType<typeof dump>>;
  const again = (tenantId: string, of: ExportedTenant = first.of(tenantId)) => ({
    tenantId,
    backupId: `b-again-${attempts}`,
    operation: 'op',
    kind: 'scheduled' as const,
    previous: { archiveId: of.sameAs ?? of.backupId, schemaFingerprint: of.schemaFingerprint, digests: of.digests },
  });
  beforeEach(async () => {
    first = await dump(tenants);
  });

  test('is not written again: its backup points to the old archive', async () => {
    const next = again('acme');
    const { of } = await dump([], { tenants: [next] });
    expect(of('acme')).toMatchObject({ sameAs: first.backupId, rows: first.of('acme').rows, backupId: next.backupId });
    expect(Date.parse(of('acme').takenAt)).toBeGreaterThan(Date.parse(first.of('acme').takenAt));
    expect(await bucket.archive.list('acme')).not.toContain(next.backupId);
  });

  test.each([
    ['a row changed', `UPDATE users SET full_name = full_name || '!'`],
    ['a row went', 'DELETE FROM activity WHERE id = (SELECT min(id) FROM activity)'],
    [
      'two rows exchanged a value',
      `WITH two AS (SELECT id, subject, row_number() OVER (ORDER BY id DESC) AS place FROM activity ORDER BY id DESC LIMIT 2)
       UPDATE activity a SET subject = other.subject FROM two, two other WHERE a.id = two.id AND other.place = 3 - two.place`,
    ],
    ['a number changed its digits only', `UPDATE realms SET settings = '{"limit": 1.0}'`],
  ])('is written again when %s', async (_what, change) => {
    const writer = await pool.connect('provision');
    await asTenant(writer, 'globex', `UPDATE realms SET settings = '{"limit": 1.00}'`);
    first = await dump(tenants);
    await asTenant(writer, 'globex', change);
    const { of } = await dump([], { tenants: [again('globex'), again('acme')] });
    expect([of('globex').sameAs, of('acme').sameAs]).toEqual([null, first.backupId]);
  });

  test('is written again when the old archive lost an object', async () => {
    const manifest = await bucket.archive.manifest('acme', first.backupId);
    await bucket.archive.objects.remove(`t/acme/${first.backupId}/${manifest.members[0]!.object}`);
    const { of } = await dump([], { tenants: [again('acme')] });
    expect(of('acme').sameAs).toBeNull();
  });

  test('is written again when the schema changed', async () => {
    const old = again('acme');
    const { of } = await dump([], { tenants: [{ ...old, previous: { ...old.previous, schemaFingerprint: 'other' } }] });
    expect(of('acme').sameAs).toBeNull();
  });
});

describe('two attempts of one backup', () => {
  test('give one whole archive, the first that was completed', async () => {
    const first = await dump(['acme'], { backupId: 'b-twice' });
    await asTenant(
      await pool.connect('provision'),
      'acme',
      `INSERT INTO audit_trail (tenant_id, action) VALUES ('acme', 'later')`,
    );
    const second = await dump(['acme'], { backupId: 'b-twice' });
    expect(second.of('acme')).toEqual(first.of('acme'));
    const manifest = await bucket.archive.manifest('acme', 'b-twice');
    await rowsOf(manifest);
    const keys: string[] = [];
    for await (const { key } of bucket.archive.objects.list('t/acme/b-twice/')) keys.push(key);
    expect(keys).toEqual(['t/acme/b-twice/archive.tar']);
  });

  test('at the same time do not mix', async () => {
    await Promise.all([dump(tenants, { backupId: 'b-race' }), dump(tenants, { backupId: 'b-race' })]);
    for (const tenant of tenants) await rowsOf(await bucket.archive.manifest(tenant, 'b-race'));
  });
});

test('a tenant that cannot be noted fails alone, and leaves no object behind when it is taken back', async () => {
  const { failed, written } = await dump(tenants, {
    backupId: 'b-part',
    written: async ({ tenantId }) => {
      if (tenantId === 'globex') throw new Error('the record has ended');
    },
  });
  expect(failed).toEqual([{ tenantId: 'globex', backupId: 'b-part', reason: 'the record has ended' }]);
  expect(written).toEqual([]);
  await bucket.archive.remove('globex', 'b-part');
  expect(await bucket.archive.list('globex')).not.toContain('b-part');
});

test('an aborted export stops', async () => {
  const signal = AbortSignal.abort(new Error('out of time'));
  await expect(dump(tenants, { signal })).rejects.toThrow('out of time');
});
