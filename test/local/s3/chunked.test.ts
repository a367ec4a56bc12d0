import { createHash, createHmac, createSecretKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type ChunkSigner, createChunkDecoder } from '../../../local/s3/chunked.ts';

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');

/** AWS's own example: "Signature calculations: chunked upload", key AKIAIOSFODNN7EXAMPLE. */
const signingKey = createSecretKey(
  ['20130524', 'us-east-1', 's3', 'aws4_request'].reduce<Buffer>(
    (key, part) => createHmac('sha256', key).update(part).digest(),
    Buffer.from('AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'),
  ),
);
const signer: ChunkSigner = {
  signingKey,
  timestamp: '20130524T000000Z',
  scope: '20130524/us-east-1/s3/aws4_request',
  seed: '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
};
const signatures = [
  'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
  '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
  'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
];
const example = (payload = Buffer.alloc(66_560, 'a')): Buffer =>
  Buffer.concat([
    Buffer.from(`10000;chunk-signature=${signatures[0]}\r\n`),
    payload.subarray(0, 65_536),
    Buffer.from(`\r\n400;chunk-signature=${signatures[1]}\r\n`),
    payload.subarray(65_536),
    Buffer.from(`\r\n0;chunk-signature=${signatures[2]}\r\n\r\n`),
  ]);

const decode = (body: Buffer, step: number, decoder = createChunkDecoder()) => {
  const payload: Buffer[] = [];
  for (let at = 0; at < body.length; at += step) payload.push(...decoder.decode(body.subarray(at, at + step)));
  return { trailers: decoder.finish(), payload: Buffer.concat(payload) };
};

const unsigned = Buffer.from('5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32: DUoRhQ==\r\n\r\n');

describe('an aws-chunked body', () => {
  test.each([1, 2, 3, 7, 1000])('without signatures is decoded however the network cuts it: every %i bytes', (step) => {
    const { payload, trailers } = decode(unsigned, step);
    expect(payload.toString()).toBe('hello world');
    expect(trailers).toEqual({ 'x-amz-checksum-crc32': 'DUoRhQ==' });
  });

  test.each([1013, 65_536, 100_000])("with AWS's example signatures is accepted, cut every %i bytes", (step) => {
    expect(decode(example(), step, createChunkDecoder(signer)).payload.length).toBe(66_560);
  });

  test('with one byte changed is refused', () => {
    const payload = Buffer.alloc(66_560, 'a');
    payload[66_000] = 98;
    expect(() => decode(example(payload), 4096, createChunkDecoder(signer))).toThrow(
      expect.objectContaining({ name: 'SignatureDoesNotMatch' }),
    );
  });

  test('whose signed chunks lost their last one is refused', () => {
    const cut = example().subarray(0, -90);
    expect(() => decode(cut, 4096, createChunkDecoder(signer))).toThrow(
      expect.objectContaining({ name: 'IncompleteBody' }),
    );
  });

  test('that is signed by nobody is refused where signatures are announced', () => {
    expect(() => decode(unsigned, 100, createChunkDecoder(signer))).toThrow(
      expect.objectContaining({ name: 'SignatureDoesNotMatch' }),
    );
  });

  test.each([
    ['right', 'sOO8/Q==', undefined],
    ['forged', 'AAAAAA==', 'SignatureDoesNotMatch'],
  ])('with a signed trailer that is %s', (_what, sent, refusal) => {
    const sign = (algorithm: string, previous: string, ...hashes: string[]): string =>
      createHmac('sha256', signingKey)
        .update([algorithm, signer.timestamp, signer.scope, previous, ...hashes].join('\n'))
        .digest('hex');
    const last = sign('AWS4-HMAC-SHA256-PAYLOAD', signer.seed, sha256(''), sha256(''));
    const trailer = sign('AWS4-HMAC-SHA256-TRAILER', last, sha256('x-amz-checksum-crc32c:sOO8/Q==\n'));
    const body = Buffer.from(
      `0;chunk-signature=${last}\r\nx-amz-checksum-crc32c:${sent}\r\nx-amz-trailer-signature:${trailer}\r\n\r\n`,
    );
    const read = () => decode(body, 50, createChunkDecoder(signer, true)).trailers;
    if (refusal) expect(read).toThrow(expect.objectContaining({ name: refusal }));
    else expect(read()).toMatchObject({ 'x-amz-checksum-crc32c': sent });
  });

  test('that is none is refused instead of being stored with its framing', () => {
    expect(() => decode(Buffer.from('just bytes\r\n'), 100)).toThrow(
      expect.objectContaining({ name: 'IncompleteBody' }),
    );
    expect(() => decode(Buffer.alloc(10_000, 'x'), 4096)).toThrow(expect.objectContaining({ name: 'IncompleteBody' }));
  });
});
