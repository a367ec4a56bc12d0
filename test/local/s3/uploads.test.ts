import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LaptopS3, startS3 } from './laptop-s3.ts';

const Bucket = 'uploads';
const mebibyte = 1024 ** 2;
let s3: LaptopS3;
beforeAll(async () => {
  s3 = await startS3();
  await s3.client.send(new CreateBucketCommand({ Bucket }));
});
afterAll(() => s3.remove());

const begin = async (Key: string, more = {}): Promise<string> =>
  (await s3.client.send(new CreateMultipartUploadCommand({ Bucket, Key, ...more }))).UploadId!;
const send = async (Key: string, UploadId: string, PartNumber: number, Body: Buffer) => {
  const part = await s3.client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }));
  return { PartNumber, ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32 };
};
const complete = (
  Key: string,
  UploadId: string,
  Parts: { PartNumber: number; ETag?: string | undefined }[],
  more = {},
) => s3.client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts }, ...more }));
const read = async (Key: string, more = {}): Promise<Buffer> =>
  Buffer.from(
    await (await s3.client.send(new GetObjectCommand({ Bucket, Key, ...more }))).Body!.transformToByteArray(),
  );

describe('a multipart upload', () => {
  test('by lib-storage comes back bit for bit, in whole and across its seams', async () => {
    const body = randomBytes(21 * mebibyte + 17);
    const params = { Bucket, Key: 'big', Body: Readable.from([body]), Metadata: { kind: 'dump' }, Tagging: 'a=b' };
    await new Upload({ client: s3.client, params, partSize: 8 * mebibyte }).done();
    expect((await read('big')).equals(body)).toBe(true);
    const seam = 8 * mebibyte;
    const across = await read('big', { Range: `bytes=${seam - 5}-${seam + 4}` });
    expect(across.equals(body.subarray(seam - 5, seam + 5))).toBe(true);
    expect((await read('big', { PartNumber: 3 })).equals(body.subarray(2 * seam))).toBe(true);
    const head = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'big', PartNumber: 1 }));
    expect(head).toMatchObject({ PartsCount: 3, ContentLength: seam, Metadata: { kind: 'dump' } });
  });

  test("has AWS's ETag and composite checksum, and tells its parts", async () => {
    const parts = [randomBytes(5 * mebibyte), Buffer.from('end')];
    const id = await begin('etag', { ChecksumAlgorithm: 'CRC32' });
    const sent = [await send('etag', id, 1, parts[0]!), await send('etag', id, 7, parts[1]!)];
    const done = await complete('etag', id, sent);
    const md5s = parts.map((part) => createHash('md5').update(part).digest());
    expect(done.ETag).toBe(`"${createHash('md5').update(Buffer.concat(md5s)).digest('hex')}-2"`);
    expect(done.ChecksumCRC32).toMatch(/-2$/);
    const asked = { Bucket, Key: 'etag', ObjectAttributes: ['ObjectParts', 'ObjectSize'] };
    const told = await s3.client.send(new GetObjectAttributesCommand(asked as never));
    expect(told.ObjectParts?.TotalPartsCount).toBe(2);
    expect(told.ObjectSize).toBe(5 * mebibyte + 3);
  });

  test('with a full-object checksum gets the one of all its bytes, without reading them again', async () => {
    const id = await begin('full', { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' });
    const zeros = Buffer.alloc(5 * mebibyte);
    const sent = [await send('full', id, 1, zeros), await send('full', id, 2, Buffer.from('hello'))];
    const done = await complete('full', id, sent);
    await s3.client.send(
      new PutObjectCommand({ Bucket, Key: 'plain', Body: Buffer.concat([zeros, Buffer.from('hello')]) }),
    );
    const plain = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'plain', ChecksumMode: 'ENABLED' }));
    expect(done).toMatchObject({ ChecksumType: 'FULL_OBJECT', ChecksumCRC32: plain.ChecksumCRC32 });
  });

  test('replaced while it is read slowly is read whole', async () => {
    const old = randomBytes(30 * mebibyte);
    const params = { Bucket, Key: 'slow', Body: old };
    await new Upload({ client: s3.client, params, partSize: 6 * mebibyte }).done();
    const { Body } = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'slow' }));
    const stream = (Body as Readable)[Symbol.asyncIterator]();
    const read = [(await stream.next()).value as Buffer];
    const files = (): number => readdirSync(join(s3.directory, 'blobs'), { recursive: true }).length;
    const before = files();
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'slow', Body: 'new' }));
    for (let next = await stream.next(); !next.done; next = await stream.next()) read.push(next.value as Buffer);
    expect(Buffer.concat(read).equals(old)).toBe(true);
    await expect.poll(files).toBe(before - 5);
  });

  test('is listed with its parts while it runs, and gone once aborted', async () => {
    const id = await begin('running/x');
    await send('running/x', id, 2, Buffer.from('two'));
    await send('running/x', id, 2, Buffer.from('second two'));
    await send('running/x', id, 1, Buffer.from('one'));
    const uploads = () => s3.client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: 'running/' }));
    expect((await uploads()).Uploads?.map(({ UploadId, Key }) => [UploadId, Key])).toEqual([[id, 'running/x']]);
    const listed = await s3.client.send(new ListPartsCommand({ Bucket, Key: 'running/x', UploadId: id, MaxParts: 1 }));
    expect(listed).toMatchObject({ IsTruncated: true, NextPartNumberMarker: '1' });
    const rest = await s3.client.send(
      new ListPartsCommand({ Bucket, Key: 'running/x', UploadId: id, PartNumberMarker: listed.NextPartNumberMarker }),
    );
    expect(rest.Parts?.map(({ PartNumber, Size }) => [PartNumber, Size])).toEqual([[2, 10]]);
    await s3.client.send(new AbortMultipartUploadCommand({ Bucket, Key: 'running/x', UploadId: id }));
    expect((await uploads()).Uploads).toBeUndefined();
    await expect(send('running/x', id, 1, Buffer.from('late'))).rejects.toMatchObject({ name: 'NoSuchUpload' });
  });

  test('copies parts of other objects', async () => {
    const source = randomBytes(12 * mebibyte);
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'source', Body: source }));
    const id = await begin('pieced');
    const copyPart = async (PartNumber: number, CopySourceRange: string) => {
      const command = {
        Bucket,
        Key: 'pieced',
        UploadId: id,
        PartNumber,
        CopySource: `${Bucket}/source`,
        CopySourceRange,
      };
      const { CopyPartResult } = await s3.client.send(new UploadPartCopyCommand(command));
      return { PartNumber, ETag: CopyPartResult?.ETag };
    };
    const parts = [await copyPart(1, `bytes=100-${6 * mebibyte}`), await copyPart(2, 'bytes=0-9')];
    await complete('pieced', id, parts);
    expect(
      (await read('pieced')).equals(Buffer.concat([source.subarray(100, 6 * mebibyte + 1), source.subarray(0, 10)])),
    ).toBe(true);
    await expect(copyPart(3, 'bytes=0-99999999')).rejects.toMatchObject({ name: 'NoSuchUpload' });
  });

  test('is refused with parts that are unknown, unordered or too small, and can then still complete', async () => {
    const id = await begin('refused');
    const first = await send('refused', id, 1, Buffer.from('small'));
    const second = await send('refused', id, 2, Buffer.from('end'));
    const wrong = { PartNumber: 1, ETag: '"00000000000000000000000000000000"' };
    await expect(complete('refused', id, [wrong])).rejects.toMatchObject({ name: 'InvalidPart' });
    await expect(complete('refused', id, [second, first])).rejects.toMatchObject({ name: 'InvalidPartOrder' });
    await expect(complete('refused', id, [first, second])).rejects.toMatchObject({ name: 'EntityTooSmall' });
    await complete('refused', id, [second]);
    expect((await read('refused')).toString()).toBe('end');
  });

  test('completed twice, as a client does that saw no answer, is answered alike and made once', async () => {
    const id = await begin('twice');
    const part = await send('twice', id, 1, Buffer.from('x'));
    const [first, second] = [await complete('twice', id, [part]), await complete('twice', id, [part])];
    expect([second.ETag, second.ChecksumCRC32]).toEqual([first.ETag, first.ChecksumCRC32]);
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'twice', Body: 'replaced' }));
    await expect(complete('twice', id, [part])).rejects.toMatchObject({ name: 'NoSuchUpload' });
  });

  test('lists are paged, also within one key', async () => {
    const ids = [await begin('paged/a'), await begin('paged/a'), await begin('paged/b')];
    const seen: (string | undefined)[] = [];
    let markers: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {};
    for (;;) {
      const page = await s3.client.send(
        new ListMultipartUploadsCommand({ Bucket, Prefix: 'paged/', MaxUploads: 1, ...markers }),
      );
      seen.push(...(page.Uploads ?? []).map(({ UploadId }) => UploadId));
      if (!page.IsTruncated) break;
      markers = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
    }
    expect(seen).toEqual(ids);
  });

  test('completes only where nothing is, if asked to, and one of two wins', async () => {
    const ids = await Promise.all([begin('once'), begin('once')]);
    const parts = await Promise.all(ids.map((id, index) => send('once', id, 1, Buffer.from(`body ${index}`))));
    const results = await Promise.allSettled(
      ids.map((id, index) => complete('once', id, [parts[index]!], { IfNoneMatch: '*' })),
    );
    const won = results.findIndex(({ status }) => status === 'fulfilled');
    expect(results.filter(({ status }) => status === 'fulfilled').length).toBe(1);
    expect((await read('once')).toString()).toBe(`body ${won}`);
  });
});
