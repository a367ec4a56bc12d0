import { createHash } from 'node:crypto';
import type { Bucket } from './bucket-rows.ts';
import {
  apiNameOf,
  type Checksum,
  checksumHeader,
  checksumMember,
  checksumNamed,
  checksumOfParts,
  checksumTypeFor,
} from './checksums.ts';
import { checkWrite } from './conditions.ts';
import { s3Error } from './errors.ts';
import { answerEmpty, answerXml, type Exchange, receiveXml } from './exchange.ts';
import { lockOf } from './locks.ts';
import { existing, versionHeader } from './objects.ts';
import { tagsOfHeader } from './tags.ts';
import { checksumMembers, encryptionHeaders, encryptionOf, repeatedHeaders, storageClassOf } from './traits.ts';
import type { MultipartUpload, Part } from './upload-rows.ts';
import type { Version } from './version-rows.ts';
import { childrenNamed, textOf, type XmlElement } from './xml.ts';

export const mostParts = 10_000;
const leastPartSize = 5 * 1024 ** 2;

/** The upload that a request names. Throws NoSuchUpload, NoSuchBucket. */
export const namedUpload = ({ store, request }: Exchange): { bucket: Bucket; upload: MultipartUpload } => {
  const bucket = store.buckets.get(request.bucket);
  return { bucket, upload: store.uploads.get(bucket, request.key, request.query.get('uploadId')!) };
};

export const createUpload = async ({ store, request, response }: Exchange): Promise<void> => {
  const { key, headers } = request;
  const asked = headers['x-amz-checksum-algorithm'];
  const name = asked === undefined ? 'crc64nvme' : checksumNamed(asked);
  const type = checksumTypeFor(name, headers['x-amz-checksum-type']);
  const encryption = encryptionOf(headers, store.buckets.get(request.bucket).encryption);
  const traits = { headers: repeatedHeaders(headers), encryption, ...storageClassOf(headers) };
  const tags = tagsOfHeader(headers['x-amz-tagging']);
  const id = await store.commit(() => {
    const bucket = store.buckets.get(request.bucket);
    const lock = lockOf(headers, bucket, store.now());
    const checksum = { name, type, asked: asked !== undefined };
    return store.uploads.add(bucket, key, store.now(), { traits, tags, lock, checksum });
  });
  answerXml(
    response,
    'InitiateMultipartUploadResult',
    { Bucket: request.bucket, Key: key, UploadId: id },
    {
      ...encryptionHeaders(encryption),
      ...(asked === undefined ? {} : { 'x-amz-checksum-algorithm': apiNameOf(name), 'x-amz-checksum-type': type }),
    },
  );
};

export const abortUpload = async (exchange: Exchange): Promise<void> => {
  await exchange.store.commit((garbage) => {
    exchange.store.uploads.remove(namedUpload(exchange).upload, new Set(), garbage);
  });
  answerEmpty(exchange.response, 204);
};

/** Matches the parts that the client lists against those that came. Throws InvalidPart, InvalidPartOrder, EntityTooSmall. */
const listedParts = (document: XmlElement, upload: MultipartUpload, uploaded: readonly Part[]): Part[] => {
  const byNumber = new Map(uploaded.map((part) => [part.number, part]));
  const member = checksumMember(upload.description.checksum.name);
  const listed = childrenNamed(document, 'Part');
  if (listed.length === 0) throw s3Error('MalformedXML', 'You must specify at least one part');
  const numbers = listed.map((element) => Number(textOf(element, 'PartNumber')));
  if (numbers.some((number, index) => index > 0 && number <= numbers[index - 1]!)) {
    throw s3Error('InvalidPartOrder', undefined, { UploadId: upload.id });
  }
  const parts = listed.map((element, index) => {
    const part = byNumber.get(numbers[index]!);
    const etag = (textOf(element, 'ETag') ?? '').replaceAll('"', '');
    const checksum = textOf(element, member);
    if (part && part.etag === etag && (checksum === undefined || checksum === part.checksum)) return part;
    throw s3Error('InvalidPart', undefined, { UploadId: upload.id, PartNumber: numbers[index], ETag: etag });
  });
  const small = parts.slice(0, -1).find(({ size }) => size < leastPartSize);
  if (!small) return parts;
  throw s3Error('EntityTooSmall', undefined, {
    ProposedSize: small.size,
    MinSizeAllowed: leastPartSize,
    PartNumber: small.number,
    ETag: small.etag,
  });
};

/** MD5 over the MD5s of the parts, and how many: what a multipart ETag is on AWS. */
const etagOfParts = (parts: readonly Part[]): string => {
  const hash = createHash('md5');
  for (const { etag } of parts) hash.update(etag, 'hex');
  return `${hash.digest('hex')}-${parts.length}`;
};

const checksumOf = (upload: MultipartUpload, parts: readonly Part[]): Checksum => {
  const { name, type } = upload.description.checksum;
  return checksumOfParts(
    name,
    type,
    parts.map(({ checksum, size }) => ({ checksum: checksum!, size })),
  );
};

/**
 * What this upload was completed to, if it is still the current object: a client whose connection broke before the answer
 * came asks again, and AWS answers it as the first time.
 */
const completedBefore = ({ store, request }: Exchange): Version | undefined => {
  const bucket = store.buckets.get(request.bucket);
  const current = store.versions.current(bucket, request.key);
  return current?.traits.upload === request.query.get('uploadId') ? current : undefined;
};

/**
 * Turns the parts into the object: its manifest. No byte is moved, so a 5 TB upload completes as fast as a small one, and
 * a crash leaves either the upload or the object. Throws as `listedParts`, and PreconditionFailed, BadDigest.
 */
export const completeUpload = async (exchange: Exchange): Promise<void> => {
  const { store, request, response } = exchange;
  const { key, headers } = request;
  const document = await receiveXml(exchange, 'CompleteMultipartUpload');
  const done = await store.commit((garbage) => {
    const again = completedBefore(exchange);
    if (again) return again;
    const { bucket, upload } = namedUpload(exchange);
    const parts = listedParts(document, upload, store.uploads.partsAfter(upload, 0, mostParts));
    checkWrite(headers, existing(store.versions.current(bucket, key)), key);
    const size = parts.reduce((sum, part) => sum + part.size, 0);
    const expected = headers['x-amz-mp-object-size'];
    if (expected !== undefined && Number(expected) !== size) {
      throw s3Error('InvalidRequest', `x-amz-mp-object-size is ${expected}, but the parts have ${size} bytes.`);
    }
    const checksum = checksumOf(upload, parts);
    const given = headers[checksumHeader(checksum.name)];
    if (given !== undefined && given !== checksum.value) {
      throw s3Error(
        'BadDigest',
        `The ${checksum.name} you specified, ${given}, is not the object's, ${checksum.value}.`,
      );
    }
    const { traits: said, tags, lock } = upload.description;
    const traits = { ...said, checksum, parts: parts.length, upload: upload.id };
    const etag = etagOfParts(parts);
    store.uploads.remove(upload, new Set(parts.map(({ body }) => body)), garbage);
    const pieces = parts.map((part) => ({ body: part.body, checksum: part.checksum }));
    const version = { key, size, etag, modified: store.now(), traits, tags, lock, pieces };
    return { etag, traits, versionId: store.versions.add(bucket, version, garbage) };
  });
  answerXml(
    response,
    'CompleteMultipartUploadResult',
    {
      Location: `/${request.bucket}/${encodeURIComponent(key)}`,
      Bucket: request.bucket,
      Key: key,
      ETag: `"${done.etag}"`,
      ...checksumMembers(done.traits.checksum),
    },
    { ...encryptionHeaders(done.traits.encryption), ...versionHeader(done.versionId) },
  );
};
