import { CreateBucketCommand, GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LaptopS3, startS3 } from './laptop-s3.ts';

const Bucket = 'conditions';
let s3: LaptopS3;
beforeAll(async () => {
  s3 = await startS3();
  await s3.client.send(new CreateBucketCommand({ Bucket }));
});
afterAll(() => s3.remove());

const put = (Key: string, Body: string, more = {}) =>
  s3.client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
const get = (Key: string, more = {}) => s3.client.send(new GetObjectCommand({ Bucket, Key, ...more }));

const race = async (key: string, more: object): Promise<{ winners: string[]; refusals: string[] }> => {
  const bodies = Array.from({ length: 20 }, (_, index) => `${index}-${'x'.repeat(index % 2 === 0 ? 10 : 50_000)}`);
  const results = await Promise.allSettled(bodies.map((body) => put(key, body, more)));
  return {
    winners: bodies.filter((_, index) => results[index]!.status === 'fulfilled'),
    refusals: results.flatMap((result) => (result.status === 'rejected' ? [(result.reason as Error).name] : [])),
  };
};

describe('a conditional write', () => {
  test('with If-None-Match: * creates but never replaces', async () => {
    await put('lock', '1', { IfNoneMatch: '*' });
    await expect(put('lock', '2', { IfNoneMatch: '*' })).rejects.toMatchObject({ name: 'PreconditionFailed' });
    expect(await (await get('lock')).Body?.transformToString()).toBe('1');
  });

  test('to create has exactly one winner of twenty, and its body is the one that stays', async () => {
    const { winners, refusals } = await race('race', { IfNoneMatch: '*' });
    expect(winners.length).toBe(1);
    expect(new Set(refusals)).toEqual(new Set(['PreconditionFailed']));
    expect(await (await get('race')).Body?.transformToString()).toBe(winners[0]);
  });

  test('to replace what was seen has exactly one winner of twenty', async () => {
    const { ETag } = await put('swap', 'before');
    const { winners } = await race('swap', { IfMatch: ETag });
    expect(winners.length).toBe(1);
    expect(await (await get('swap')).Body?.transformToString()).toBe(winners[0]);
  });

  test('with a stale If-Match is refused, and on nothing is NoSuchKey', async () => {
    await put('stale', '1');
    await expect(put('stale', '2', { IfMatch: '"deadbeef"' })).rejects.toMatchObject({ name: 'PreconditionFailed' });
    await expect(put('nothing', '2', { IfMatch: '"deadbeef"' })).rejects.toMatchObject({ name: 'NoSuchKey' });
  });
});

describe('a conditional read', () => {
  const hour = 3_600_000;
  let etag: string;
  beforeAll(async () => {
    etag = (await put('read', 'body')).ETag!;
  });

  test.each([
    ['If-None-Match of what the reader has', () => ({ IfNoneMatch: etag }), 304],
    ['If-Modified-Since a later time', () => ({ IfModifiedSince: new Date(Date.now() + hour) }), 304],
    ['If-Match of something else', () => ({ IfMatch: '"other"' }), 412],
    ['If-Unmodified-Since an earlier time', () => ({ IfUnmodifiedSince: new Date(Date.now() - hour) }), 412],
  ])('with %s is not answered with the object', async (_what, more, status) => {
    await expect(get('read', more())).rejects.toMatchObject({ $metadata: { httpStatusCode: status } });
  });

  test.each([
    ['If-None-Match of something else', () => ({ IfNoneMatch: '"other"' })],
    ['If-Modified-Since an earlier time', () => ({ IfModifiedSince: new Date(Date.now() - hour) })],
    [
      'If-Match, which outvotes If-Unmodified-Since',
      () => ({ IfMatch: etag, IfUnmodifiedSince: new Date(Date.now() - hour) }),
    ],
    [
      'If-None-Match, which outvotes If-Modified-Since',
      () => ({ IfNoneMatch: '"x"', IfModifiedSince: new Date(Date.now() + hour) }),
    ],
  ])('with %s is answered', async (_what, more) => {
    const found = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'read', ...more() }));
    expect(found.ContentLength).toBe(4);
  });
});
