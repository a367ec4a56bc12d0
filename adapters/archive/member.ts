import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type ArchiveMember, endOfData } from '../../domain/archive.ts';
import { StepFailure } from '../../domain/errors.ts';
import type { Objects } from './objects.ts';

const marker = Buffer.from(endOfData);

const damaged = (key: string, member: ArchiveMember, what: string, cause?: unknown): StepFailure =>
  new StepFailure(
    'ArchiveDamaged',
    `${key} bytes ${member.offset}-${member.offset + member.length - 1} (${member.table}): ${what}; restore another backup`,
    { cause },
  );

/** zlib reports broken input with a code that starts with Z_. */
const isZlibError = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('Z_');

/** Passes the gzip bytes on and throws at their end, before any reader hears of an end, unless length and hash fit. */
async function* verified(
  body: AsyncIterable<Uint8Array>,
  key: string,
  member: ArchiveMember,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let length = 0;
  for await (const chunk of body) {
    length += chunk.byteLength;
    hash.update(chunk);
    yield chunk;
  }
  if (length !== member.length) throw damaged(key, member, `${length} bytes instead of ${member.length}`);
  if (hash.digest('hex') !== member.sha256) throw damaged(key, member, 'SHA-256 differs from the manifest');
}

/** The COPY text without pg_dump's end marker; holds the last bytes back until it knows that they are the marker. */
async function* withoutMarker(text: AsyncIterable<Buffer>, key: string, member: ArchiveMember): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  let given = 0;
  for await (const chunk of text) {
    const all = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    const ready = Math.max(0, all.length - marker.length);
    held = all.subarray(ready);
    given += ready;
    // A member that unpacks to more than the manifest says is refused at once, not after it filled the disk.
    if (given > member.bytes) throw damaged(key, member, `more than ${member.bytes} bytes of rows`);
    if (ready > 0) yield all.subarray(0, ready);
  }
  if (!held.equals(marker)) throw damaged(key, member, 'the end mark of the rows is missing');
  if (given !== member.bytes) throw damaged(key, member, `${given} bytes of rows instead of ${member.bytes}`);
}

/** Opens the bytes of a member; undefined where the object is missing or too short. */
type Open = (member: ArchiveMember) => Promise<Readable | undefined>;

async function* memberText(open: Open, key: string, member: ArchiveMember): AsyncGenerator<Buffer> {
  const body = await open(member);
  if (!body) throw damaged(key, member, 'the object is missing or too short');
  // Each chunk is a turn through zlib's threads and a message to the server: 16 KiB, the usual, made 300 of 5 MB.
  const gunzip = createGunzip({ chunkSize: Math.max(1024, Math.min(256 * 1024, member.bytes + marker.length)) });
  // Its rejection is the error that `gunzip` is destroyed with, which the loop below throws.
  pipeline(body, (source) => verified(source, key, member), gunzip).catch(() => undefined);
  try {
    yield* withoutMarker(gunzip, key, member);
  } catch (error) {
    throw isZlibError(error) ? damaged(key, member, 'not readable as gzip', error) : error;
  } finally {
    body.destroy();
    gunzip.destroy();
  }
}

/**
 * The rows of one member as COPY text. Length, SHA-256 and end mark are checked before the stream ends: it is destroyed with
 * ArchiveDamaged instead, so whoever loads it must do so in a transaction. Memory is flat.
 */
export const readMember = (objects: Objects, key: string, member: ArchiveMember): Readable =>
  Readable.from(
    memberText(({ offset, length }) => objects.range(key, offset, length), key, member),
    { objectMode: false },
  );

/** Bytes of one object that may be held while its members are read. */
const heldBytes = 8 * 1024 * 1024;

/**
 * Like `readMember` for several members of one object, which are fetched together by one request where they lie close to each
 * other: on AWS each request costs some 20 ms, more than the rows of a small table.
 */
export const openMembers = (
  objects: Objects,
  key: string,
  members: readonly ArchiveMember[],
): ((member: ArchiveMember) => Readable) => {
  const start = Math.min(...members.map(({ offset }) => offset));
  const length = Math.max(...members.map((member) => member.offset + member.length)) - start;
  if (members.length < 2 || length > heldBytes) return (member) => readMember(objects, key, member);
  let fetched: Promise<Buffer | undefined> | undefined;
  const fetch = async (): Promise<Buffer | undefined> => {
    const body = await objects.range(key, start, length);
    return body && Buffer.concat(await body.toArray());
  };
  const open: Open = async (member) => {
    fetched ??= fetch();
    const bytes = await fetched;
    return bytes && Readable.from([bytes.subarray(member.offset - start, member.offset - start + member.length)]);
  };
  return (member) => Readable.from(memberText(open, key, member), { objectMode: false });
};
