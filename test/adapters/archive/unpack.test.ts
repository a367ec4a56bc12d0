import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unpackArchive } from '../../../adapters/archive/unpack.ts';
import { findClientPrograms } from '../../../adapters/dump/client-programs.ts';
import { exportTenants } from '../../../adapters/dump/export.ts';
import { ensureToc, type TocSource } from '../../../adapters/dump/toc.ts';
import { templateDatabase } from '../../../adapters/pool/template.ts';
import { credentials, openTestPool, type TestPool } from '../pool/chat-pool.ts';
import { openTestBucket, type TestBucket } from './bucket.ts';

const run = promisify(execFile);
const programs = await findClientPrograms(15);
if (!programs)
  process.stderr.write('pg_dump and pg_restore 15 or later are not installed: the tests of toc.dat are left out\n');

let pool: TestPool;
let bucket: TestBucket;
let directory: string;
beforeAll(async () => {
  [pool, bucket, directory] = await Promise.all([
    openTestPool(),
    openTestBucket(),
    mkdtemp(join(tmpdir(), 'tenantry-unpack-')),
  ]);
  await pool.addTenant('acme', 30);
  await pool.addTenant('globex', 40);
});
afterAll(async () => {
  await Promise.all([pool.stop(), bucket.stop()]);
  await rm(directory, { recursive: true, force: true });
});

const clientOn = async (database: string): Promise<pg.Client> => {
  const { host, port, user, password } = pool.master;
  const client = new pg.Client({ host, port, user, password: password ?? undefined, database });
  await client.connect();
  return client;
};

const source = (fingerprint: string, connect?: TocSource['connect']): TocSource => ({
  host: pool.host,
  port: pool.port,
  database: templateDatabase(fingerprint),
  login: credentials.backup,
  connect: connect ?? (() => clientOn(templateDatabase(fingerprint))),
});

const dump = async (backupId: string, toc = true) => {
  const failed = await exportTenants({
    connect: () => pool.connect('backup'),
    archive: bucket.archive,
    tenants: [{ tenantId: 'acme', backupId, operation: 'op', kind: 'manual' }],
    isolation: 'pooled',
    ...(toc ? { toc: (fingerprint) => ensureToc(bucket.archive.objects, fingerprint, source(fingerprint)) } : {}),
    written: async () => undefined,
  });
  expect(failed).toEqual([]);
  return bucket.archive.manifest('acme', backupId);
};

/** Restores into a new database as a login without superuser rights, as research/reliability 3.2 demands. */
const pgRestore = async (database: string, args: readonly string[], schema?: string): Promise<pg.Client> => {
  await pool.master.query(`CREATE ROLE ${database} LOGIN PASSWORD 'x'; `);
  await pool.master.query(`CREATE DATABASE ${database} OWNER ${database}`);
  const { host, port } = pool;
  if (schema) {
    const client = new pg.Client({ host, port, user: database, password: 'x', database });
    await client.connect();
    await client.query(schema);
    await client.end();
  }
  const env = { PGHOST: host, PGPORT: String(port), PGUSER: database, PGPASSWORD: 'x', PGDATABASE: database };
  await run(programs!.restore, [...args, '--no-owner', `--dbname=${database}`, '--exit-on-error'], { env });
  return clientOn(database);
};

const rowsOf = async (client: pg.Client, table: string): Promise<unknown[]> =>
  (await client.query(`SELECT x::text FROM ${table} x WHERE tenant_id = 'acme' ORDER BY 1`)).rows;

const tables = [
  'realms',
  'users',
  'streams',
  'messages',
  'reactions',
  'attachments',
  'audit_trail',
  'activity',
  'activity_2025',
];

describe.runIf(programs)('an archive with toc.dat', () => {
  test('is restored whole by a stock pg_restore, reference rows and foreign keys included', async () => {
    const target = join(directory, 'whole');
    await unpackArchive(bucket.archive, await dump('b-whole'), target);
    const restored = await pgRestore('whole', [target]);
    try {
      for (const table of tables) expect(await rowsOf(restored, table)).toEqual(await rowsOf(pool.master, table));
      const counts = await restored.query(
        `SELECT (SELECT count(*)::int FROM messages) AS messages, (SELECT count(*)::int FROM emoji_catalogue) AS emoji,
           (SELECT count(DISTINCT tenant_id)::int FROM users) AS tenants, (SELECT count(*)::int FROM pg_constraint WHERE contype = 'f' AND convalidated) AS keys`,
      );
      expect(counts.rows).toEqual([{ messages: 30, emoji: 5, tenants: 1, keys: expect.any(Number) }]);
      expect(counts.rows[0].keys).toBeGreaterThan(10);
    } finally {
      await restored.end();
    }
  });

  test('gives one table or leaf alone', async () => {
    const target = join(directory, 'leaf');
    await unpackArchive(bucket.archive, await dump('b-leaf'), target);
    const schema = await readFile(new URL('../../../sample-app/schema/001-chat.sql', import.meta.url), 'utf8');
    const restored = await pgRestore('leaf', ['--data-only', '--table=activity_2026', target], schema);
    try {
      expect(await rowsOf(restored, 'activity_2026')).toEqual(await rowsOf(pool.master, 'activity_2026'));
      expect((await restored.query('SELECT FROM activity_2025')).rowCount).toBe(0);
    } finally {
      await restored.end();
    }
  });

  test('is a plain tar: what tar unpacks is what the manifest says', async () => {
    const { members } = await dump('b-tar');
    const file = join(directory, 'archive.tar');
    await writeFile(file, (await bucket.archive.objects.bytes(`t/acme/b-tar/${members[0]!.object}`))!);
    const { stdout } = await run('tar', ['--list', '--file', file]);
    expect(stdout.trim().split('\n')).toEqual(['manifest.json', ...members.map(({ dumpId }) => `${dumpId}.dat.gz`)]);
  });

  test('is refused when a byte of it changed, before pg_restore would restore it wrong', async () => {
    const manifest = await dump('b-flipped');
    const { object, offset } = manifest.members[2]!;
    await bucket.flipBit(`t/acme/b-flipped/${object}`, offset + 30);
    await expect(unpackArchive(bucket.archive, manifest, join(directory, 'flipped'))).rejects.toMatchObject({
      name: 'ArchiveDamaged',
    });
  });

  test('has one toc.dat for all archives of its schema, made once', async () => {
    const first = await dump('b-once');
    const unreachable = source(first.schema.fingerprint, () => Promise.reject(new Error('asked the template again')));
    const again = await ensureToc(bucket.archive.objects, first.schema.fingerprint, unreachable);
    expect(again?.key).toBe(first.tocKey);
  });

  test('made by two first backups at once is one', async () => {
    const fingerprint = pool.state.fingerprint;
    await bucket.archive.objects.remove(`schemas/${fingerprint}/`);
    const [one, two] = await Promise.all([
      ensureToc(bucket.archive.objects, fingerprint, source(fingerprint)),
      ensureToc(bucket.archive.objects, fingerprint, source(fingerprint)),
    ]);
    expect(one?.key).toBeDefined();
    expect(two).toEqual(one);
    expect(await bucket.archive.objects.size(one!.key)).toBeGreaterThan(0);
  });

  test('does not hand the password to a command line', async () => {
    const { key } = (await ensureToc(bucket.archive.objects, pool.state.fingerprint, source(pool.state.fingerprint)))!;
    const toc = await bucket.archive.objects.bytes(key);
    expect(toc?.includes(credentials.backup.password)).toBe(false);
    expect(toc?.includes('tenantry_')).toBe(false);
  });
});

describe('an archive without toc.dat', () => {
  test('is written all the same where the template database is missing', async () => {
    const manifest = await dump('b-bare', false);
    expect(manifest.tocKey).toBeUndefined();
    expect(new Set(manifest.members.map(({ dumpId }) => dumpId)).size).toBe(manifest.members.length);
    await expect(unpackArchive(bucket.archive, manifest, join(directory, 'bare'))).rejects.toMatchObject({
      name: 'BackupNotFound',
    });
  });

  test('is what a server newer than every client gets', async () => {
    expect(await findClientPrograms(99)).toBeUndefined();
    expect(await findClientPrograms(15, { TENANTRY_PG_BIN: directory, PATH: process.env.PATH })).toBeUndefined();
  });
});
