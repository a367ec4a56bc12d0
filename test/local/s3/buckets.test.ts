import {
  CreateBucketCommand,
  DeleteBucketCommand,
  GetBucketLocationCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LaptopS3, startS3 } from './laptop-s3.ts';

let s3: LaptopS3;
beforeAll(async () => {
  s3 = await startS3();
});
afterAll(() => s3.remove());

const create = (name: string) => s3.client.send(new CreateBucketCommand({ Bucket: name }));

describe('a bucket', () => {
  test('is found and listed once it is made, and gone once it is deleted', async () => {
    await create('first-bucket');
    await s3.client.send(new HeadBucketCommand({ Bucket: 'first-bucket' }));
    const { Buckets } = await s3.client.send(new ListBucketsCommand({}));
    expect(Buckets?.map(({ Name }) => Name)).toContain('first-bucket');
    await s3.client.send(new DeleteBucketCommand({ Bucket: 'first-bucket' }));
    await expect(s3.client.send(new HeadBucketCommand({ Bucket: 'first-bucket' }))).rejects.toMatchObject({
      name: 'NotFound',
    });
  });

  test('cannot be made twice', async () => {
    await create('twice');
    await expect(create('twice')).rejects.toMatchObject({ name: 'BucketAlreadyOwnedByYou' });
  });

  test.each(['ab', 'Upper', 'under_score', '192.168.0.1', 'dot..dot', '-dash'])(
    'is refused the name %s',
    async (name) => {
      await expect(create(name)).rejects.toMatchObject({ name: 'InvalidBucketName' });
    },
  );

  test('is not deleted while it holds an object', async () => {
    await create('holding');
    await s3.client.send(new PutObjectCommand({ Bucket: 'holding', Key: 'k', Body: 'x' }));
    await expect(s3.client.send(new DeleteBucketCommand({ Bucket: 'holding' }))).rejects.toMatchObject({
      name: 'BucketNotEmpty',
    });
    const { KeyCount } = await s3.client.send(new ListObjectsV2Command({ Bucket: 'holding' }));
    expect(KeyCount).toBe(1);
  });

  test('that does not exist is NoSuchBucket, with its name in the error', async () => {
    const listing = s3.client.send(new ListObjectsV2Command({ Bucket: 'nowhere' }));
    await expect(listing).rejects.toMatchObject({ name: 'NoSuchBucket', BucketName: 'nowhere' });
  });

  test('tells the region that it was made in', async () => {
    const location = { LocationConstraint: 'eu-central-1' } as const;
    await s3.client.send(new CreateBucketCommand({ Bucket: 'frankfurt', CreateBucketConfiguration: location }));
    const told = await s3.client.send(new GetBucketLocationCommand({ Bucket: 'frankfurt' }));
    expect(told.LocationConstraint).toBe('eu-central-1');
  });

  test('lists are paged', async () => {
    for (const name of ['page-a', 'page-b', 'page-c']) await create(name);
    const first = await s3.client.send(new ListBucketsCommand({ Prefix: 'page-', MaxBuckets: 2 }));
    const second = await s3.client.send(
      new ListBucketsCommand({ Prefix: 'page-', MaxBuckets: 2, ContinuationToken: first.ContinuationToken }),
    );
    expect([first, second].map(({ Buckets }) => Buckets?.map(({ Name }) => Name))).toEqual([
      ['page-a', 'page-b'],
      ['page-c'],
    ]);
    expect(second.ContinuationToken).toBeUndefined();
  });
});
