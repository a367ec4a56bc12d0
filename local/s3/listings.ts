import { iso } from './buckets.ts';
import { apiNameOf } from './checksums.ts';
import { s3Error } from './errors.ts';
import { answerXml, type Exchange } from './exchange.ts';
import { type Cursor, cursorAfter, readPage } from './pages.ts';
import { integerOf, type S3Request } from './request.ts';
import type { Store } from './store.ts';
import type { Version } from './version-rows.ts';

interface Asked {
  readonly prefix: string;
  readonly delimiter: string;
  readonly max: number;
  /** Writes a key into XML: percent-encoded, slashes left alone, when the client asked for that. */
  readonly write: (text: string) => string;
  readonly encoding: string | undefined;
}

const percentEncode = (text: string): string =>
  encodeURIComponent(text)
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%2F', '/');

const askedOf = (request: S3Request, maxName: string): Asked => {
  const encoding = request.query.get('encoding-type') ?? undefined;
  if (encoding !== undefined && encoding !== 'url') {
    throw s3Error('InvalidArgument', `encoding-type is "${encoding}"; only url is defined.`);
  }
  return {
    prefix: request.query.get('prefix') ?? '',
    delimiter: request.query.get('delimiter') ?? '',
    max: integerOf(request, maxName, { least: 0, most: 1000, usual: 1000 }),
    write: encoding ? percentEncode : (text) => text,
    encoding,
  };
};

const writeToken = (cursor: Cursor): string => Buffer.from(JSON.stringify(cursor)).toString('base64url');

const readToken = (token: string): Cursor => {
  try {
    const { key } = JSON.parse(Buffer.from(token, 'base64url').toString()) as Cursor;
    if (typeof key === 'string') return { key };
  } catch {
    // Falls through to the refusal.
  }
  throw s3Error('InvalidArgument', 'The continuation token provided is incorrect', {
    ArgumentName: 'continuation-token',
  });
};

const contentsOf = (store: Store, rows: readonly Version[], { write }: Asked, withOwner: boolean) =>
  rows.map(({ key, modified, etag, size, traits }) => ({
    Key: write(key),
    LastModified: iso(modified),
    ETag: `"${etag}"`,
    ChecksumAlgorithm: traits.checksum && apiNameOf(traits.checksum.name),
    ChecksumType: traits.checksum?.type,
    Size: size,
    Owner: withOwner ? { ID: store.accountId } : undefined,
    StorageClass: traits.storageClass ?? 'STANDARD',
  }));

const prefixesOf = (prefixes: readonly string[], { write }: Asked) =>
  prefixes.map((prefix) => ({ Prefix: write(prefix) }));

export const listObjectsV2 = ({ store, request, response }: Exchange): void => {
  const bucket = store.buckets.get(request.bucket);
  const asked = askedOf(request, 'max-keys');
  const { prefix, delimiter, max, write } = asked;
  const token = request.query.get('continuation-token');
  const startAfter = request.query.get('start-after') ?? '';
  const from = token === null ? cursorAfter(startAfter, prefix, delimiter) : readToken(token);
  const page = readPage({ prefix, delimiter, max, from }, (cursor, end, limit) =>
    store.versions.objectsFrom(bucket, cursor, end, limit),
  );
  answerXml(response, 'ListBucketResult', {
    Name: bucket.name,
    Prefix: write(prefix),
    Delimiter: delimiter === '' ? undefined : write(delimiter),
    StartAfter: startAfter === '' ? undefined : write(startAfter),
    ContinuationToken: token ?? undefined,
    NextContinuationToken: page.next && writeToken(page.next),
    KeyCount: page.rows.length + page.prefixes.length,
    MaxKeys: max,
    EncodingType: asked.encoding,
    IsTruncated: page.next !== undefined,
    Contents: contentsOf(store, page.rows, asked, request.query.get('fetch-owner') === 'true'),
    CommonPrefixes: prefixesOf(page.prefixes, asked),
  });
};

export const listObjects = ({ store, request, response }: Exchange): void => {
  const bucket = store.buckets.get(request.bucket);
  const asked = askedOf(request, 'max-keys');
  const { prefix, delimiter, max, write } = asked;
  const marker = request.query.get('marker') ?? '';
  const from = cursorAfter(marker, prefix, delimiter);
  const page = readPage({ prefix, delimiter, max, from }, (cursor, end, limit) =>
    store.versions.objectsFrom(bucket, cursor, end, limit),
  );
  const last = typeof page.last === 'string' ? page.last : page.last?.key;
  answerXml(response, 'ListBucketResult', {
    Name: bucket.name,
    Prefix: write(prefix),
    Marker: write(marker),
    // Without a delimiter clients go on from the last key themselves, as AWS documents.
    NextMarker: page.next && delimiter !== '' && last !== undefined ? write(last) : undefined,
    MaxKeys: max,
    Delimiter: delimiter === '' ? undefined : write(delimiter),
    EncodingType: asked.encoding,
    IsTruncated: page.next !== undefined,
    Contents: contentsOf(store, page.rows, asked, true),
    CommonPrefixes: prefixesOf(page.prefixes, asked),
  });
};

export const listVersions = ({ store, request, response }: Exchange): void => {
  const bucket = store.buckets.get(request.bucket);
  const asked = askedOf(request, 'max-keys');
  const { prefix, delimiter, max, write } = asked;
  const keyMarker = request.query.get('key-marker') ?? '';
  const idMarker = request.query.get('version-id-marker') ?? '';
  if (idMarker && !keyMarker) {
    throw s3Error('InvalidArgument', 'A version-id marker cannot be specified without a key marker.');
  }
  const marked = idMarker ? store.versions.byId(bucket, keyMarker, idMarker) : undefined;
  const from = marked ? { key: keyMarker, sequence: marked.sequence } : cursorAfter(keyMarker, prefix, delimiter);
  const page = readPage({ prefix, delimiter, max, from, withinKey: true }, (cursor, end, limit) =>
    store.versions.versionsFrom(bucket, cursor, end, limit),
  );
  const owner = { ID: store.accountId };
  const told = (version: Version) => ({
    Key: write(version.key),
    VersionId: version.versionId,
    IsLatest: version.current,
    LastModified: iso(version.modified),
    Owner: owner,
  });
  const last = page.next && page.last;
  answerXml(response, 'ListVersionsResult', {
    Name: bucket.name,
    Prefix: write(prefix),
    KeyMarker: write(keyMarker),
    VersionIdMarker: idMarker,
    NextKeyMarker: last && write(typeof last === 'string' ? last : last.key),
    NextVersionIdMarker: last && typeof last !== 'string' ? last.versionId : undefined,
    MaxKeys: max,
    Delimiter: delimiter === '' ? undefined : write(delimiter),
    EncodingType: asked.encoding,
    IsTruncated: page.next !== undefined,
    Version: page.rows
      .filter(({ marker }) => !marker)
      .map((version) => ({
        ...told(version),
        ETag: `"${version.etag}"`,
        ChecksumAlgorithm: version.traits.checksum && apiNameOf(version.traits.checksum.name),
        ChecksumType: version.traits.checksum?.type,
        Size: version.size,
        StorageClass: version.traits.storageClass ?? 'STANDARD',
      })),
    DeleteMarker: page.rows.filter(({ marker }) => marker).map(told),
    CommonPrefixes: prefixesOf(page.prefixes, asked),
  });
};

export const listUploads = ({ store, request, response }: Exchange): void => {
  const bucket = store.buckets.get(request.bucket);
  const asked = askedOf(request, 'max-uploads');
  const { prefix, delimiter, max, write } = asked;
  const keyMarker = request.query.get('key-marker') ?? '';
  const idMarker = request.query.get('upload-id-marker') ?? '';
  const sequence = idMarker && keyMarker ? store.uploads.sequenceOf(bucket, keyMarker, idMarker) : undefined;
  const from = sequence === undefined ? cursorAfter(keyMarker, prefix, delimiter) : { key: keyMarker, sequence };
  const page = readPage({ prefix, delimiter, max, from, withinKey: true }, (cursor, end, limit) =>
    store.uploads.uploadsFrom(bucket, cursor, end, limit),
  );
  const owner = { ID: store.accountId };
  const last = page.next && page.last;
  answerXml(response, 'ListMultipartUploadsResult', {
    Bucket: bucket.name,
    KeyMarker: write(keyMarker),
    UploadIdMarker: idMarker,
    NextKeyMarker: last && write(typeof last === 'string' ? last : last.key),
    NextUploadIdMarker: last && typeof last !== 'string' ? last.id : undefined,
    Prefix: write(prefix),
    Delimiter: delimiter === '' ? undefined : write(delimiter),
    EncodingType: asked.encoding,
    MaxUploads: max,
    IsTruncated: page.next !== undefined,
    Upload: page.rows.map(({ key, id, initiated, description }) => ({
      Key: write(key),
      UploadId: id,
      Initiator: owner,
      Owner: owner,
      StorageClass: description.traits.storageClass ?? 'STANDARD',
      Initiated: iso(initiated),
      ChecksumAlgorithm: description.checksum.asked ? apiNameOf(description.checksum.name) : undefined,
      ChecksumType: description.checksum.asked ? description.checksum.type : undefined,
    })),
    CommonPrefixes: prefixesOf(page.prefixes, asked),
  });
};
