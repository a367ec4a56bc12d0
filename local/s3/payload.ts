import type { Body, Spool } from './blobs.ts';
import { announcedChecksums, type ChecksumName, checksumHeader, givenChecksums, startDigest } from './checksums.ts';
import { type ChunkSigner, createChunkDecoder } from './chunked.ts';
import { s3Error } from './errors.ts';
import type { S3Request } from './request.ts';

/** How the body of a request is framed, and what its signature covers. */
export type Payload =
  | { readonly chunked: false; readonly sha256: string | undefined }
  | { readonly chunked: true; readonly signer: ChunkSigner | undefined; readonly signedTrailer: boolean };

export interface Received {
  readonly body: Body;
  /** Hex, what an ETag is made of. */
  readonly md5: string;
  /** Base64 by algorithm: those that the client sent, and those in `wanted`. */
  readonly checksums: ReadonlyMap<ChecksumName, string>;
  /** The algorithm of the checksum that the client sent, if it sent one. */
  readonly sent: ChecksumName | undefined;
}

/** AWS's limit of one PUT. */
const largestBody = 5 * 1024 ** 3;

const expectedLength = ({ headers }: S3Request, payload: Payload): number => {
  const text = payload.chunked ? headers['x-amz-decoded-content-length'] : headers['content-length'];
  if (text === undefined && (payload.chunked || headers['transfer-encoding'])) throw s3Error('MissingContentLength');
  const length = Number(text ?? 0);
  if (!Number.isSafeInteger(length) || length < 0) {
    throw s3Error('InvalidArgument', `The length of the body is "${text}"; give an integer of 0 or more.`);
  }
  if (length > largestBody) {
    throw s3Error('EntityTooLarge', undefined, { ProposedSize: length, MaxSizeAllowed: largestBody });
  }
  return length;
};

const verify = (
  request: S3Request,
  payload: Payload,
  found: ReadonlyMap<ChecksumName, string>,
  trailers: Readonly<Record<string, string>>,
): void => {
  const given = [...givenChecksums(request.headers), ...givenChecksums(trailers)];
  for (const { name, value } of given) {
    if (found.get(name) !== value) {
      throw s3Error(
        'BadDigest',
        `The ${name.toUpperCase()} you specified, ${value}, did not match the calculated checksum ${found.get(name) ?? '(not announced)'}.`,
      );
    }
  }
  for (const name of announcedChecksums(request.headers)) {
    if (trailers[checksumHeader(name)] === undefined) {
      throw s3Error('IncompleteBody', `The announced trailer ${checksumHeader(name)} did not come.`);
    }
  }
  const md5 = request.headers['content-md5'];
  if (md5 !== undefined && md5 !== found.get('md5')) {
    throw s3Error(Buffer.from(md5, 'base64').length === 16 ? 'BadDigest' : 'InvalidDigest');
  }
  if (payload.chunked || payload.sha256 === undefined) return;
  const computed = Buffer.from(found.get('sha256')!, 'base64').toString('hex');
  if (computed !== payload.sha256) {
    throw s3Error('XAmzContentSHA256Mismatch', undefined, {
      ClientComputedContentSHA256: payload.sha256,
      S3ComputedContentSHA256: computed,
    });
  }
};

/**
 * Receives the body of a request into a spool while hashing it once per algorithm in play, and verifies whatever the
 * client sent: length, chunk signatures, MD5, SHA-256, checksums in headers and trailers. Holds a few MB at most, whatever
 * the size. On any fault the spool is discarded. Throws BadDigest, IncompleteBody, XAmzContentSHA256Mismatch and others.
 */
export const receive = async (
  request: S3Request,
  payload: Payload,
  spool: Spool,
  wanted?: (sent: ChecksumName | undefined) => ChecksumName,
): Promise<Received> => {
  try {
    const length = expectedLength(request, payload);
    const sent = givenChecksums(request.headers)[0]?.name ?? announcedChecksums(request.headers)[0];
    const names = new Set<ChecksumName>(['md5', ...givenChecksums(request.headers).map(({ name }) => name)]);
    for (const name of announcedChecksums(request.headers)) names.add(name);
    if (wanted) names.add(wanted(sent));
    if (!payload.chunked && payload.sha256 !== undefined) names.add('sha256');
    const digests = [...names].map((name) => ({ name, digest: startDigest(name) }));
    const decoder = payload.chunked ? createChunkDecoder(payload.signer, payload.signedTrailer) : undefined;
    let size = 0;
    for await (const data of request.message as AsyncIterable<Buffer>) {
      const chunks = decoder ? decoder.decode(data) : [data];
      for (const chunk of chunks) {
        size += chunk.length;
        for (const { digest } of digests) digest.update(chunk);
      }
      if (size > length) throw s3Error('IncompleteBody');
      const room = spool.write(chunks);
      if (room) await room;
    }
    if (size !== length) throw s3Error('IncompleteBody');
    const trailers = decoder?.finish() ?? {};
    const checksums = new Map(digests.map(({ name, digest }) => [name, digest.finish()]));
    const md5 = checksums.get('md5')!.toString('hex');
    const found = new Map([...checksums].map(([name, bytes]) => [name, bytes.toString('base64')]));
    verify(request, payload, found, trailers);
    return { body: await spool.finish(), md5, checksums: found, sent };
  } catch (error) {
    await spool.discard();
    throw error;
  }
};

/** 1,000 keys of 1,024 bytes, all escaped, with tags around them: the largest document that S3 defines fits. */
const largestDocument = 8 * 1024 ** 2;

/** Receives a small body, an XML or JSON document, as text, verified like any other. Throws EntityTooLarge as well. */
export const receiveText = async (request: S3Request, payload: Payload): Promise<string> => {
  const kept: Buffer[] = [];
  let size = 0;
  await receive(request, payload, {
    write: (chunks) => {
      for (const chunk of chunks) {
        size += chunk.length;
        kept.push(chunk);
      }
      if (size > largestDocument) throw s3Error('EntityTooLarge', undefined, { MaxSizeAllowed: largestDocument });
      return undefined;
    },
    finish: async () => ({ size, file: null, bytes: null }),
    discard: async () => undefined,
  });
  return Buffer.concat(kept).toString('utf8');
};
