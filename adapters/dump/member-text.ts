import { createHash, hash as hashOnce } from 'node:crypto';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { crc32, createGzip, gzip, gzipSync } from 'node:zlib';
import type { ClientBase } from 'pg';
import { endOfData } from '../../domain/archive.ts';
import type { Objects } from '../archive/objects.ts';
import { copyOut } from './copy-out.ts';

const gzipInPool = promisify(gzip);
const marker = Buffer.from(endOfData);

/** Level 1 as pg_dump -Z1: level 6 takes five times as long for a quarter less (research, 46.6 against 9.8 s). */
const level = 1;

/**
 * Up to this a member is compressed in place: 0.3 ms at most, where zlib's threads cost 0.1 ms of their own and a stream whose
 * 256 KiB of state the garbage collector has to chase (5 of 30 s for 7,000 members).
 */
const inPlaceBytes = 64 * 1024;

/** A window and tables as large as the text and no larger: deflate clears them for every member. */
const fitting = (length: number) => {
  const windowBits = Math.min(15, Math.max(9, Math.ceil(Math.log2(length))));
  return { level, windowBits, memLevel: Math.min(8, windowBits - 6) };
};

/**
 * Up to this a text is stored as it is: it fills the same one or two blocks of the tar, and deflate clears 20 to 260 KiB of
 * tables for every member (0.1 ms, 35,000 members in a pool of 5,000 tenants).
 */
const storedBytes = 1024;

/** gzip (RFC 1952) of one stored block (RFC 1951 3.2.4), which holds up to 65,535 bytes. */
const gzipStored = (text: Buffer): Buffer => {
  const content = Buffer.allocUnsafe(text.length + 23);
  content.set([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1]);
  content.writeUInt16LE(text.length, 11);
  content.writeUInt16LE(~text.length & 0xffff, 13);
  content.set(text, 15);
  content.writeUInt32LE(crc32(text), text.length + 15);
  content.writeUInt32LE(text.length, text.length + 19);
  return content;
};

const gzipText = (text: Buffer): Buffer | Promise<Buffer> => {
  if (text.length <= storedBytes) return gzipStored(text);
  return text.length <= inPlaceBytes
    ? gzipSync(text, fitting(text.length))
    : gzipInPool(text, { level, chunkSize: 256 * 1024 });
};

/** COPY text of one table, or what became of it in an archive. */
export interface PackedMember {
  readonly content: Buffer;
  readonly sha256: string;
  /** COPY text before compression, without pg_dump's end mark. */
  readonly bytes: number;
}

/** Gzips the rows with pg_dump's end mark; larger ones in zlib's threads. */
export const packMember = async (chunks: readonly Buffer[]): Promise<PackedMember> => {
  const text = Buffer.concat([...chunks, marker]);
  const content = await gzipText(text);
  return { content, sha256: hashOnce('sha256', content, 'hex'), bytes: text.length - marker.length };
};

export interface StreamedMember extends Omit<PackedMember, 'content'> {
  readonly rows: number;
  readonly length: number;
}

/**
 * Copies one table straight into one object: COPY, gzip and upload run at the pace of the slowest, memory stays flat
 * whatever the size of the table.
 */
export const streamMember = async (
  client: ClientBase,
  statement: string,
  objects: Objects,
  key: string,
): Promise<StreamedMember> => {
  const text = new PassThrough({ highWaterMark: 1024 * 1024 });
  const body = new PassThrough({ highWaterMark: 1024 * 1024 });
  const hash = createHash('sha256');
  let length = 0;
  let bytes = 0;
  const counted = async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      hash.update(chunk);
      length += chunk.length;
      yield chunk;
    }
  };
  // An upload that fails would leave the copy waiting for a reader for ever.
  const stop = new AbortController();
  const flow = pipeline(text, createGzip({ level, chunkSize: 256 * 1024 }), counted, body, { signal: stop.signal });
  const upload = objects.upload(key, body);
  const written = Promise.all([flow, upload]).catch((error: unknown) => {
    stop.abort(error);
    throw error;
  });
  written.catch(() => undefined);
  try {
    const [rows] = await copyOut(client, [statement], (chunk) => {
      bytes += chunk.length;
      if (stop.signal.aborted) return Promise.reject(stop.signal.reason);
      return text.write(chunk) ? undefined : once(text, 'drain', { signal: stop.signal }).then(() => undefined);
    });
    text.end(marker);
    await written;
    return { rows: rows ?? 0, length, bytes, sha256: hash.digest('hex') };
  } catch (error) {
    stop.abort(error);
    await written.catch(() => undefined);
    throw error;
  }
};
