import { createHash, createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { s3Error } from './errors.ts';

/** What signs the chunks of one upload: the verified request's key and signature (the seed), see `verifySignature`. */
export interface ChunkSigner {
  readonly signingKey: KeyObject;
  readonly timestamp: string;
  /** `YYYYMMDD/REGION/s3/aws4_request` */
  readonly scope: string;
  readonly seed: string;
}

export interface ChunkDecoder {
  /** Payload bytes inside `data`; views, not copies. Throws IncompleteBody, SignatureDoesNotMatch, InvalidRequest. */
  decode(data: Buffer): Buffer[];
  /** Trailer fields by lower-case name. Throws IncompleteBody unless the last chunk and the trailer have come. */
  finish(): Readonly<Record<string, string>>;
}

/** A chunk header is `<hex>;chunk-signature=<64 hex>`: anything longer than this is not aws-chunked. */
const longestLine = 8 * 1024;

const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');
const emptyHash = sha256('');

/** The chain of chunk signatures: each covers the one before it, so no chunk can be dropped, doubled or moved. */
const startChain = (signer: ChunkSigner) => {
  let previous = signer.seed;
  const check = (algorithm: string, hashes: readonly string[], given: string | undefined): void => {
    const text = [algorithm, signer.timestamp, signer.scope, previous, ...hashes].join('\n');
    const expected = createHmac('sha256', signer.signingKey).update(text).digest();
    const claimed = Buffer.from(given ?? '', 'hex');
    if (claimed.length !== expected.length || !timingSafeEqual(claimed, expected))
      throw s3Error('SignatureDoesNotMatch');
    previous = expected.toString('hex');
  };
  return {
    chunk: (hash: string, given: string | undefined) => check('AWS4-HMAC-SHA256-PAYLOAD', [emptyHash, hash], given),
    trailer: (hash: string, given: string | undefined) => check('AWS4-HMAC-SHA256-TRAILER', [hash], given),
  };
};

const notChunked = () =>
  s3Error('IncompleteBody', 'The body is not aws-chunked as its x-amz-content-sha256 header says.');

/**
 * Decodes aws-chunked bodies in all variants (AWS: "Signature calculations: transferring payload in multiple chunks"):
 * with a `signer` every chunk signature is checked, and the trailer's when `signedTrailer`; without one, chunks carry none.
 */
export const createChunkDecoder = (signer?: ChunkSigner, signedTrailer = false): ChunkDecoder => {
  const chain = signer && startChain(signer);
  const trailers: Record<string, string> = {};
  let state: 'header' | 'data' | 'data end' | 'trailer' | 'done' = 'header';
  let pending: Buffer = Buffer.alloc(0);
  let left = 0;
  let signature: string | undefined;
  let hash = chain && createHash('sha256');

  const endChunk = (): void => {
    chain?.chunk(hash!.digest('hex'), signature);
    hash = chain && createHash('sha256');
  };

  const readHeader = (line: string): void => {
    const match = /^([0-9a-f]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/i.exec(line.trim());
    if (!match) throw notChunked();
    left = Number.parseInt(match[1]!, 16);
    signature = match[2];
    if (left === 0) endChunk();
    state = left === 0 ? 'trailer' : 'data';
  };

  const endTrailer = (): void => {
    const { 'x-amz-trailer-signature': given, ...signed } = trailers;
    if (chain && signedTrailer) {
      const text = Object.entries(signed).map(([name, value]) => `${name}:${value}\n`);
      chain.trailer(sha256(text.join('')), given);
    }
    state = 'done';
  };

  const readTrailer = (line: string): void => {
    if (line === '') return;
    const colon = line.indexOf(':');
    if (colon < 1) throw s3Error('InvalidRequest', `The trailer line "${line.slice(0, 80)}" is not name:value.`);
    trailers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim();
  };

  return {
    decode(data) {
      const payload: Buffer[] = [];
      let rest = pending.length > 0 ? Buffer.concat([pending, data]) : data;
      while (state !== 'done') {
        if (state === 'data') {
          const piece = rest.subarray(0, left);
          if (piece.length > 0) {
            hash?.update(piece);
            payload.push(piece);
            left -= piece.length;
            rest = rest.subarray(piece.length);
          }
          if (left > 0) break;
          endChunk();
          state = 'data end';
        }
        const end = rest.indexOf('\r\n');
        if (end < 0) break;
        const line = rest.toString('latin1', 0, end);
        rest = rest.subarray(end + 2);
        if (state === 'data end') {
          if (line !== '') throw notChunked();
          state = 'header';
        } else if (state === 'header') readHeader(line);
        else readTrailer(line);
      }
      if (rest.length > longestLine && state !== 'data') throw notChunked();
      // A copy, so that a few bytes of a header do not keep a 64 KiB network buffer alive.
      pending = rest.length > 0 ? Buffer.from(rest) : rest;
      return payload;
    },
    finish() {
      if (state !== 'trailer' || pending.length > 0) throw s3Error('IncompleteBody');
      endTrailer();
      return trailers;
    },
  };
};
