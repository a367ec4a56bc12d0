import {
  CreateBucketCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  paginateListObjectsV2,
} from '@aws-sdk/client-s3';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commonPrefixOf, cursorAfter, pastPrefix, readPage } from '../../../local/s3/pages.ts';
import { type LaptopS3, startS3 } from './laptop-s3.ts';

const Bucket = 'listings';
let s3: LaptopS3;
const keys = Array.from({ length: 250 }, (_, index) => `tenants/${index % 5}/f${index}`);
const inOrder = (texts: readonly string[]): string[] =>
  [...texts].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

beforeAll(async () => {
  s3 = await startS3();
  await s3.client.send(new CreateBucketCommand({ Bucket }));
  for (const key of [...keys, 'top', 'odd/a b+c%é&', 'odd/\u{1f600}', 'odd/\u{ff5e}'])
    await s3.service.objects.put(Bucket, key, 'x');
});
afterAll(() => s3.remove());

const list = (more: object) => s3.client.send(new ListObjectsV2Command({ Bucket, ...more }));

describe('a listing', () => {
  test('groups keys by the delimiter', async () => {
    const found = await list({ Prefix: 'tenants/', Delimiter: '/' });
    expect(found.CommonPrefixes?.map(({ Prefix }) => Prefix)).toEqual(
      [0, 1, 2, 3, 4].map((tenant) => `tenants/${tenant}/`),
    );
    expect(found).toMatchObject({ KeyCount: 5, IsTruncated: false });
    const root = await list({ Delimiter: '/' });
    expect([root.Contents?.map(({ Key }) => Key), root.CommonPrefixes?.map(({ Prefix }) => Prefix)]).toEqual([
      ['top'],
      ['odd/', 'tenants/'],
    ]);
  });

  test('is paged without a gap or a double', async () => {
    const seen: string[] = [];
    let pages = 0;
    for await (const page of paginateListObjectsV2(
      { client: s3.client, pageSize: 100 },
      { Bucket, Prefix: 'tenants/' },
    )) {
      seen.push(...(page.Contents ?? []).map(({ Key }) => Key!));
      pages += 1;
    }
    expect([seen, pages]).toEqual([inOrder(keys), 3]);
  });

  test('starts after a key that need not exist', async () => {
    const found = await list({ Prefix: 'tenants/4/', StartAfter: 'tenants/4/f239', MaxKeys: 1 });
    expect(found.Contents?.map(({ Key }) => Key)).toEqual(['tenants/4/f24']);
  });

  test('is in the order of UTF-8 bytes, not of UTF-16 units', async () => {
    const found = await list({ Prefix: 'odd/' });
    expect(found.Contents?.map(({ Key }) => Key)).toEqual(['odd/a b+c%é&', 'odd/\u{ff5e}', 'odd/\u{1f600}']);
  });

  test('percent-encodes keys for those who ask', async () => {
    const found = await list({ Prefix: 'odd/a', EncodingType: 'url' });
    expect([found.Prefix, found.Contents?.[0]?.Key]).toEqual(['odd/a', 'odd/a%20b%2Bc%25%C3%A9%26']);
  });

  test('refuses a token that it did not give', async () => {
    await expect(list({ ContinuationToken: 'nonsense' })).rejects.toMatchObject({ name: 'InvalidArgument' });
  });

  test('of the first version goes on from its markers', async () => {
    const seen: string[] = [];
    let Marker: string | undefined;
    do {
      const page = await s3.client.send(new ListObjectsCommand({ Bucket, Delimiter: '/', MaxKeys: 1, Marker }));
      seen.push(
        ...(page.Contents ?? []).map(({ Key }) => Key!),
        ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix!),
      );
      Marker = page.NextMarker;
    } while (Marker !== undefined);
    expect(seen).toEqual(['odd/', 'tenants/', 'top']);
  });

  test('shows an object at once after its PUT', async () => {
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'fresh/now', Body: 'x' }));
    expect((await list({ Prefix: 'fresh/' })).KeyCount).toBe(1);
  });
});

describe('pages over any keys', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'b', '/', '!', '\u{ff5e}', '\u{1f600}', '\u{10ffff}', '\ud7ff'),
    maxLength: 6,
  });
  const precedes = (a: string, b: string): boolean => Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;

  test('show each key or its common prefix once, whatever prefix, delimiter and page size', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(text, { maxLength: 30 }),
        text,
        fc.constantFrom('', '/', '!/'),
        fc.integer({ min: 1, max: 5 }),
        (all, prefix, delimiter, max) => {
          const rows = inOrder(all).map((key, sequence) => ({ key, sequence }));
          const seen: string[] = [];
          let from = cursorAfter('', prefix, delimiter);
          for (let pages = 0; pages <= all.length; pages++) {
            const page = readPage({ prefix, delimiter, max, from }, ({ key }, end, limit) =>
              rows.filter((row) => !precedes(row.key, key) && precedes(row.key, end)).slice(0, limit),
            );
            seen.push(...page.rows.map(({ key }) => key), ...page.prefixes);
            expect(page.rows.length + page.prefixes.length).toBeLessThanOrEqual(max);
            if (!page.next) break;
            from = page.next;
          }
          const matching = all.filter((key) => key.startsWith(prefix));
          const expected = new Set(matching.map((key) => commonPrefixOf(key, prefix, delimiter) ?? key));
          expect(inOrder(seen)).toEqual(inOrder([...expected]));
        },
      ),
    );
  });

  test('start right after any marker, in the order of bytes', () => {
    fc.assert(
      fc.property(fc.uniqueArray(text, { maxLength: 30 }), text, text, (all, prefix, marker) => {
        const rows = inOrder(all).map((key, sequence) => ({ key, sequence }));
        const page = readPage(
          { prefix, delimiter: '', max: 50, from: cursorAfter(marker, prefix, '') },
          ({ key }, end, limit) =>
            rows.filter((row) => !precedes(row.key, key) && precedes(row.key, end)).slice(0, limit),
        );
        const expected = rows.filter(({ key }) => key.startsWith(prefix) && (marker === '' || precedes(marker, key)));
        expect(page.rows).toEqual(expected);
      }),
      { examples: [[['\u{1f600}', '\u{1f600}a', '\u{ff5e}', '\u{ff5e}b'], '\u{ff5e}', '\u{1f600}']] },
    );
  });

  test('end right after the last key with the prefix', () => {
    fc.assert(
      fc.property(text, text, (prefix, key) => {
        expect(key.startsWith(prefix)).toBe(!precedes(key, prefix) && precedes(key, pastPrefix(prefix)));
      }),
    );
  });
});
