import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { credentials, type LaptopS3, startS3 } from './laptop-s3.ts';

const Bucket = 'signed';
let s3: LaptopS3;
beforeAll(async () => {
  s3 = await startS3();
  await s3.client.send(new CreateBucketCommand({ Bucket }));
  await s3.client.send(new PutObjectCommand({ Bucket, Key: 'a/1 +é.txt', Body: 'hello' }));
  await s3.client.send(new PutObjectCommand({ Bucket, Key: 'other', Body: 'secret' }));
});
afterAll(() => s3.remove());

const urlOf = (Key = 'a/1 +é.txt', more = {}, signing = {}) =>
  getSignedUrl(s3.client, new GetObjectCommand({ Bucket, Key, ...more }), { expiresIn: 60, ...signing });

describe('a presigned URL', () => {
  test('reads, with the headers that it asks for', async () => {
    const answer = await fetch(await urlOf(undefined, { ResponseContentDisposition: 'attachment; filename="x"' }));
    expect([answer.status, await answer.text()]).toEqual([200, 'hello']);
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="x"');
  });

  test('writes, although the SDK signed the checksum of an empty body into it', async () => {
    const url = await getSignedUrl(s3.client, new PutObjectCommand({ Bucket, Key: 'put' }), { expiresIn: 60 });
    expect(url).toContain('x-amz-checksum-crc32=AAAAAA');
    expect((await fetch(url, { method: 'PUT', body: 'from a browser' })).status).toBe(200);
    const found = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'put' }));
    expect(await found.Body?.transformToString()).toBe('from a browser');
  });

  test('is refused once it has expired', async () => {
    const signingDate = new Date(Date.now() - 120_000);
    const answer = await fetch(await urlOf(undefined, {}, { signingDate }));
    expect(answer.status).toBe(403);
    expect(await answer.text()).toContain('<Code>AccessDenied</Code><Message>Request has expired');
  });

  test('opens no other object and no other method', async () => {
    const url = await urlOf('other');
    expect((await fetch(url.replace('/other?', '/a/1?'))).status).toBe(403);
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(403);
    expect((await fetch(`${url}&versionId=x`)).status).toBe(403);
  });
});

describe('a request', () => {
  test.each([
    ['a wrong secret', { ...credentials, secretAccessKey: 'wrong' }, 'SignatureDoesNotMatch'],
    ['an unknown key', { ...credentials, accessKeyId: 'AKIAUNKNOWN000000000' }, 'InvalidAccessKeyId'],
    ['a token that the key has not', { ...credentials, sessionToken: 'made up' }, 'InvalidToken'],
  ])('with %s is refused', async (_what, wrong, name) => {
    const client = s3.connect({ credentials: wrong });
    await expect(client.send(new GetObjectCommand({ Bucket, Key: 'other' }))).rejects.toMatchObject({ name });
  });

  test('without a signature is refused', async () => {
    const answer = await fetch(`${s3.endpoint}/${Bucket}/other`);
    expect(answer.status).toBe(403);
    expect(await answer.text()).toContain('<Code>AccessDenied</Code>');
  });

  test('signed with version 2, as `aws s3 presign` may do, is told what to use', async () => {
    const answer = await fetch(`${s3.endpoint}/${Bucket}/other?AWSAccessKeyId=x&Signature=y&Expires=1`);
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('AWS4-HMAC-SHA256');
  });

  test('that was refused leaves the connection usable for the next', async () => {
    const body = Buffer.alloc(3_000_000);
    const refused = s3.client.send(new PutObjectCommand({ Bucket: 'nowhere', Key: 'k', Body: body }));
    await expect(refused).rejects.toMatchObject({ name: 'NoSuchBucket' });
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'next', Body: body }));
  });
});
