import { createHash } from 'node:crypto';
import { request as startRequest } from 'node:http';
import { text } from 'node:stream/consumers';
import { CreateBucketCommand, GetObjectCommand } from '@aws-sdk/client-s3';
import { Hash } from '@smithy/core/serde';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { credentials, type LaptopS3, startS3 } from './laptop-s3.ts';

const Bucket = 'payloads';
let s3: LaptopS3;
beforeAll(async () => {
  s3 = await startS3();
  await s3.client.send(new CreateBucketCommand({ Bucket }));
});
afterAll(() => s3.remove());

const sha256 = Hash.bind(null, 'sha256');
const signer = new SignatureV4({ service: 's3', region: 'us-east-1', credentials, sha256, uriEscapePath: false });

/** Puts `body` with the headers that a faulty client might sign, which no SDK would send. */
const put = async (key: string, body: string, headers: Record<string, string>): Promise<string> => {
  const { hostname, port } = new URL(s3.endpoint);
  const path = `/${Bucket}/${key}`;
  const request = { method: 'PUT', protocol: 'http:', hostname, port: Number(port), path, query: {} };
  const signed = await signer.sign({ ...request, headers: { host: `${hostname}:${port}`, ...headers } });
  return new Promise((resolve, reject) => {
    const sent = startRequest({ hostname, port, path, method: 'PUT', headers: signed.headers }, (answer) => {
      text(answer).then((document) => resolve(/<Code>(\w+)/.exec(document)?.[1] ?? String(answer.statusCode)), reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
};

const chunked = (length: number): Record<string, string> => ({
  'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
  'content-encoding': 'aws-chunked',
  'x-amz-decoded-content-length': String(length),
  'x-amz-trailer': 'x-amz-checksum-crc32',
});
const body = (checksum: string): string => `5\r\nhello\r\n0\r\n${checksum}\r\n\r\n`;
const right = body('x-amz-checksum-crc32:NhCmhg==');
const plain = (hash: string): Record<string, string> => ({ 'x-amz-content-sha256': hash });
const hashOf = (data: string): string => createHash('sha256').update(data).digest('hex');

describe('a body', () => {
  test.each([
    ['in chunks', right, chunked(5)],
    ['with its hash', 'hello', { ...plain(hashOf('hello')), 'content-length': '5' }],
    ['that nobody hashed', 'hello', { ...plain('UNSIGNED-PAYLOAD'), 'content-length': '5' }],
  ])('%s is stored', async (_what, data, headers) => {
    expect(await put('stored', data, headers)).toBe('200');
    const found = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'stored' }));
    expect([await found.Body?.transformToString(), found.ContentEncoding]).toEqual(['hello', undefined]);
  });

  test.each([
    ['is shorter than it says', right, chunked(6), 'IncompleteBody'],
    ['is longer than it says', right, chunked(4), 'IncompleteBody'],
    ['is cut before its end', right.slice(0, 12), chunked(5), 'IncompleteBody'],
    ['lacks the checksum that it announces', body('x-other:1'), chunked(5), 'IncompleteBody'],
    ['has the checksum of another', body('x-amz-checksum-crc32:AAAAAA=='), chunked(5), 'BadDigest'],
    [
      'is not the one that was signed',
      'hullo',
      { ...plain(hashOf('hello')), 'content-length': '5' },
      'XAmzContentSHA256Mismatch',
    ],
    [
      'has no length',
      'hello',
      { ...plain('UNSIGNED-PAYLOAD'), 'transfer-encoding': 'chunked' },
      'MissingContentLength',
    ],
    ['claims an unknown signature', 'hello', { ...plain('constructor'), 'content-length': '5' }, 'InvalidRequest'],
  ] as const)('that %s is refused and leaves nothing', async (_what, data, headers, code) => {
    expect(await put('refused', data, headers)).toBe(code);
    const found = s3.client.send(new GetObjectCommand({ Bucket, Key: 'refused' }));
    await expect(found).rejects.toMatchObject({ name: 'NoSuchKey' });
  });
});
