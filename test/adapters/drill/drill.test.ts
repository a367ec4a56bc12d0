import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { archivePrefix, endOfData, type Manifest } from '../../../domain/archive.ts';
import { type DrillBench, openDrillBench } from './drill-bench.ts';

let bench: DrillBench;
let bucket: DrillBench['bucket'];
let take: DrillBench['take'];
let scratch: DrillBench['scratch'];
let opened: DrillBench['opened'];

beforeAll(async () => {
  bench = await openDrillBench();
  ({ bucket, take, scratch, opened } = bench);
});
afterAll(() => bench.stop());
afterEach(async () => expect(await bench.scratchDatabases()).toEqual([]));

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
