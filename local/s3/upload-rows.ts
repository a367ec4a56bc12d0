import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { BodyRows, Garbage } from './body-rows.ts';
import type { Bucket } from './bucket-rows.ts';
import type { ChecksumName, ChecksumType } from './checksums.ts';
import { s3Error } from './errors.ts';
import type { Cursor } from './pages.ts';
import type { Traits } from './traits.ts';
import type { Lock, Tags } from './version-rows.ts';

/** What CreateMultipartUpload said about the object to come. */
export interface UploadDescription {
  readonly traits: Traits;
  readonly tags: Tags;
  readonly lock: Lock;
  readonly checksum: { readonly name: ChecksumName; readonly type: ChecksumType; readonly asked: boolean };
}

export interface MultipartUpload {
  readonly sequence: number;
  readonly id: string;
  readonly key: string;
  readonly initiated: number;
  readonly description: UploadDescription;
}

export interface Part {
  readonly number: number;
  readonly body: number;
  readonly size: number;
  readonly etag: string;
  readonly checksum: string | null;
  readonly modified: number;
}

interface Row {
  sequence: number;
  id: string;
  key: string;
  initiated: number;
  description: string;
}

const uploadOf = ({ description, ...row }: Row): MultipartUpload => ({ ...row, description: JSON.parse(description) });

export type UploadRows = ReturnType<typeof openUploadRows>;

/** Multipart uploads under way. Whatever writes must run inside a commit. */
export const openUploadRows = (database: DatabaseSync, bodies: BodyRows) => {
  const insert = database.prepare(
    'INSERT INTO uploads (id, bucket, key, initiated, description) VALUES (?, ?, ?, ?, ?)',
  );
  const columns = 'sequence, id, key, initiated, description';
  const find = database.prepare(`SELECT ${columns} FROM uploads WHERE id = ? AND bucket = ? AND key = ?`);
  const page = database.prepare(
    `SELECT ${columns} FROM uploads WHERE bucket = ? AND key >= ? AND key < ? ORDER BY key, sequence LIMIT ?`,
  );
  const laterPage = database.prepare(
    `SELECT ${columns} FROM uploads WHERE bucket = ? AND key = ? AND sequence > ? ORDER BY sequence LIMIT ?`,
  );
  const remove = database.prepare('DELETE FROM uploads WHERE id = ?');
  const removeOfBucket = database.prepare('SELECT id FROM uploads WHERE bucket = ?');
  const part = database.prepare('SELECT body FROM parts WHERE upload = ? AND number = ?');
  const putPart = database.prepare(
    'INSERT OR REPLACE INTO parts (upload, number, body, size, etag, checksum, modified) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const partPage = database.prepare(
    `SELECT number, body, size, etag, checksum, modified FROM parts WHERE upload = ? AND number > ?
     ORDER BY number LIMIT ?`,
  );
  const removeParts = database.prepare('DELETE FROM parts WHERE upload = ? RETURNING body');

  const removeUpload = (id: string, kept: ReadonlySet<number>, garbage: Garbage): void => {
    for (const { body } of removeParts.all(id) as { body: number }[]) {
      if (!kept.has(body)) bodies.release(body, garbage);
    }
    remove.run(id);
  };

  return {
    add(bucket: Bucket, key: string, initiated: number, description: UploadDescription): string {
      const id = randomBytes(48).toString('base64url');
      insert.run(id, bucket.id, key, initiated, JSON.stringify(description));
      return id;
    },
    /** Throws NoSuchUpload, also when the id belongs to another key. */
    get(bucket: Bucket, key: string, id: string): MultipartUpload {
      const row = find.get(id, bucket.id, key) as unknown as Row | undefined;
      if (!row) throw s3Error('NoSuchUpload', undefined, { UploadId: id });
      return uploadOf(row);
    },
    sequenceOf: (bucket: Bucket, key: string, id: string) =>
      (find.get(id, bucket.id, key) as unknown as Row | undefined)?.sequence,
    putPart(upload: MultipartUpload, { number, body, size, etag, checksum, modified }: Part, garbage: Garbage): void {
      const replaced = part.get(upload.id, number) as { body: number } | undefined;
      putPart.run(upload.id, number, body, size, etag, checksum, modified);
      if (replaced) bodies.release(replaced.body, garbage);
    },
    partsAfter: (upload: MultipartUpload, number: number, limit: number): Part[] =>
      partPage.all(upload.id, number, limit) as unknown as Part[],
    /** Ends an upload. Bodies in `kept` live on in the finished object. */
    remove: (upload: MultipartUpload, kept: ReadonlySet<number>, garbage: Garbage) =>
      removeUpload(upload.id, kept, garbage),
    removeAll(bucket: Bucket, garbage: Garbage): void {
      for (const { id } of removeOfBucket.all(bucket.id) as { id: string }[]) removeUpload(id, new Set(), garbage);
    },
    /** Uploads from `cursor`, keys ascending, oldest first within a key. */
    uploadsFrom(bucket: Bucket, { key, sequence }: Cursor, end: string, limit: number): MultipartUpload[] {
      const read = (rows: unknown): MultipartUpload[] => (rows as Row[]).map(uploadOf);
      if (sequence === undefined) return read(page.all(bucket.id, key, end, limit));
      const later = read(laterPage.all(bucket.id, key, sequence, limit));
      return later.length > 0 ? later : read(page.all(bucket.id, `${key}\0`, end, limit));
    },
  };
};
