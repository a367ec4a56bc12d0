import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Piece } from './body-rows.ts';
import { checksumMember } from './checksums.ts';
import { type ByteRange, checkRead, rangeOf } from './conditions.ts';
import { s3Error } from './errors.ts';
import { answerEmpty, answerXml, type Exchange } from './exchange.ts';
import { lockHeaders } from './locks.ts';
import { versionHeader } from './objects.ts';
import { integerOf } from './request.ts';
import type { Store } from './store.ts';
import { checksumHeaders, checksumMembers, encryptionHeaders } from './traits.ts';
import type { Version } from './version-rows.ts';

/** Finds the version that a read asks for. A delete marker is "not found", and the answer's headers say why. */
const readable = ({ store, request, response }: Exchange): Version => {
  const bucket = store.buckets.get(request.bucket);
  const versionId = request.query.get('versionId');
  const version = store.versions.get(bucket, request.key, versionId);
  if (!version.marker) return version;
  response.setHeader('x-amz-delete-marker', 'true');
  response.setHeader('x-amz-version-id', version.versionId);
  if (versionId === null) throw s3Error('NoSuchKey', undefined, { Key: request.key });
  response.setHeader('allow', 'DELETE');
  throw s3Error('MethodNotAllowed');
};

const overridable = [
  'content-type',
  'content-language',
  'expires',
  'cache-control',
  'content-disposition',
  'content-encoding',
];

const headersOf = (version: Version, query: URLSearchParams): Record<string, string | number> => {
  const { traits } = version;
  const headers: Record<string, string | number> = {
    ...traits.headers,
    ...encryptionHeaders(traits.encryption),
    ...lockHeaders(version.lock),
    ...versionHeader(version.versionId),
    etag: `"${version.etag}"`,
    'last-modified': new Date(version.modified).toUTCString(),
    'accept-ranges': 'bytes',
  };
  if (traits.storageClass) headers['x-amz-storage-class'] = traits.storageClass;
  if (version.tags.length > 0) headers['x-amz-tagging-count'] = version.tags.length;
  for (const name of overridable) {
    const given = query.get(`response-${name}`);
    if (given !== null) headers[name] = given;
  }
  return headers;
};

/** The bytes of one part of a multipart object; any other object has exactly part 1. */
const partRange = (pieces: readonly Piece[], number: number): ByteRange | undefined => {
  const piece = pieces[number - 1];
  if (!piece) throw s3Error('InvalidPartNumber');
  const start = pieces.slice(0, number - 1).reduce((sum, { size }) => sum + size, 0);
  return piece.size === 0 ? undefined : { start, end: start + piece.size - 1 };
};

const send = async (
  store: Store,
  response: ServerResponse,
  pieces: readonly Piece[],
  range: ByteRange,
): Promise<void> => {
  const [only] = pieces;
  if (pieces.length === 1 && only!.bytes) {
    response.end(only!.bytes.subarray(range.start, range.end + 1));
    return;
  }
  const release = store.blobs.hold(pieces);
  try {
    await pipeline(store.blobs.read(pieces, range.start, range.end), response);
  } catch (error) {
    // A client that hangs up in the middle is no fault of ours; anything else must not look like a complete object.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  } finally {
    release();
  }
};

const answerObject = async (exchange: Exchange, withBody: boolean): Promise<void> => {
  const { store, request, response } = exchange;
  const version = readable(exchange);
  const headers = headersOf(version, request.query);
  if (!checkRead(request.headers, version)) {
    answerEmpty(response, 304, { etag: headers.etag!, 'last-modified': headers['last-modified']! });
    return;
  }
  const number = integerOf(request, 'partNumber', { least: 1, most: 10_000, usual: 0 });
  const pieces = withBody || number > 0 ? store.bodies.piecesOf(version.sequence) : [];
  const range = number > 0 ? partRange(pieces, number) : rangeOf(request.headers, version);
  if (number > 0 && version.traits.parts) headers['x-amz-mp-parts-count'] = version.traits.parts;
  // Of a range, AWS tells no checksum: the client would compare it with the bytes that it got.
  if (!range && request.headers['x-amz-checksum-mode']?.toUpperCase() === 'ENABLED') {
    Object.assign(headers, checksumHeaders(version.traits.checksum));
  }
  const { start, end } = range ?? { start: 0, end: version.size - 1 };
  if (range) headers['content-range'] = `bytes ${start}-${end}/${version.size}`;
  headers['content-length'] = end - start + 1;
  response.writeHead(range ? 206 : 200, headers);
  if (withBody) await send(store, response, pieces, { start, end });
  else response.end();
};

export const getObject = (exchange: Exchange): Promise<void> => answerObject(exchange, true);
export const headObject = (exchange: Exchange): Promise<void> => answerObject(exchange, false);

export const getAttributes = (exchange: Exchange): void => {
  const { store, request, response } = exchange;
  const version = readable(exchange);
  const { traits } = version;
  const asked = new Set((request.headers['x-amz-object-attributes'] ?? '').split(',').map((name) => name.trim()));
  if (asked.has(''))
    throw s3Error('InvalidArgument', 'x-amz-object-attributes names no attribute; give ETag, ObjectSize, ...');
  const after = Number(request.headers['x-amz-part-number-marker'] ?? 0);
  const max = Math.min(Number(request.headers['x-amz-max-parts'] ?? 1000), 1000);
  const listed = traits.parts && asked.has('ObjectParts') ? store.bodies.piecesOf(version.sequence) : [];
  const page = listed.slice(after, after + max);
  answerXml(
    response,
    'GetObjectAttributesResponse',
    {
      ETag: asked.has('ETag') ? version.etag : undefined,
      Checksum: asked.has('Checksum') && traits.checksum ? checksumMembers(traits.checksum) : undefined,
      ObjectParts:
        listed.length === 0
          ? undefined
          : {
              PartsCount: listed.length,
              PartNumberMarker: after,
              NextPartNumberMarker: page.at(-1)?.number,
              MaxParts: max,
              IsTruncated: after + max < listed.length,
              Part: page.map(({ number, size, checksum }) => ({
                PartNumber: number,
                Size: size,
                ...(checksum && traits.checksum ? { [checksumMember(traits.checksum.name)]: checksum } : {}),
              })),
            },
      StorageClass: asked.has('StorageClass') ? (traits.storageClass ?? 'STANDARD') : undefined,
      ObjectSize: asked.has('ObjectSize') ? version.size : undefined,
    },
    { 'last-modified': new Date(version.modified).toUTCString(), ...versionHeader(version.versionId) },
  );
};

/** The current object as a stream, for callers inside this process. Throws NoSuchBucket, NoSuchKey. */
export const openObject = (store: Store, bucketName: string, key: string): Readable => {
  const bucket = store.buckets.get(bucketName);
  const version = store.versions.get(bucket, key, null);
  if (version.marker) throw s3Error('NoSuchKey', undefined, { Key: key });
  const pieces = store.bodies.piecesOf(version.sequence);
  const release = store.blobs.hold(pieces);
  const stream = Readable.from(store.blobs.read(pieces, 0, version.size - 1), { objectMode: false });
  return stream.once('close', release);
};
