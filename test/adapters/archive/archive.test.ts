import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { packTar, tarOffsets } from '../../../adapters/archive/tar.ts';
import {
  type ArchiveMember,
  archivePrefix,
  endOfData,
  type Manifest,
  manifestKey,
  schemaLinesKey,
} from '../../../domain/archive.ts';
import { openTestBucket, type TestBucket } from './bucket.ts';

let bucket: TestBucket;
let backups = 0;
beforeAll(async () => {
  bucket = await openTestBucket();
});
afterAll(() => bucket.stop());

const rows = (tenantId: string): string =>
  Array.from({ length: 500 }, (_, id) => `${tenantId}\t${id}\ttext ${id}\n`).join('');

const memberOf = (content: Buffer, place: { offset: number; bytes: number }): ArchiveMember => ({
  table: 'public.notes',
  root: 'public.notes',
  columns: ['tenant_id', 'id', 'body'],
  rows: 500,
  digest: '0',
  algorithm: 'record-v1',
  dumpId: 7,
  object: 'archive.tar',
  length: content.length,
  sha256: createHash('sha256').update(content).digest('hex'),
  ...place,
});

const lines = ['column public.notes.body text', 'column public.notes.id bigint not null'];
const fingerprint = createHash('md5').update(lines.join('\n')).digest('hex');

type Format = Manifest['format'];

/**
 * An archive with one member between two others, so that neighbours' bytes are near: as it is written now, or in the format
 * that archives of the first release have.
 */
const write = async (
  tenantId: string,
  copyText = rows(tenantId),
  { marker = endOfData, format = 'tenantry-archive/2' as Format } = {},
): Promise<Manifest> => {
  backups += 1;
  const backupId = `b-${backups}`;
  const content = gzipSync(copyText + marker);
  const other = gzipSync(`x\n${endOfData}`);
  const files = [
    { name: '1.dat.gz', content: other },
    { name: '7.dat.gz', content },
    { name: '9.dat.gz', content: other },
  ];
  const offset = tarOffsets(files.map((file) => file.content.length))[1]!;
  const manifest: Manifest = {
    format,
    tenantId,
    backupId,
    operation: 'op',
    kind: 'manual',
    takenAt: '2026-11-23T00:00:00.000000Z',
    snapshotLsn: '0/1',
    postgresVersion: '15.18',
    isolation: 'pooled',
    schema: { fingerprint, lines },
    tables: [],
    members: [memberOf(content, { offset, bytes: Buffer.byteLength(copyText) })],
    sequencesNote: '',
  };
  const { objects } = bucket.archive;
  if (format === 'tenantry-archive/1') {
    await objects.put(`${archivePrefix(tenantId, backupId)}0a1b2c3d/archive.tar`, packTar(files).tar);
    const members = manifest.members.map((member) => ({ ...member, object: '0a1b2c3d/archive.tar' }));
    await objects.put(manifestKey(tenantId, backupId), JSON.stringify({ ...manifest, members }));
    return { ...manifest, members };
  }
  await objects.put(schemaLinesKey(fingerprint), JSON.stringify(lines));
  const written = await bucket.archive.complete(manifest, files);
  if (!written) throw new Error(`backup ${backupId} was written before`);
  return written.manifest;
};

const objectKey = (manifest: Manifest): string =>
  `${archivePrefix(manifest.tenantId, manifest.backupId)}${manifest.members[0]!.object}`;
const ways = {
  alone: (manifest: Manifest, member: ArchiveMember) => bucket.archive.member(manifest, member),
  'with others': (manifest: Manifest, member: ArchiveMember) =>
    bucket.archive.members(manifest, [{ ...member, table: 'public.other' }, member])(member),
};
const damaged = { name: 'ArchiveDamaged' };

describe.each([
  ['tenantry-archive/1', 'alone'],
  ['tenantry-archive/2', 'alone'],
  ['tenantry-archive/2', 'with others'],
] as const)('a member of %s that is read %s', (format, way) => {
  const open = (from: Manifest, change: Partial<ArchiveMember> = {}) =>
    ways[way](from, { ...from.members[0]!, ...change });
  const read = (from: Manifest, change?: Partial<ArchiveMember>): Promise<string> => text(open(from, change));
  let manifest: Manifest;
  beforeEach(async () => {
    manifest = await write('acme', undefined, { format });
  });

  test('is its COPY text without the end mark', async () => {
    expect(await read(manifest)).toBe(rows('acme'));
  });

  test('is read whole when the end mark falls between two chunks', async () => {
    // gunzip hands out 256 KiB at a time: lengths around that put each byte of the mark at the border once.
    for (let length = 262_144 - endOfData.length; length <= 262_144; length += 1) {
      const copyText = 'x'.repeat(length);
      expect(await read(await write('acme', copyText))).toBe(copyText);
    }
  });

  test('is refused after a flip of any of its bits', async () => {
    const { offset, length } = manifest.members[0]!;
    for (let byte = offset; byte < offset + length; byte += Math.ceil(length / 60)) {
      await bucket.flipBit(objectKey(manifest), byte);
      await expect(read(manifest)).rejects.toMatchObject(damaged);
      await bucket.flipBit(objectKey(manifest), byte);
    }
    expect(await read(manifest)).toBe(rows('acme'));
  });

  test('does not care about its neighbours in the object', async () => {
    await bucket.flipBit(objectKey(manifest), manifest.members[0]!.offset - 513);
    expect(await read(manifest)).toBe(rows('acme'));
  });

  test.each([0, 1, 600, 1_100])('is refused when the object was cut to %i bytes', async (length) => {
    await bucket.truncate(objectKey(manifest), length);
    await expect(read(manifest)).rejects.toMatchObject(damaged);
  });

  test('is refused when its object is gone', async () => {
    await bucket.archive.objects.remove(objectKey(manifest));
    await expect(read(manifest)).rejects.toMatchObject({ ...damaged, message: expect.stringContaining('missing') });
  });

  test('is refused when it unpacks to more than the manifest says, before all of it is unpacked', async () => {
    const bomb = await write('acme', 'y'.repeat(50_000_000));
    let seen = 0;
    const reading = async () => {
      for await (const chunk of open(bomb, { bytes: 1_000 })) seen += chunk.length;
    };
    await expect(reading()).rejects.toMatchObject(damaged);
    expect(seen).toBeLessThan(1_000_000);
  });

  test('is refused without its end mark, as after a dump that was cut off', async () => {
    await expect(read(await write('acme', rows('acme'), { marker: '' }))).rejects.toMatchObject(damaged);
    await expect(read(manifest, { bytes: manifest.members[0]!.bytes + 1 })).rejects.toMatchObject(damaged);
  });

  test('whose stream is dropped by its reader leaves no error behind', async () => {
    const stream = open(manifest);
    for await (const _ of stream) break;
    expect(stream.destroyed).toBe(true);
  });
});

describe('a manifest', () => {
  test.each(['tenantry-archive/1', 'tenantry-archive/2'] as const)(
    'of %s says all that was written',
    async (format) => {
      const written = await write('acme', undefined, { format });
      const bound = await bucket.archive.boundManifest('acme', written.backupId);
      expect(bound.manifest).toEqual(written);
      expect(await bucket.archive.isComplete('acme', written.backupId)).toBe(true);
      await expect(bucket.archive.manifest('acme', written.backupId, '0'.repeat(64))).rejects.toMatchObject(damaged);
      expect(await bucket.archive.manifest('acme', written.backupId, bound.sha256)).toEqual(written);
    },
  );

  test('whose schema lines are those of another schema is refused', async () => {
    const { backupId } = await write('acme');
    await bucket.archive.objects.put(schemaLinesKey(fingerprint), JSON.stringify(['column public.notes.id text']));
    await expect(bucket.anew().manifest('acme', backupId)).rejects.toMatchObject(damaged);
    await bucket.archive.objects.put(schemaLinesKey(fingerprint), JSON.stringify(lines));
    expect(await bucket.anew().manifest('acme', backupId)).toMatchObject({ schema: { lines } });
  });

  test('longer than the first read is read to its end', async () => {
    const manifest = await write('acme');
    const tables = Array.from({ length: 4_000 }, (_, id) => ({ table: `public.table_${id}`, rows: 0, digest: '0' }));
    const wide = { ...manifest, backupId: 'b-wide', tables, members: [] };
    await bucket.archive.complete(wide);
    expect(await bucket.archive.manifest('acme', 'b-wide')).toEqual(wide);
  });

  test('that does not exist is a backup that was not found', async () => {
    await expect(bucket.archive.manifest('acme', 'b-none')).rejects.toMatchObject({ name: 'BackupNotFound' });
  });

  test('of another tenant is refused, even when it lies under the tenant’s own prefix', async () => {
    const foreign = await write('globex', undefined, { format: 'tenantry-archive/1' });
    await bucket.archive.objects.put(manifestKey('acme', foreign.backupId), JSON.stringify(foreign));
    await expect(bucket.archive.manifest('acme', foreign.backupId)).rejects.toMatchObject({
      ...damaged,
      message: expect.stringContaining('tenant globex'),
    });
  });

  test.each([
    ['no JSON', '{"format"'],
    ['no manifest', '{"format":"tenantry-archive/1"}'],
    ['another format', '{"format":"tenantry-archive/3"}'],
  ])('that is %s is refused', async (_what, body) => {
    await bucket.archive.objects.put(manifestKey('acme', 'b-odd'), body);
    await expect(bucket.archive.manifest('acme', 'b-odd')).rejects.toMatchObject(damaged);
  });

  test('cannot point its reference rows into a tenant’s prefix', async () => {
    const manifest = await write('acme', undefined, { format: 'tenantry-archive/1' });
    const reference = { key: 't/globex/b-1/archive.tar', members: manifest.members };
    await bucket.archive.objects.put(
      manifestKey('acme', manifest.backupId),
      JSON.stringify({ ...manifest, reference }),
    );
    await expect(bucket.archive.manifest('acme', manifest.backupId)).rejects.toMatchObject(damaged);
  });

  test('is written once: a second attempt hears that one is there', async () => {
    const manifest = await write('acme');
    expect(await bucket.archive.complete({ ...manifest, operation: 'late' })).toBeUndefined();
    expect((await bucket.archive.manifest('acme', manifest.backupId)).operation).toBe('op');
  });
});

describe('an archive', () => {
  test('passes inspection when its objects are there in full, and only then', async () => {
    const manifest = await write('acme');
    await bucket.archive.inspect(manifest);
    const { offset, length } = manifest.members[0]!;
    await bucket.truncate(objectKey(manifest), offset + length - 1);
    await expect(bucket.archive.inspect(manifest)).rejects.toMatchObject(damaged);
    await bucket.archive.objects.remove(objectKey(manifest));
    await expect(bucket.archive.inspect(manifest)).rejects.toMatchObject(damaged);
  });

  test('is removed without touching a tenant whose name begins the same', async () => {
    const [mine, other] = [await write('acme'), await write('acme2')];
    expect(await bucket.archive.remove('acme', mine.backupId)).toBe(1);
    expect(await bucket.archive.remove('acme', mine.backupId)).toBe(0);
    expect(await text(ways.alone(other, other.members[0]!))).toBe(rows('acme2'));
    expect(await bucket.archive.list('acme')).not.toContain(mine.backupId);
    expect(await bucket.archive.list('acme2')).toContain(other.backupId);
  });
});
