import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LaptopS3, startS3 } from './laptop-s3.ts';

const Bucket = 'copies';
let s3: LaptopS3;
beforeAll(async () => {
  s3 = await startS3();
  await s3.client.send(new CreateBucketCommand({ Bucket }));
});
afterAll(() => s3.remove());

const put = (Key: string, Body: string | Buffer, more = {}) =>
  s3.client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
const copy = (from: string, Key: string, more = {}) =>
  s3.client.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/${encodeURIComponent(from)}`, ...more }));
const read = async (Key: string): Promise<Buffer> =>
  Buffer.from(await (await s3.client.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToByteArray());
const files = (): string[] =>
  readdirSync(join(s3.directory, 'blobs'), { recursive: true, encoding: 'utf8' }).filter((name) => name.length > 2);

describe('a copy', () => {
  test('keeps bytes and metadata, or takes new metadata', async () => {
    await put('from é+', 'hello', { Metadata: { a: '1' }, ContentType: 'text/x' });
    await copy('from é+', 'same');
    await copy('from é+', 'other', { MetadataDirective: 'REPLACE', Metadata: { z: '1' } });
    const [same, other] = await Promise.all(
      ['same', 'other'].map((Key) => s3.client.send(new HeadObjectCommand({ Bucket, Key }))),
    );
    expect(same).toMatchObject({ Metadata: { a: '1' }, ContentType: 'text/x', ContentLength: 5 });
    expect(other?.Metadata).toEqual({ z: '1' });
  });

  test('shares the bytes with its source, outlives it, and the last one takes them along', async () => {
    const body = randomBytes(100_000);
    const before = files().length;
    await put('source', body);
    await copy('source', 'copy');
    expect(files().length).toBe(before + 1);
    await s3.client.send(new DeleteObjectCommand({ Bucket, Key: 'source' }));
    expect((await read('copy')).equals(body)).toBe(true);
    await s3.client.send(new DeleteObjectCommand({ Bucket, Key: 'copy' }));
    await expect.poll(() => files().length).toBe(before);
  });

  test('onto itself without a change is refused', async () => {
    await put('self', 'x');
    await expect(copy('self', 'self')).rejects.toMatchObject({ name: 'InvalidRequest' });
    await copy('self', 'self', { MetadataDirective: 'REPLACE', Metadata: { now: 'yes' } });
    expect((await read('self')).toString()).toBe('x');
  });

  test('of nothing, or against its conditions, is refused', async () => {
    await put('conditioned', 'x');
    await expect(copy('nothing', 'to')).rejects.toMatchObject({ name: 'NoSuchKey' });
    await expect(copy('conditioned', 'to', { CopySourceIfMatch: '"other"' })).rejects.toMatchObject({
      name: 'PreconditionFailed',
    });
    const { ETag } = await put('conditioned', 'x');
    await expect(copy('conditioned', 'to', { CopySourceIfNoneMatch: ETag })).rejects.toMatchObject({
      name: 'PreconditionFailed',
    });
  });

  test('can ask for another checksum, which is computed', async () => {
    await put('sums', 'hello');
    const { CopyObjectResult } = await copy('sums', 'sums2', { ChecksumAlgorithm: 'SHA256' });
    expect(CopyObjectResult?.ChecksumSHA256).toBe('LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=');
  });

  test('whose source is replaced while its new checksum is computed is refused rather than given a wrong one', async () => {
    await put('moving', randomBytes(30_000_000));
    const [copied] = await Promise.allSettled([
      copy('moving', 'moved', { ChecksumAlgorithm: 'SHA256' }),
      put('moving', 'other bytes'),
    ]);
    if (copied.status === 'rejected') expect(copied.reason).toMatchObject({ name: 'OperationAborted' });
    else {
      const told = createHash('sha256')
        .update(await read('moved'))
        .digest('base64');
      expect(copied.value.CopyObjectResult?.ChecksumSHA256).toBe(told);
    }
  });
});
