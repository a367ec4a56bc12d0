import type { Piece } from './body-rows.ts';
import { iso } from './buckets.ts';
import { type Checksum, checksumNamed, startDigest } from './checksums.ts';
import { checkCopySource, checkWrite } from './conditions.ts';
import { s3Error } from './errors.ts';
import { answerXml, type Exchange } from './exchange.ts';
import { lockOf } from './locks.ts';
import { existing, versionHeader } from './objects.ts';
import { tagsOfHeader } from './tags.ts';
import { checksumMembers, encryptionHeaders, encryptionOf, repeatedHeaders, storageClassOf } from './traits.ts';
import type { Version } from './version-rows.ts';

/** `x-amz-copy-source`: `[/]bucket/key[?versionId=id]`, percent-encoded. */
const sourceOf = (header: string): { bucket: string; key: string; versionId: string | null } => {
  const [path, query] = header.replace(/^\//, '').split(/\?(?=versionId=)/);
  const slash = path!.indexOf('/');
  try {
    const key = decodeURIComponent(path!.slice(slash + 1));
    if (slash < 1 || key === '') throw new URIError('no key');
    const bucket = decodeURIComponent(path!.slice(0, slash));
    return { bucket, key, versionId: query ? decodeURIComponent(query.slice('versionId='.length)) : null };
  } catch {
    throw s3Error('InvalidArgument', `x-amz-copy-source is "${header}"; give bucket/key, percent-encoded.`);
  }
};

/** The version that a copy reads, with its conditions checked. Throws NoSuchKey, PreconditionFailed. */
export const copySource = ({ store, request }: Exchange): { version: Version; pieces: Piece[] } => {
  const { bucket, key, versionId } = sourceOf(request.headers['x-amz-copy-source']!);
  const version = store.versions.get(store.buckets.get(bucket), key, versionId);
  if (version.marker) {
    if (versionId === null) throw s3Error('NoSuchKey', undefined, { Key: key });
    throw s3Error(
      'InvalidRequest',
      'The source of a copy request may not specifically refer to a delete marker by version id.',
    );
  }
  checkCopySource(request.headers, version);
  return { version, pieces: store.bodies.piecesOf(version.sequence) };
};

/** A checksum by an algorithm that the source does not have yet: the only case in which a copy reads the bytes. */
const askedChecksum = async (exchange: Exchange): Promise<{ of: number; checksum: Checksum } | undefined> => {
  const { store, request } = exchange;
  const { version, pieces } = copySource(exchange);
  const asked = request.headers['x-amz-checksum-algorithm'];
  const name = asked === undefined ? undefined : checksumNamed(asked);
  if (name === undefined || name === version.traits.checksum?.name) return undefined;
  const digest = startDigest(name);
  const release = store.blobs.hold(pieces);
  try {
    for await (const data of store.blobs.read(pieces, 0, version.size - 1)) digest.update(data);
  } finally {
    release();
  }
  const value = digest.finish().toString('base64');
  return { of: version.sequence, checksum: { name, value, type: 'FULL_OBJECT' } };
};

const replaces = (directive: string | undefined, header: string): boolean => {
  if (directive !== undefined && directive !== 'COPY' && directive !== 'REPLACE') {
    throw s3Error('InvalidArgument', `${header} is "${directive}"; give COPY or REPLACE.`);
  }
  return directive === 'REPLACE';
};

const changing = ['x-amz-storage-class', 'x-amz-server-side-encryption', 'x-amz-website-redirect-location'];

/** Copies an object without copying its bytes: both versions refer to the same bodies. */
export const copyObject = async (exchange: Exchange): Promise<void> => {
  const { store, request, response } = exchange;
  const { key, headers } = request;
  const newHeaders = replaces(headers['x-amz-metadata-directive'], 'x-amz-metadata-directive');
  const newTags = replaces(headers['x-amz-tagging-directive'], 'x-amz-tagging-directive');
  const from = sourceOf(headers['x-amz-copy-source']!);
  const toItself = from.bucket === request.bucket && from.key === key && from.versionId === null;
  if (toItself && !newHeaders && !changing.some((name) => headers[name] !== undefined)) {
    throw s3Error(
      'InvalidRequest',
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    );
  }
  const computed = await askedChecksum(exchange);
  const copy = await store.commit((garbage) => {
    const bucket = store.buckets.get(request.bucket);
    const { version: source, pieces } = copySource(exchange);
    if (computed && computed.of !== source.sequence)
      throw s3Error('OperationAborted', 'The source of the copy was replaced.');
    checkWrite(headers, existing(store.versions.current(bucket, key)), key);
    const modified = store.now();
    for (const piece of pieces) store.bodies.reuse(piece.id);
    const { parts } = source.traits;
    const checksum = computed?.checksum ?? source.traits.checksum;
    const traits = {
      headers: newHeaders ? repeatedHeaders(headers) : source.traits.headers,
      encryption: encryptionOf(headers, bucket.encryption),
      ...storageClassOf(headers),
      ...(checksum ? { checksum } : {}),
      ...(parts ? { parts } : {}),
    };
    const tags = newTags ? tagsOfHeader(headers['x-amz-tagging']) : source.tags;
    const lock = lockOf(headers, bucket, modified);
    const { size, etag } = source;
    const kept = pieces.map(({ id, checksum }) => ({ body: id, checksum }));
    const version = { key, size, etag, modified, traits, tags, lock, pieces: kept };
    return { source, etag, modified, traits, versionId: store.versions.add(bucket, version, garbage) };
  });
  answerXml(
    response,
    'CopyObjectResult',
    { LastModified: iso(copy.modified), ETag: `"${copy.etag}"`, ...checksumMembers(copy.traits.checksum) },
    {
      ...encryptionHeaders(copy.traits.encryption),
      ...versionHeader(copy.versionId),
      ...(copy.source.versionId === 'null' ? {} : { 'x-amz-copy-source-version-id': copy.source.versionId }),
    },
  );
};
