import type { Body } from './blobs.ts';
import { iso } from './buckets.ts';
import { apiNameOf, checksumHeader, checksumMember, startDigest } from './checksums.ts';
import { copySource } from './copies.ts';
import { s3Error } from './errors.ts';
import { answerEmpty, answerXml, type Exchange } from './exchange.ts';
import { receive } from './payload.ts';
import { integerOf } from './request.ts';
import { encryptionHeaders } from './traits.ts';
import type { MultipartUpload } from './upload-rows.ts';
import { mostParts, namedUpload } from './uploads.ts';

const numberOf = ({ request }: Exchange): number => {
  const number = Number(request.query.get('partNumber'));
  if (Number.isInteger(number) && number >= 1 && number <= mostParts) return number;
  throw s3Error('InvalidArgument', `Part number must be an integer between 1 and ${mostParts}, inclusive`, {
    ArgumentName: 'partNumber',
    ArgumentValue: request.query.get('partNumber'),
  });
};

const keepPart = async (exchange: Exchange, body: Body, etag: string, checksum: string): Promise<number> => {
  const { store } = exchange;
  try {
    return await store.commit((garbage) => {
      const { upload } = namedUpload(exchange);
      const modified = store.now();
      const part = {
        number: numberOf(exchange),
        body: store.bodies.add(body),
        size: body.size,
        etag,
        checksum,
        modified,
      };
      store.uploads.putPart(upload, part, garbage);
      return modified;
    });
  } catch (error) {
    if (body.file !== null) store.blobs.remove([body.file]);
    throw error;
  }
};

export const putPart = async (exchange: Exchange): Promise<void> => {
  const { store, request, payload, response } = exchange;
  const { upload } = namedUpload(exchange);
  numberOf(exchange);
  const { checksum: wanted, traits } = upload.description;
  const { body, md5, checksums } = await receive(request, payload, store.blobs.spool(), (sent) => {
    if (wanted.asked && sent !== undefined && sent !== wanted.name) {
      throw s3Error(
        'InvalidRequest',
        `Checksum Type mismatch occurred, expected checksum Type: ${wanted.name}, actual checksum Type: ${sent}`,
      );
    }
    return wanted.name;
  });
  const value = checksums.get(wanted.name)!;
  await keepPart(exchange, body, md5, value);
  answerEmpty(response, 200, {
    etag: `"${md5}"`,
    [checksumHeader(wanted.name)]: value,
    ...encryptionHeaders(traits.encryption),
  });
};

const copiedRange = ({ request }: Exchange, size: number): { start: number; end: number } => {
  const header = request.headers['x-amz-copy-source-range'];
  if (header === undefined) return { start: 0, end: size - 1 };
  const match = /^bytes=(\d+)-(\d+)$/.exec(header);
  const range = { start: Number(match?.[1]), end: Number(match?.[2]) };
  if (match && range.start <= range.end && range.end < size) return range;
  throw s3Error('InvalidArgument', `x-amz-copy-source-range is "${header}"; the object has bytes 0-${size - 1}.`, {
    ArgumentName: 'x-amz-copy-source-range',
    ArgumentValue: header,
  });
};

const copyBytes = async (exchange: Exchange, upload: MultipartUpload) => {
  const { store } = exchange;
  const { version, pieces } = copySource(exchange);
  const { start, end } = copiedRange(exchange, version.size);
  const release = store.blobs.hold(pieces);
  const spool = store.blobs.spool();
  const md5 = startDigest('md5');
  const checksum = startDigest(upload.description.checksum.name);
  try {
    for await (const data of store.blobs.read(pieces, start, end)) {
      md5.update(data);
      checksum.update(data);
      await spool.write([data]);
    }
    const body = await spool.finish();
    return { version, body, etag: md5.finish().toString('hex'), checksum: checksum.finish().toString('base64') };
  } catch (error) {
    await spool.discard();
    throw error;
  } finally {
    release();
  }
};

export const putPartCopy = async (exchange: Exchange): Promise<void> => {
  const { upload } = namedUpload(exchange);
  numberOf(exchange);
  const { version, body, etag, checksum } = await copyBytes(exchange, upload);
  const modified = await keepPart(exchange, body, etag, checksum);
  answerXml(
    exchange.response,
    'CopyPartResult',
    { LastModified: iso(modified), ETag: `"${etag}"`, [checksumMember(upload.description.checksum.name)]: checksum },
    {
      ...encryptionHeaders(upload.description.traits.encryption),
      ...(version.versionId === 'null' ? {} : { 'x-amz-copy-source-version-id': version.versionId }),
    },
  );
};

export const listParts = (exchange: Exchange): void => {
  const { store, request, response } = exchange;
  const { upload } = namedUpload(exchange);
  const after = integerOf(request, 'part-number-marker', { least: 0, most: mostParts, usual: 0 });
  const max = integerOf(request, 'max-parts', { least: 0, most: 1000, usual: 1000 });
  const { checksum, traits } = upload.description;
  const found = store.uploads.partsAfter(upload, after, max + 1);
  const page = found.slice(0, max);
  const owner = { ID: store.accountId };
  answerXml(response, 'ListPartsResult', {
    Bucket: request.bucket,
    Key: request.key,
    UploadId: upload.id,
    Initiator: owner,
    Owner: owner,
    StorageClass: traits.storageClass ?? 'STANDARD',
    PartNumberMarker: after,
    NextPartNumberMarker: page.at(-1)?.number ?? 0,
    MaxParts: max,
    IsTruncated: found.length > max,
    ChecksumAlgorithm: checksum.asked ? apiNameOf(checksum.name) : undefined,
    ChecksumType: checksum.asked ? checksum.type : undefined,
    Part: page.map((part) => ({
      PartNumber: part.number,
      LastModified: iso(part.modified),
      ETag: `"${part.etag}"`,
      Size: part.size,
      [checksumMember(checksum.name)]: part.checksum ?? undefined,
    })),
  });
};
