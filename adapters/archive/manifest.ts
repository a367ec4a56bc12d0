import { createHash, hash } from 'node:crypto';
import * as z from 'zod';
import {
  archiveObject,
  archivePrefix,
  type Manifest,
  manifestKey,
  type StoredManifest,
  schemaLinesKey,
  storedManifestSchema,
} from '../../domain/archive.ts';
import { StepFailure } from '../../domain/errors.ts';
import type { Objects } from './objects.ts';
import { firstFile, packTar, type TarFile } from './tar.ts';

export interface BoundManifest {
  readonly manifest: Manifest;
  /** Hex SHA-256 of the bytes of manifest.json. */
  readonly sha256: string;
  /** Sizes of objects that became known on the way: key -> bytes. */
  readonly sizes: Map<string, number>;
}

const damaged = (what: string, cause?: unknown): StepFailure =>
  new StepFailure('ArchiveDamaged', `${what}; restore another backup`, { cause });

const parse = (key: string, text: string): StoredManifest => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw damaged(`${key} is not JSON`, cause);
  }
  const parsed = storedManifestSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new StepFailure(
    'ArchiveDamaged',
    `${key} is no manifest; restore another backup. ${z.prettifyError(parsed.error)}`,
  );
};

/** Enough for the manifests of all but the widest schemas, and for the whole archive of a small tenant: one request. */
const headBytes = 128 * 1024;

/** manifest.json as it lies in the bucket: first in archive.tar, or (format 1) an object of its own. */
const findText = async (
  objects: Objects,
  tenantId: string,
  backupId: string,
): Promise<{ key: string; text: Buffer; sizes: Map<string, number> } | undefined> => {
  const key = `${archivePrefix(tenantId, backupId)}${archiveObject}`;
  const head = await objects.head(key, headBytes);
  if (!head) {
    const old = await objects.bytes(manifestKey(tenantId, backupId));
    return old && { key: manifestKey(tenantId, backupId), text: old, sizes: new Map() };
  }
  const sizes = new Map([[key, head.size]]);
  const file = firstFile(head.bytes);
  if (file?.name !== 'manifest.json') throw damaged(`${key} does not begin with its manifest`);
  const end = file.offset + file.size;
  if (end > head.size) throw damaged(`${key} has ${head.size} bytes, its manifest alone needs ${end}`);
  const bytes = end <= head.bytes.length ? head.bytes : (await objects.head(key, end))?.bytes;
  return { key, text: (bytes ?? head.bytes).subarray(file.offset, end), sizes };
};

const readLines = async (objects: Objects, fingerprint: string): Promise<string[]> => {
  const key = schemaLinesKey(fingerprint);
  const text = await objects.text(key);
  if (text === undefined) throw damaged(`${key}, which says what the schema was, is missing`);
  const lines = z.array(z.string()).safeParse(JSON.parse(text));
  if (!lines.success || createHash('md5').update(lines.data.join('\n')).digest('hex') !== fingerprint)
    throw damaged(`${key} is not the schema of that fingerprint`);
  return lines.data;
};

/** Reads the manifests of one bucket; the lines of a schema version are read once. */
export const openManifests = (objects: Objects) => {
  const known = new Map<string, Promise<string[]>>();
  const linesOf = (fingerprint: string): Promise<string[]> => {
    const found = known.get(fingerprint) ?? readLines(objects, fingerprint);
    known.set(fingerprint, found);
    // A failure is not kept: the next reader asks again.
    found.catch(() => known.delete(fingerprint));
    return found;
  };
  return async (tenantId: string, backupId: string): Promise<BoundManifest> => {
    const found = await findText(objects, tenantId, backupId);
    if (!found)
      throw new StepFailure(
        'BackupNotFound',
        `backup ${backupId} of tenant ${tenantId} has no manifest at ${manifestKey(tenantId, backupId)}`,
      );
    const { key, text, sizes } = found;
    const stored = parse(key, text.toString());
    if (stored.tenantId !== tenantId || stored.backupId !== backupId)
      throw damaged(`${key} is the manifest of backup ${stored.backupId} of tenant ${stored.tenantId}`);
    const { fingerprint, lines = await linesOf(fingerprint) } = stored.schema;
    const manifest = { ...stored, schema: { fingerprint, lines } };
    return { manifest, sha256: createHash('sha256').update(text).digest('hex'), sizes };
  };
};

const blockSize = 512;

/**
 * The tar of an archive: manifest.json, then the files. Members whose object is `archive.tar` count their offsets from the first
 * file; here they become offsets in the tar, which stands only when the length of the manifest, which names them, does.
 */
export const packArchive = (
  manifest: Manifest,
  files: readonly TarFile[],
): { readonly tar: Buffer; readonly manifest: Manifest; readonly sha256: string } => {
  const { schema, members, ...rest } = manifest;
  const placed = (base: number) =>
    members.map((member) =>
      member.object === archiveObject ? { ...member, offset: member.offset + base + blockSize } : member,
    );
  const stored = (base: number): string =>
    JSON.stringify({ ...rest, schema: { fingerprint: schema.fingerprint }, members: placed(base) });
  let room = Math.ceil(Buffer.byteLength(stored(0)) / blockSize) * blockSize;
  let text = Buffer.from(stored(room));
  while (text.length > room) {
    room += blockSize;
    text = Buffer.from(stored(room));
  }
  const content = Buffer.alloc(room, ' ');
  text.copy(content);
  const { tar } = packTar([{ name: 'manifest.json', content }, ...files]);
  return {
    tar,
    manifest: { ...manifest, members: placed(room) },
    sha256: hash('sha256', content, 'hex'),
  };
};
