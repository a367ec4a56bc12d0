import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LaptopS3, startS3 } from './laptop-s3.ts';

const Bucket = 'versions';
let s3: LaptopS3;
const setVersioning = (bucket: string, Status: 'Enabled' | 'Suspended') =>
  s3.client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status } }));

beforeAll(async () => {
  s3 = await startS3();
  await s3.client.send(new CreateBucketCommand({ Bucket }));
  await setVersioning(Bucket, 'Enabled');
});
afterAll(() => s3.remove());

const put = (Key: string, Body: string, bucket = Bucket) =>
  s3.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));
const drop = (Key: string, VersionId?: string, bucket = Bucket) =>
  s3.client.send(new DeleteObjectCommand({ Bucket: bucket, Key, VersionId }));
const read = async (Key: string, VersionId?: string, bucket = Bucket): Promise<string | undefined> =>
  (await s3.client.send(new GetObjectCommand({ Bucket: bucket, Key, VersionId }))).Body?.transformToString();
const versionsOf = (Prefix: string, more = {}) =>
  s3.client.send(new ListObjectVersionsCommand({ Bucket, Prefix, ...more }));

describe('a bucket with versions', () => {
  test('says so', async () => {
    expect((await s3.client.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBe('Enabled');
  });

  test('keeps what is overwritten and what is deleted', async () => {
    const first = await put('v', '1');
    const second = await put('v', '2');
    expect([await read('v'), await read('v', first.VersionId)]).toEqual(['2', '1']);
    const { DeleteMarker, VersionId: marker } = await drop('v');
    expect(DeleteMarker).toBe(true);
    await expect(read('v')).rejects.toMatchObject({ name: 'NoSuchKey' });
    expect((await s3.client.send(new ListObjectsV2Command({ Bucket, Prefix: 'v' }))).KeyCount).toBe(0);
    const listed = await versionsOf('v');
    expect(listed.Versions?.map(({ VersionId, IsLatest }) => [VersionId, IsLatest])).toEqual([
      [second.VersionId, false],
      [first.VersionId, false],
    ]);
    expect(listed.DeleteMarkers?.map(({ VersionId, IsLatest }) => [VersionId, IsLatest])).toEqual([[marker, true]]);
    expect(await drop('v', marker)).toMatchObject({ DeleteMarker: true, VersionId: marker });
    expect(await read('v')).toBe('2');
    await drop('v', second.VersionId);
    expect(await read('v')).toBe('1');
  });

  test('tells a HEAD of a deleted object, or of its marker, why', async () => {
    await put('gone', '1');
    const { VersionId } = await drop('gone');
    const head = (id?: string) => s3.client.send(new HeadObjectCommand({ Bucket, Key: 'gone', VersionId: id }));
    await expect(head()).rejects.toMatchObject({ name: 'NotFound' });
    await expect(head(VersionId)).rejects.toMatchObject({ $metadata: { httpStatusCode: 405 } });
    await expect(read('gone', 'no-such-version')).rejects.toMatchObject({ name: 'NoSuchVersion' });
  });

  test('lists versions page by page, also within one key', async () => {
    const ids: (string | undefined)[] = [];
    for (const key of ['p/a', 'p/a', 'p/a', 'p/b', 'p/c/d']) ids.push((await put(key, 'x')).VersionId);
    const seen: (string | undefined)[] = [];
    let markers: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = {};
    for (;;) {
      const page = await versionsOf('p/', { MaxKeys: 2, ...markers });
      seen.push(...(page.Versions ?? []).map(({ VersionId }) => VersionId));
      if (!page.IsTruncated) break;
      markers = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
    }
    expect(seen).toEqual([ids[2], ids[1], ids[0], ids[3], ids[4]]);
    const grouped = await versionsOf('p/', { Delimiter: '/' });
    expect(grouped.CommonPrefixes?.map(({ Prefix }) => Prefix)).toEqual(['p/c/']);
  });

  test('copies an old version back over the new one', async () => {
    const { VersionId } = await put('back', 'old');
    await put('back', 'new');
    const copied = await s3.client.send(
      new CopyObjectCommand({
        Bucket,
        Key: 'back',
        CopySource: `${Bucket}/back?versionId=${VersionId}`,
        MetadataDirective: 'REPLACE',
      }),
    );
    expect(copied.CopySourceVersionId).toBe(VersionId);
    expect(await read('back')).toBe('old');
  });

  test('deletes many at once: markers, versions and what never was', async () => {
    const { VersionId } = await put('many/1', 'x');
    await put('many/2', 'x');
    const Objects = [{ Key: 'many/1', VersionId }, { Key: 'many/2' }, { Key: 'many/never' }];
    const { Deleted, Errors } = await s3.client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    expect(Deleted?.map(({ Key, DeleteMarker }) => [Key, DeleteMarker])).toEqual([
      ['many/1', undefined],
      ['many/2', true],
      ['many/never', true],
    ]);
    expect(Errors).toBeUndefined();
  });
});

describe('a bucket whose versioning was suspended', () => {
  test('keeps old versions and replaces only the one without id', async () => {
    const bucket = 'suspended';
    await s3.client.send(new CreateBucketCommand({ Bucket: bucket }));
    await put('k', 'before', bucket);
    await setVersioning(bucket, 'Enabled');
    const { VersionId } = await put('k', 'kept', bucket);
    await setVersioning(bucket, 'Suspended');
    await put('k', 'after', bucket);
    expect([await read('k', undefined, bucket), await read('k', 'null', bucket)]).toEqual(['after', 'after']);
    expect(await read('k', VersionId, bucket)).toBe('kept');
    expect(await drop('k', undefined, bucket)).toMatchObject({ DeleteMarker: true, VersionId: 'null' });
    await expect(read('k', undefined, bucket)).rejects.toMatchObject({ name: 'NoSuchKey' });
    const listed = await s3.client.send(new ListObjectVersionsCommand({ Bucket: bucket }));
    expect([listed.Versions?.length, listed.DeleteMarkers?.length]).toEqual([1, 1]);
  });
});
