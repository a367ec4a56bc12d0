import type { Sql } from '../postgres/sql.ts';

/** A backup whose tenant's Kubernetes objects are not exported yet. */
export interface ExpectedObjects {
  readonly backupId: string;
  readonly tenantId: string;
}

/** What the records of backups say of the Kubernetes objects beside the rows. */
export interface BackupObjects {
  /** Dumped backups of an operation whose tenants have apps of their own, without those that have their objects. */
  expected(operation: string, tenantIds: readonly string[]): Promise<ExpectedObjects[]>;
  /** Binds a backup to a manifest of that SHA-256; false when it is sealed or has ended. A repeat answers the same. */
  note(backupId: string, exported: { readonly objects: number; readonly sha256: string }): Promise<boolean>;
  /** Says why they are not there yet; the reason that counts is the one at sealing. */
  noteReason(backupId: string, reason: string): Promise<void>;
  /** Gives up the objects of a backup that is not sealed. */
  drop(backupId: string, reason: string): Promise<void>;
}

/** Part of the statement that seals: what was not exported by then is missing, and says why. */
export const sealObjects = (table: string): string =>
  `objects_reason = CASE ${table}.objects_state WHEN 'expected'
     THEN coalesce(${table}.objects_reason, 'they were not exported') ELSE ${table}.objects_reason END,
   objects_state = CASE ${table}.objects_state WHEN 'expected' THEN 'missing' ELSE ${table}.objects_state END`;

export const openBackupObjects = (sql: Sql): BackupObjects => ({
  expected: (operation, tenantIds) =>
    sql.query(
      `SELECT id AS "backupId", tenant_id AS "tenantId" FROM backups
       WHERE operation_id = $1 AND tenant_id = ANY ($2) AND status = 'dumped' AND objects_state = 'expected' ORDER BY tenant_id`,
      [operation, tenantIds],
    ),
  note: async (backupId, { objects, sha256 }) => {
    const noted = await sql.query(
      `UPDATE backups SET objects_state = 'archived', objects_count = $2, objects_sha256 = $3, objects_reason = NULL
       WHERE id = $1 AND status = 'dumped' AND objects_state IS NOT NULL RETURNING id`,
      [backupId, objects, sha256],
    );
    return noted.length > 0;
  },
  noteReason: async (backupId, reason) => {
    await sql.query(
      `UPDATE backups SET objects_reason = $2 WHERE id = $1 AND status = 'dumped' AND objects_state = 'expected'`,
      [backupId, reason],
    );
  },
  drop: async (backupId, reason) => {
    await sql.query(
      `UPDATE backups SET objects_state = 'missing', objects_count = NULL, objects_sha256 = NULL, objects_reason = $2
       WHERE id = $1 AND status IN ('open', 'dumped') AND objects_state IS NOT NULL`,
      [backupId, reason],
    );
  },
});
