import { createHash } from 'node:crypto';
import type { ObjectStore } from '../ports.ts';
import { iso } from './buckets.ts';
import { startDigest } from './checksums.ts';
import { lockOf } from './locks.ts';
import { type Page, readPage } from './pages.ts';
import { openObject } from './reads.ts';
import type { Store } from './store.ts';
import { repeatedHeaders } from './traits.ts';
import type { Version } from './version-rows.ts';

/** Rows per read of a listing, S3's own page. */
const pageSize = 1000;

/** The store as a port for the other services of the laptop: the same objects, versions and locks as over HTTP. */
export const openObjectStore = (store: Store): ObjectStore => ({
  get: async (bucket, key) => openObject(store, bucket, key),
  async put(bucketName, key, body) {
    const bytes =
      typeof body === 'string' ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    const spool = store.blobs.spool();
    await spool.write([bytes]);
    const kept = await spool.finish();
    const digest = startDigest('crc64nvme');
    digest.update(bytes);
    const checksum = { name: 'crc64nvme', value: digest.finish().toString('base64'), type: 'FULL_OBJECT' } as const;
    const etag = createHash('md5').update(bytes).digest('hex');
    try {
      await store.commit((garbage) => {
        const bucket = store.buckets.get(bucketName);
        const modified = store.now();
        const traits = { headers: repeatedHeaders({}), encryption: bucket.encryption, checksum };
        const pieces = [{ body: store.bodies.add(kept), checksum: null }];
        const lock = lockOf({}, bucket, modified);
        store.versions.add(bucket, { key, size: kept.size, etag, modified, traits, tags: [], lock, pieces }, garbage);
      });
    } catch (error) {
      if (kept.file !== null) store.blobs.remove([kept.file]);
      throw error;
    }
  },
  async *list(bucketName, prefix) {
    const bucket = store.buckets.get(bucketName);
    let from: { key: string } | undefined = { key: prefix };
    while (from) {
      const page: Page<Version> = readPage({ prefix, delimiter: '', max: pageSize, from }, (cursor, end, limit) =>
        store.versions.objectsFrom(bucket, cursor, end, limit),
      );
      for (const { key, size, etag, modified } of page.rows) {
        yield { Key: key, Size: size, ETag: `"${etag}"`, LastModified: iso(modified) };
      }
      from = page.next;
    }
  },
});
