import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  type ChecksumAlgorithm,
  CreateBucketCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  PutObjectTaggingCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accountId, type LaptopS3, startS3 } from './laptop-s3.ts';

const Bucket = 'objects';
let s3: LaptopS3;
beforeAll(async () => {
  s3 = await startS3();
  await s3.client.send(new CreateBucketCommand({ Bucket }));
});
afterAll(() => s3.remove());

const put = (Key: string, Body: string | Buffer | Readable, more = {}) =>
  s3.client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
const get = (Key: string, more = {}) => s3.client.send(new GetObjectCommand({ Bucket, Key, ...more }));
const bytesOf = async (Key: string, more = {}): Promise<Buffer> =>
  Buffer.from(await (await get(Key, more)).Body!.transformToByteArray());

describe('an object', () => {
  test('comes back with its bytes, type and metadata', async () => {
    await put('a/1.txt', 'hello', { Metadata: { tenant: 't1' }, ContentType: 'text/x', CacheControl: 'no-store' });
    const found = await get('a/1.txt');
    expect(await found.Body?.transformToString()).toBe('hello');
    expect(found).toMatchObject({
      ContentType: 'text/x',
      CacheControl: 'no-store',
      Metadata: { tenant: 't1' },
      ContentLength: 5,
      ETag: '"5d41402abc4b2a76b9719d911017c592"',
    });
  });

  test.each([0, 1, 32_768, 32_769, 1_048_576, 3_000_001])('of %i bytes comes back bit for bit', async (size) => {
    const body = randomBytes(size);
    await put(`size/${size}`, body);
    expect((await bytesOf(`size/${size}`)).equals(body)).toBe(true);
  });

  test('sent as a stream is stored without the framing of aws-chunked', async () => {
    const body = randomBytes(100_000);
    const chunks = Readable.from([body.subarray(0, 50_000), body.subarray(50_000)]);
    await put('stream', chunks, { ContentLength: body.length });
    const found = await get('stream');
    expect(Buffer.from(await found.Body!.transformToByteArray()).equals(body)).toBe(true);
    expect(found.ContentEncoding).toBeUndefined();
  });

  test.each([
    ['..', '../..', './a', 'a/../b', '/', '//', '/lead', 'trail/', 'a//b'],
    ['s p/+é%20&=.txt', '%2F', '%', '+', 'a+b c', '?x=1&versions', '#frag', "it's(*)!~", '\\', '<&">'],
    ['üñí😀/日本', '\u{ff5e}', 'e\u0301', 'é', '__proto__', 'constructor', '\t', 'x'.repeat(1024), 'é'.repeat(512)],
  ])('keeps odd keys apart and bit-exact: %s and others', async (...keys) => {
    await Promise.all(keys.map((key) => put(key, `body of ${key}`)));
    for (const key of keys) expect((await bytesOf(key)).toString()).toBe(`body of ${key}`);
    const listed = await s3.client.send(new ListObjectsV2Command({ Bucket }));
    expect(listed.Contents?.map(({ Key }) => Key)).toEqual(expect.arrayContaining(keys));
  });

  test('may have a key that is the beginning of another', async () => {
    await put('pp', '1');
    await put('pp/q', '2');
    expect([await bytesOf('pp'), await bytesOf('pp/q')].map(String)).toEqual(['1', '2']);
  });

  test('with a key of more than 1024 bytes is refused', async () => {
    await expect(put('é'.repeat(513), 'x')).rejects.toMatchObject({ name: 'KeyTooLongError' });
  });

  test('that does not exist is NoSuchKey to GET and NotFound to HEAD', async () => {
    await expect(get('none')).rejects.toMatchObject({ name: 'NoSuchKey', Key: 'none' });
    await expect(s3.client.send(new HeadObjectCommand({ Bucket, Key: 'none' }))).rejects.toMatchObject({
      name: 'NotFound',
    });
  });

  test('replaced while it is read slowly is read whole', async () => {
    const old = randomBytes(4_000_000);
    await put('replaced', old);
    const reading = await get('replaced');
    const stream = reading.Body as Readable;
    const first = await new Promise<Buffer>((resolve) => stream.once('data', (data: Buffer) => resolve(data)));
    stream.pause();
    await put('replaced', 'new');
    const rest = await stream.toArray();
    expect(Buffer.concat([first, ...rest]).equals(old)).toBe(true);
    expect((await bytesOf('replaced')).toString()).toBe('new');
  });

  test('is not served to callers that expect another owner', async () => {
    await put('owned', 'x');
    expect((await bytesOf('owned', { ExpectedBucketOwner: accountId })).toString()).toBe('x');
    await expect(get('owned', { ExpectedBucketOwner: '999999999999' })).rejects.toMatchObject({ name: 'AccessDenied' });
  });

  test('carries tags from its PUT or put later, ten at most', async () => {
    const tags = () => s3.client.send(new GetObjectTaggingCommand({ Bucket, Key: 'tagged' }));
    await put('tagged', '1', { Tagging: 'k=v%20w&empty=' });
    expect((await tags()).TagSet).toEqual([
      { Key: 'k', Value: 'v w' },
      { Key: 'empty', Value: '' },
    ]);
    const set = (count: number) => Array.from({ length: count }, (_, index) => ({ Key: `k${index}`, Value: '<&>' }));
    await s3.client.send(new PutObjectTaggingCommand({ Bucket, Key: 'tagged', Tagging: { TagSet: set(2) } }));
    expect((await tags()).TagSet).toEqual(set(2));
    expect((await bytesOf('tagged')).toString()).toBe('1');
    const many = s3.client.send(new PutObjectTaggingCommand({ Bucket, Key: 'tagged', Tagging: { TagSet: set(11) } }));
    await expect(many).rejects.toMatchObject({ name: 'InvalidTag' });
  });

  test('tells its encryption: AES256 always, KMS where asked for', async () => {
    expect((await put('sse', '1')).ServerSideEncryption).toBe('AES256');
    await put('kms', '1', { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'arn:aws:kms:us-east-1:1:key/x' });
    const told = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'kms' }));
    expect(told).toMatchObject({ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'arn:aws:kms:us-east-1:1:key/x' });
    await expect(
      put('ssec', '1', { SSECustomerAlgorithm: 'AES256', SSECustomerKey: 'k'.repeat(32) }),
    ).rejects.toMatchObject({
      name: 'NotImplemented',
    });
  });

  test('tells its attributes', async () => {
    await put('attributes', 'hello');
    const asked = { Bucket, Key: 'attributes', ObjectAttributes: ['ObjectSize', 'ETag', 'Checksum', 'StorageClass'] };
    const told = await s3.client.send(new GetObjectAttributesCommand(asked as never));
    expect(told).toMatchObject({ ObjectSize: 5, ETag: '5d41402abc4b2a76b9719d911017c592', StorageClass: 'STANDARD' });
    expect(told.Checksum).toMatchObject({ ChecksumCRC32: 'NhCmhg==', ChecksumType: 'FULL_OBJECT' });
  });
});

describe('a range', () => {
  const body = randomBytes(300_000);
  beforeAll(() => put('ranged', body));

  test.each([
    ['bytes=0-0', 0, 1],
    ['bytes=100-199', 100, 200],
    ['bytes=131070-262146', 131_070, 262_147],
    ['bytes=299990-', 299_990, 300_000],
    ['bytes=-2', 299_998, 300_000],
    ['bytes=-999999999', 0, 300_000],
    ['bytes=299999-999999999', 299_999, 300_000],
  ])('%s gives exactly those bytes', async (Range, start, end) => {
    const found = await get('ranged', { Range });
    expect(Buffer.from(await found.Body!.transformToByteArray()).equals(body.subarray(start, end))).toBe(true);
    expect(found.ContentRange).toBe(`bytes ${start}-${end - 1}/300000`);
    expect(found.$metadata.httpStatusCode).toBe(206);
  });

  test.each(['bytes=300000-', 'bytes=-0'])('%s, of which no byte exists, is refused', async (Range) => {
    await expect(get('ranged', { Range })).rejects.toMatchObject({ name: 'InvalidRange' });
  });

  test('that is not understood gives the whole object', async () => {
    expect((await bytesOf('ranged', { Range: 'bytes=5-2' })).length).toBe(300_000);
  });
});

describe('a checksum', () => {
  test.each([
    ['CRC32', 'NhCmhg=='],
    ['CRC32C', 'mnG7TA=='],
    ['CRC64NVME', 'M3eFcAZSQlc='],
    ['SHA1', 'qvTGHdzF6KLavt4PO0gs2a6pQ00='],
    ['SHA256', 'LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ='],
    ['SHA512', createHash('sha512').update('hello').digest('base64')],
    ['MD5', 'XUFAKrxLKna5cZ2REBfFkg=='],
  ])('%s is verified and told again', async (name, value) => {
    const member = `Checksum${name}`;
    await put(`sum/${name}`, 'hello', { [member]: value });
    const told = await s3.client.send(new HeadObjectCommand({ Bucket, Key: `sum/${name}`, ChecksumMode: 'ENABLED' }));
    expect(told).toMatchObject({ [member]: value, ChecksumType: 'FULL_OBJECT' });
    await expect(put('wrong', 'hullo', { [member]: value })).rejects.toMatchObject({ name: 'BadDigest' });
    await expect(get('wrong')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  test.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'])('%s computed by the SDK matches ours', async (name) => {
    const ChecksumAlgorithm = name as ChecksumAlgorithm;
    await put(`stream/${name}`, Readable.from([randomBytes(70_000)]), { ContentLength: 70_000, ChecksumAlgorithm });
    expect((await bytesOf(`stream/${name}`, { ChecksumMode: 'ENABLED' })).length).toBe(70_000);
  });

  test('of an algorithm that is not implemented is refused by name', async () => {
    const sent = put('xx', 'hello', { ChecksumXXHASH64: 'AAAAAAAAAAA=' });
    await expect(sent).rejects.toMatchObject({ name: 'NotImplemented', message: expect.stringContaining('xxhash64') });
  });

  test('in Content-MD5 is verified', async () => {
    await put('md5', 'hello', { ContentMD5: 'XUFAKrxLKna5cZ2REBfFkg==' });
    await expect(put('md5', 'hullo', { ContentMD5: 'XUFAKrxLKna5cZ2REBfFkg==' })).rejects.toMatchObject({
      name: 'BadDigest',
    });
    await expect(put('md5', 'hullo', { ContentMD5: 'AAAA' })).rejects.toMatchObject({ name: 'InvalidDigest' });
  });
});

describe('the store inside the process', () => {
  test('reads, writes and lists the same objects', async () => {
    const { objects } = s3.service;
    await objects.put(Bucket, 'in/one', 'from inside');
    await put('in/two', 'from outside');
    const body = await (await objects.get(Bucket, 'in/two')).toArray();
    expect(Buffer.concat(body).toString()).toBe('from outside');
    expect((await bytesOf('in/one')).toString()).toBe('from inside');
    const listed = [];
    for await (const { Key, Size } of objects.list(Bucket, 'in/')) listed.push([Key, Size]);
    expect(listed).toEqual([
      ['in/one', 11],
      ['in/two', 12],
    ]);
    await expect(objects.get(Bucket, 'none')).rejects.toMatchObject({ name: 'NoSuchKey' });
    await expect(objects.get('nowhere', 'none')).rejects.toMatchObject({ name: 'NoSuchBucket' });
  });
});
