/**
 * Metadata of the laptop S3. Keys are compared as SQLite compares text, byte by byte of UTF-8, which is S3's order.
 * `current` is the version that a request without versionId means; its unique index lets no key have two.
 * A body row is shared by copies; `uses` counts the pieces and parts that refer to it, and at zero it goes.
 */
export const schema = `
CREATE TABLE IF NOT EXISTS buckets (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  region TEXT NOT NULL,
  created INTEGER NOT NULL,
  versioning TEXT CHECK (versioning IN ('Enabled', 'Suspended')),
  object_lock INTEGER NOT NULL DEFAULT 0,
  lock_mode TEXT,
  lock_days INTEGER,
  lock_years INTEGER,
  encryption TEXT NOT NULL DEFAULT 'AES256',
  kms_key TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS settings (
  bucket INTEGER NOT NULL,
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (bucket, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions (
  sequence INTEGER PRIMARY KEY,
  bucket INTEGER NOT NULL,
  key TEXT NOT NULL,
  version_id TEXT NOT NULL,
  current INTEGER NOT NULL,
  marker INTEGER NOT NULL,
  size INTEGER NOT NULL,
  etag TEXT NOT NULL,
  modified INTEGER NOT NULL,
  traits TEXT NOT NULL,
  tags TEXT,
  lock_mode TEXT,
  lock_until INTEGER,
  legal_hold INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS current_versions ON versions (bucket, key) WHERE current = 1;
CREATE INDEX IF NOT EXISTS versions_by_key ON versions (bucket, key, sequence DESC);
CREATE TABLE IF NOT EXISTS bodies (
  id INTEGER PRIMARY KEY,
  size INTEGER NOT NULL,
  uses INTEGER NOT NULL,
  file TEXT UNIQUE,
  bytes BLOB
) STRICT;
CREATE TABLE IF NOT EXISTS pieces (
  sequence INTEGER NOT NULL,
  number INTEGER NOT NULL,
  body INTEGER NOT NULL,
  checksum TEXT,
  PRIMARY KEY (sequence, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uploads (
  sequence INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  bucket INTEGER NOT NULL,
  key TEXT NOT NULL,
  initiated INTEGER NOT NULL,
  description TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS uploads_by_key ON uploads (bucket, key, sequence);
CREATE TABLE IF NOT EXISTS parts (
  upload TEXT NOT NULL,
  number INTEGER NOT NULL,
  body INTEGER NOT NULL,
  size INTEGER NOT NULL,
  etag TEXT NOT NULL,
  checksum TEXT,
  modified INTEGER NOT NULL,
  PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;
`;
