import type { DatabaseSync } from 'node:sqlite';
import { s3Error } from './errors.ts';
import type { Encryption } from './traits.ts';

export interface LockRule {
  readonly mode: 'GOVERNANCE' | 'COMPLIANCE';
  readonly days: number | null;
  readonly years: number | null;
}

export interface Bucket {
  readonly id: number;
  readonly name: string;
  readonly region: string;
  readonly created: number;
  readonly versioning: 'Enabled' | 'Suspended' | null;
  readonly objectLock: boolean;
  /** Retention that new versions get when their writer names none. */
  readonly lockRule: LockRule | undefined;
  /** Encryption that new versions get when their writer names none. */
  readonly encryption: Encryption;
}

interface Row {
  id: number;
  name: string;
  region: string;
  created: number;
  versioning: 'Enabled' | 'Suspended' | null;
  object_lock: number;
  lock_mode: LockRule['mode'] | null;
  lock_days: number | null;
  lock_years: number | null;
  encryption: string;
  kms_key: string | null;
}

const bucketOf = (row: Row): Bucket => ({
  id: row.id,
  name: row.name,
  region: row.region,
  created: row.created,
  versioning: row.versioning,
  objectLock: row.object_lock === 1,
  lockRule: row.lock_mode ? { mode: row.lock_mode, days: row.lock_days, years: row.lock_years } : undefined,
  encryption: { algorithm: row.encryption, ...(row.kms_key ? { kmsKey: row.kms_key } : {}) },
});

export type BucketRows = ReturnType<typeof openBucketRows>;

/** Buckets and their stored settings. Whatever writes must run inside a commit. */
export const openBucketRows = (database: DatabaseSync) => {
  const byName = database.prepare('SELECT * FROM buckets WHERE name = ?');
  const all = database.prepare('SELECT * FROM buckets WHERE name >= ? ORDER BY name LIMIT ?');
  const insert = database.prepare(
    'INSERT INTO buckets (name, region, created, versioning, object_lock) VALUES (?, ?, ?, ?, ?)',
  );
  const remove = database.prepare('DELETE FROM buckets WHERE id = ?');
  const removeSettings = database.prepare('DELETE FROM settings WHERE bucket = ?');
  const holdsVersions = database.prepare('SELECT 1 FROM versions WHERE bucket = ? LIMIT 1');
  const setVersioning = database.prepare('UPDATE buckets SET versioning = ? WHERE id = ?');
  const setLock = database.prepare(
    'UPDATE buckets SET object_lock = 1, lock_mode = ?, lock_days = ?, lock_years = ? WHERE id = ?',
  );
  const setEncryption = database.prepare('UPDATE buckets SET encryption = ?, kms_key = ? WHERE id = ?');
  const setting = database.prepare('SELECT body FROM settings WHERE bucket = ? AND kind = ?');
  const putSetting = database.prepare('INSERT OR REPLACE INTO settings (bucket, kind, body) VALUES (?, ?, ?)');
  const dropSetting = database.prepare('DELETE FROM settings WHERE bucket = ? AND kind = ?');

  const find = (name: string): Bucket | undefined => {
    const row = byName.get(name) as unknown as Row | undefined;
    return row && bucketOf(row);
  };

  return {
    find,
    /** Throws NoSuchBucket. */
    get(name: string): Bucket {
      const bucket = find(name);
      if (!bucket) throw s3Error('NoSuchBucket', undefined, { BucketName: name });
      return bucket;
    },
    list: (from: string, limit: number): Bucket[] => (all.all(from, limit) as unknown as Row[]).map(bucketOf),
    /** Throws BucketAlreadyOwnedByYou. Object Lock needs versions, so it switches versioning on. */
    add(name: string, region: string, created: number, objectLock: boolean): void {
      if (find(name)) throw s3Error('BucketAlreadyOwnedByYou', undefined, { BucketName: name });
      insert.run(name, region, created, objectLock ? 'Enabled' : null, objectLock ? 1 : 0);
    },
    /** Throws BucketNotEmpty while any version or delete marker is left. */
    remove(bucket: Bucket): void {
      if (holdsVersions.get(bucket.id)) throw s3Error('BucketNotEmpty', undefined, { BucketName: bucket.name });
      removeSettings.run(bucket.id);
      remove.run(bucket.id);
    },
    setVersioning: (bucket: Bucket, status: 'Enabled' | 'Suspended') => void setVersioning.run(status, bucket.id),
    setLock: (bucket: Bucket, rule: LockRule | undefined) =>
      void setLock.run(rule?.mode ?? null, rule?.days ?? null, rule?.years ?? null, bucket.id),
    setEncryption: (bucket: Bucket, encryption: Encryption) =>
      void setEncryption.run(encryption.algorithm, encryption.kmsKey ?? null, bucket.id),
    setting: (bucket: Bucket, kind: string) => (setting.get(bucket.id, kind) as { body: string } | undefined)?.body,
    putSetting: (bucket: Bucket, kind: string, body: string) => void putSetting.run(bucket.id, kind, body),
    dropSetting: (bucket: Bucket, kind: string) => void dropSetting.run(bucket.id, kind),
  };
};
