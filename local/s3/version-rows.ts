import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { BodyRows, Garbage } from './body-rows.ts';
import type { Bucket } from './bucket-rows.ts';
import { s3Error } from './errors.ts';
import type { Cursor } from './pages.ts';
import type { Traits } from './traits.ts';

export type Tags = readonly (readonly [key: string, value: string])[];

/** Retention and legal hold of one version. */
export interface Lock {
  readonly mode: 'GOVERNANCE' | 'COMPLIANCE' | null;
  /** Epoch milliseconds. */
  readonly until: number | null;
  readonly legalHold: boolean;
}

export const unlocked: Lock = { mode: null, until: null, legalHold: false };

export interface Version {
  readonly sequence: number;
  readonly key: string;
  /** `null` for what was written while the bucket had no versioning. */
  readonly versionId: string;
  readonly current: boolean;
  /** A delete marker. */
  readonly marker: boolean;
  readonly size: number;
  readonly etag: string;
  readonly modified: number;
  readonly traits: Traits;
  readonly tags: Tags;
  readonly lock: Lock;
}

export interface NewVersion {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly modified: number;
  readonly traits: Traits;
  readonly tags: Tags;
  readonly lock: Lock;
  /** Ids of bodies whose use is already counted, in order. */
  readonly pieces: readonly { readonly body: number; readonly checksum: string | null }[];
}

interface Row {
  sequence: number;
  key: string;
  version_id: string;
  current: number;
  marker: number;
  size: number;
  etag: string;
  modified: number;
  traits: string;
  tags: string | null;
  lock_mode: Lock['mode'];
  lock_until: number | null;
  legal_hold: number;
}

const versionOf = (row: Row): Version => ({
  sequence: row.sequence,
  key: row.key,
  versionId: row.version_id,
  current: row.current === 1,
  marker: row.marker === 1,
  size: row.size,
  etag: row.etag,
  modified: row.modified,
  traits: JSON.parse(row.traits),
  tags: row.tags === null ? [] : JSON.parse(row.tags),
  lock: { mode: row.lock_mode, until: row.lock_until, legalHold: row.legal_hold === 1 },
});

const columns =
  'sequence, key, version_id, current, marker, size, etag, modified, traits, tags, lock_mode, lock_until, legal_hold';

export type VersionRows = ReturnType<typeof openVersionRows>;

/** Object versions and delete markers. Whatever writes must run inside a commit. */
export const openVersionRows = (database: DatabaseSync, bodies: BodyRows) => {
  const current = database.prepare(`SELECT ${columns} FROM versions WHERE bucket = ? AND key = ? AND current = 1`);
  const byId = database.prepare(`SELECT ${columns} FROM versions WHERE bucket = ? AND key = ? AND version_id = ?`);
  const insert = database.prepare(
    `INSERT INTO versions (sequence, bucket, key, version_id, current, marker, size, etag, modified, traits, tags,
       lock_mode, lock_until, legal_hold) VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const demote = database.prepare('UPDATE versions SET current = 0 WHERE bucket = ? AND key = ? AND current = 1');
  const promote = database.prepare(
    `UPDATE versions SET current = 1 WHERE sequence =
       (SELECT sequence FROM versions WHERE bucket = ? AND key = ? ORDER BY sequence DESC LIMIT 1)`,
  );
  const remove = database.prepare('DELETE FROM versions WHERE sequence = ?');
  const setTags = database.prepare('UPDATE versions SET tags = ? WHERE sequence = ?');
  const setLock = database.prepare(
    'UPDATE versions SET lock_mode = ?, lock_until = ?, legal_hold = ? WHERE sequence = ?',
  );
  const objectPage = database.prepare(
    `SELECT ${columns} FROM versions WHERE bucket = ? AND key >= ? AND key < ? AND current = 1 AND marker = 0
     ORDER BY key LIMIT ?`,
  );
  const versionPage = database.prepare(
    `SELECT ${columns} FROM versions WHERE bucket = ? AND key >= ? AND key < ? ORDER BY key, sequence DESC LIMIT ?`,
  );
  const olderPage = database.prepare(
    `SELECT ${columns} FROM versions WHERE bucket = ? AND key = ? AND sequence < ? ORDER BY sequence DESC LIMIT ?`,
  );

  // Counted here, so that a number is not given twice when the newest version is deleted, at no page of the log.
  let sequence =
    (database.prepare('SELECT max(sequence) AS last FROM versions').get() as { last: number | null }).last ?? 0;

  const rowsOf = (rows: unknown): Version[] => (rows as Row[]).map(versionOf);
  const one = (row: unknown): Version | undefined => (row ? versionOf(row as Row) : undefined);

  const removeRow = (bucket: Bucket, version: Version, garbage: Garbage): void => {
    bodies.dropPieces(version.sequence, garbage);
    remove.run(version.sequence);
    if (version.current) promote.run(bucket.id, version.key);
  };

  const add = (bucket: Bucket, version: NewVersion, marker: boolean, garbage: Garbage): string => {
    const { key, size, etag, modified, traits, tags, lock, pieces } = version;
    let versionId = 'null';
    if (bucket.versioning === 'Enabled') versionId = randomBytes(24).toString('base64url');
    else {
      const replaced = one(byId.get(bucket.id, key, 'null'));
      if (replaced) removeRow(bucket, replaced, garbage);
    }
    demote.run(bucket.id, key);
    const text = tags.length > 0 ? JSON.stringify(tags) : null;
    sequence += 1;
    insert.run(
      ...[sequence, bucket.id, key, versionId, marker ? 1 : 0, size, etag, modified, JSON.stringify(traits), text],
      ...[lock.mode, lock.until, lock.legalHold ? 1 : 0],
    );
    for (const [index, piece] of pieces.entries()) {
      bodies.addPiece(sequence, index + 1, piece.body, piece.checksum);
    }
    return versionId;
  };

  return {
    /** The version that the key means now; a delete marker counts as one. */
    current: (bucket: Bucket, key: string) => one(current.get(bucket.id, key)),
    byId: (bucket: Bucket, key: string, versionId: string) => one(byId.get(bucket.id, key, versionId)),
    /** Throws NoSuchVersion or NoSuchKey; may answer a delete marker. */
    get(bucket: Bucket, key: string, versionId: string | null): Version {
      const found = one(versionId === null ? current.get(bucket.id, key) : byId.get(bucket.id, key, versionId));
      if (found) return found;
      if (versionId === null) throw s3Error('NoSuchKey', undefined, { Key: key });
      throw s3Error('NoSuchVersion', undefined, { Key: key, VersionId: versionId });
    },
    /** Makes a version current: the newest where the bucket has versioning, the only one where not. Answers its id. */
    add: (bucket: Bucket, version: NewVersion, garbage: Garbage): string => add(bucket, version, false, garbage),
    addMarker: (bucket: Bucket, key: string, modified: number, garbage: Garbage): string => {
      const traits = { headers: {}, encryption: bucket.encryption };
      const marker = { key, size: 0, etag: '', modified, traits, tags: [], lock: unlocked, pieces: [] };
      return add(bucket, marker, true, garbage);
    },
    remove: removeRow,
    setTags: (version: Version, tags: Tags) =>
      void setTags.run(tags.length > 0 ? JSON.stringify(tags) : null, version.sequence),
    setLock: (version: Version, { mode, until, legalHold }: Lock) =>
      void setLock.run(mode, until, legalHold ? 1 : 0, version.sequence),
    /** Current objects from `cursor` up to (not including) `end`, in the order of their keys. */
    objectsFrom: (bucket: Bucket, { key }: Cursor, end: string, limit: number): Version[] =>
      rowsOf(objectPage.all(bucket.id, key, end, limit)),
    /** All versions from `cursor`, keys ascending, newest first within a key. */
    versionsFrom(bucket: Bucket, { key, sequence }: Cursor, end: string, limit: number): Version[] {
      if (sequence === undefined) return rowsOf(versionPage.all(bucket.id, key, end, limit));
      const older = rowsOf(olderPage.all(bucket.id, key, sequence, limit));
      return older.length > 0 ? older : rowsOf(versionPage.all(bucket.id, `${key}\0`, end, limit));
    },
  };
};
