/**
 * Kubernetes objects of tenants' own apps: whether a backup has them. A sealed backup says so for good (`sealed_backup_stays`); one
 * that is sealed while they are still expected has none.
 */
export const migration014 = {
  name: '014-objects',
  sql: `
ALTER TABLE backups
  -- NULL: the tenant's app is the shared one, or the backup is older than this.
  ADD COLUMN objects_state text CHECK (objects_state IN ('expected', 'archived', 'missing')),
  ADD COLUMN objects_count integer,
  ADD COLUMN objects_sha256 text CHECK (objects_sha256 ~ '^[0-9a-f]{64}$'),
  ADD COLUMN objects_reason text,
  ADD CHECK ((objects_state IS NOT DISTINCT FROM 'archived') = (objects_sha256 IS NOT NULL)),
  ADD CHECK ((objects_sha256 IS NULL) = (objects_count IS NULL)),
  ADD CHECK (objects_state IS DISTINCT FROM 'missing' OR objects_reason IS NOT NULL),
  ADD CHECK (status <> 'sealed' OR objects_state IS DISTINCT FROM 'expected');
`,
} as const;
