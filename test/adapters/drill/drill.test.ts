import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openScratchDrills, type ScratchDrills } from '../../../adapters/drill/drill.ts';
import { inScratch, sweepScratch } from '../../../adapters/drill/scratch.ts';
import { exportTenants } from '../../../adapters/dump/export.ts';
import { archivePrefix, endOfData, type Manifest } from '../../../domain/archive.ts';
import { openTestBucket, type TestBucket } from '../archive/bucket.ts';
import { chatMigrations, credentials, openTestPool, type TestPool } from '../pool/chat-pool.ts';

/** Rows of it can be written by nobody who is a superuser, in whatever database: a restore by one would fail. */
const guarded = `
CREATE FUNCTION no_superuser(text) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT current_setting('is_superuser') = 'off' $$;
CREATE TABLE guarded (
  tenant_id text NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  note text CHECK (public.no_superuser(note)),
  price numeric,
  spec json,
  PRIMARY KEY (tenant_id, id)
);`;

let pool: TestPool;
let bucket: TestBucket;
const login = async (database: string, { username, password }: { username: string; password: string }) => {
  const client = new pg.Client({ host: pool.host, port: pool.port, database, user: username, password });
  client.on('error', () => undefined);
  await client.connect();
  return client;
};
const owner = async (database: string): Promise<pg.Client> => {
  const { user, password } = pool.master;
  return login(database, { username: user!, password: password! });
};

const scratchDatabases = async (): Promise<string[]> =>
  (
    await pool.master.query<{ name: string }>(
      `SELECT datname AS name FROM pg_database WHERE datname LIKE 'tn\\_drill%'`,
    )
  ).rows.map(({ name }) => name);

beforeAll(async () => {
  [pool, bucket] = await Promise.all([
    openTestPool([...(await chatMigrations()), { version: '002-guarded.sql', sql: guarded }]),
    openTestBucket(),
  ]);
  for (const tenant of ['acme', 'globex', 'empty']) await pool.addTenant(tenant, tenant === 'empty' ? 0 : 30);
  const app = await pool.connect('app');
  await app.query(`BEGIN; SELECT set_config('app.tenant_id', 'acme', true);
    INSERT INTO reactions (tenant_id, message_id, user_id, emoji) SELECT tenant_id, id, sender_id, 'heart' FROM messages;
    INSERT INTO attachments (tenant_id, message_id, file_name, content) SELECT tenant_id, id, 'a', '\\x00ff' FROM messages;
    INSERT INTO guarded (tenant_id, note, price, spec) VALUES ('acme', E'a\\tb\\\\', 1.50, '{"b":  1}'); COMMIT`);
});
afterAll(() => Promise.all([pool.stop(), bucket.stop()]));
afterEach(async () => expect(await scratchDatabases()).toEqual([]));

let exports = 0;
const take = async (tenantId: string): Promise<Manifest> => {
  exports += 1;
  const backupId = `b-${exports}`;
  const failed = await exportTenants({
    connect: () => pool.connect('backup'),
    archive: bucket.archive,
    tenants: [{ tenantId, backupId, operation: 'op', kind: 'manual' }],
    isolation: 'pooled',
    written: async () => undefined,
  });
  expect(failed).toEqual([]);
  return bucket.archive.manifest(tenantId, backupId);
};

const scratch = <Result>(
  work: (drills: ScratchDrills, client: pg.Client) => Promise<Result>,
  template = pool.state.template!,
) =>
  inScratch(
    {
      owner: pool.master,
      template,
      restorer: credentials.restore.username,
      connectOwner: owner,
      connectRestorer: (database) => login(database, credentials.restore),
    },
    async (client) => work(await openScratchDrills(client), client),
  );

const opened = (manifest: Manifest, tenantId = manifest.tenantId) => ({
  tenantId,
  manifest,
  openMember: (member: Manifest['members'][number]) => bucket.archive.member(manifest, member),
  openReference: bucket.archive.referenceMember,
});

/** A member with other rows, and a manifest that knows its bytes and its number of rows: only the digest is still the old one. */
const withRows = async (
  manifest: Manifest,
  table: string,
  change: (rows: string[]) => string[],
  note: Partial<Manifest['members'][number]> = {},
): Promise<Manifest> => {
  const member = manifest.members.find((one) => one.table === table)!;
  const lines = (await text(bucket.archive.member(manifest, member))).split('\n').slice(0, -1);
  const rows = change(lines);
  const copied = rows.map((row) => `${row}\n`).join('');
  const content = gzipSync(copied + endOfData);
  const object = `forged/${table}.dat.gz`;
  await bucket.archive.objects.put(`${archivePrefix(manifest.tenantId, manifest.backupId)}${object}`, content);
  const forged = {
    ...member,
    object,
    offset: 0,
    length: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
    bytes: Buffer.byteLength(copied),
    rows: rows.length,
    ...note,
  };
  return {
    ...manifest,
    members: manifest.members.map((one) => (one === member ? forged : one)),
    tables: manifest.tables.map((one) =>
      one.table === member.root ? { ...one, rows: one.rows + forged.rows - member.rows } : one,
    ),
  };
};

/** The digest that the forged rows really have, as a forger who knows the algorithm would write it down. */
const digested = async (manifest: Manifest, table: string): Promise<Manifest> => {
  const message = await scratch((drills) =>
    drills.drill(opened(manifest)).then(
      () => undefined,
      (error: Error) => error.message,
    ),
  );
  const digest = /has digest (\S+) instead/.exec(message ?? '')?.[1];
  expect(digest, message).toBeDefined();
  return {
    ...manifest,
    members: manifest.members.map((one) => (one.table === table ? { ...one, digest: digest! } : one)),
  };
};

describe('a drill', () => {
  test('restores whole archives one after another, as a login that is no superuser, and leaves no row', async () => {
    const manifests = [await take('acme'), await take('globex'), await take('empty')];
    expect(manifests[0]!.members.map(({ table }) => table)).toEqual(
      expect.arrayContaining(['public.guarded', 'public.activity_2026', 'public.reactions', 'public.attachments']),
    );
    await scratch(async (drills, client) => {
      expect(drills.scope.fingerprint).toBe(manifests[0]!.schema.fingerprint);
      for (const manifest of [...manifests, ...manifests]) await drills.drill(opened(manifest));
      const { rows } = await client.query(
        `SELECT current_setting('is_superuser') AS super, (SELECT count(*)::int FROM messages) AS messages`,
      );
      expect(rows).toEqual([{ super: 'off', messages: 0 }]);
    });
  });

  test('goes on after an archive that failed', async () => {
    const [bad, good] = [
      await withRows(await take('globex'), 'public.messages', (rows) => rows.slice(1)),
      await take('acme'),
    ];
    await scratch(async (drills) => {
      await expect(drills.drill(opened(bad))).rejects.toMatchObject({ name: 'ArchiveDamaged' });
      await drills.drill(opened(good));
    });
  });

  test('does not happen where no template of the schema version is', async () => {
    expect(await scratch(async () => 'ran', 'tn_template_none')).toBeUndefined();
  });
});

describe('an archive fails its drill', () => {
  let manifest: Manifest;
  beforeEach(async () => {
    manifest = await take('acme');
  });
  const drilled = (forged: Manifest, tenantId = 'acme') => scratch((drills) => drills.drill(opened(forged, tenantId)));
  const refusal = (name: string, message: RegExp) => ({ name, message: expect.stringMatching(message) });

  test('when it is of another tenant', async () => {
    await expect(drilled(manifest, 'globex')).rejects.toMatchObject(
      refusal('ForeignRows', /is of tenant acme, not of globex/),
    );
  });

  test('when one row in it is of another tenant', async () => {
    const forged = await withRows(manifest, 'public.audit_trail', ([first, ...rest]) => [
      first!.replace('acme', 'globex'),
      ...rest,
    ]);
    await expect(drilled(forged)).rejects.toMatchObject(refusal('ForeignRows', /1 rows of public\.audit_trail/));
  });

  test('when a letter differs', async () => {
    const forged = await withRows(manifest, 'public.messages', (rows) =>
      rows.map((row) => row.replace('message 7 of', 'message 8 of')),
    );
    await expect(drilled(forged)).rejects.toMatchObject(refusal('ArchiveDamaged', /public\.messages has digest/));
  });

  test('when rows are there that its manifest does not count', async () => {
    const forged = await withRows(manifest, 'public.guarded', (rows) => [...rows, rows[0]!.replace('\t1\t', '\t9\t')], {
      rows: 1,
    });
    const { tables } = manifest;
    await expect(drilled({ ...forged, tables })).rejects.toMatchObject(
      refusal('ArchiveDamaged', /public\.guarded has 2 rows instead of 1/),
    );
  });

  test('when the totals of its manifest are not those of its members', async () => {
    const forged = { ...manifest, members: manifest.members.filter(({ root }) => root !== 'public.reactions') };
    await expect(drilled(forged)).rejects.toMatchObject(
      refusal('ArchiveDamaged', /contradicts itself about public\.reactions/),
    );
  });

  test('when a key is there twice', async () => {
    const forged = await withRows(manifest, 'public.streams', (rows) => [...rows, ...rows]);
    await expect(drilled(forged)).rejects.toMatchObject(
      refusal('ArchiveDamaged', /streams cannot be loaded: duplicate key/),
    );
  });

  test('when rows refer to rows that it lacks, whatever its digests say', async () => {
    const forged = await digested(
      await withRows(manifest, 'public.messages', (rows) => rows.slice(0, -2)),
      'public.messages',
    );
    await expect(drilled(forged)).rejects.toMatchObject(
      refusal('BrokenReferences', /2 rows of public\.attachments would refer to missing rows of public\.messages/),
    );
  });

  test('when a reference row is missing that its rows need', async () => {
    const reference = { ...manifest.reference!, members: [] };
    await expect(drilled({ ...manifest, reference })).rejects.toMatchObject(
      refusal('BrokenReferences', /public\.reactions .*public\.emoji_catalogue/),
    );
  });

  test.each([
    ['the catalog', 'pg_catalog.pg_class'],
    ['a reference table', 'public.emoji_catalogue'],
    ['no table at all', 'public.x"; DROP TABLE users; --'],
  ])('when a member is of %s', async (_what, table) => {
    const members = manifest.members.map((one, place) => (place === 0 ? { ...one, table } : one));
    await expect(drilled({ ...manifest, members })).rejects.toMatchObject(
      refusal('ArchiveDamaged', /is no tenant table of its schema version/),
    );
  });
});

describe('a scratch database', () => {
  test('is dropped when its work throws', async () => {
    await expect(
      scratch(async () => {
        throw new Error('the work broke');
      }),
    ).rejects.toThrow('the work broke');
  });

  test('that a killed function left is swept by the next drill, one in use is left alone', async () => {
    const killed = await owner('pool');
    const left = Promise.withResolvers<void>();
    const dying = inScratch(
      {
        owner: killed,
        template: pool.state.template!,
        restorer: credentials.restore.username,
        connectOwner: owner,
        connectRestorer: (database) => login(database, credentials.restore),
      },
      () => {
        left.resolve();
        return new Promise<never>(() => undefined);
      },
    );
    dying.catch(() => undefined);
    await left.promise;
    const [leftover] = await scratchDatabases();
    const sweeper = await owner('pool');
    await scratch(async () => {
      expect(await scratchDatabases()).toHaveLength(2);
      expect(await sweepScratch(sweeper)).toEqual([]);
    });
    const { rows } = await killed.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await pool.master.query('SELECT pg_terminate_backend($1, 10000)', [rows[0]!.pid]);
    expect(await sweepScratch(sweeper)).toEqual([leftover]);
    await sweeper.end();
  });

  test('of two drills at once are two', async () => {
    const manifest = await take('acme');
    const second = await owner('pool');
    const names = await Promise.all(
      [pool.master, second].map((client) =>
        inScratch(
          {
            owner: client,
            template: pool.state.template!,
            restorer: credentials.restore.username,
            connectOwner: owner,
            connectRestorer: (database) => login(database, credentials.restore),
          },
          async (restorer) => {
            await (await openScratchDrills(restorer)).drill(opened(manifest));
            return (await restorer.query<{ name: string }>('SELECT current_database() AS name')).rows[0]!.name;
          },
        ),
      ),
    );
    await second.end();
    expect(new Set(names).size).toBe(2);
  });
});
