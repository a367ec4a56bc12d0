import { createHash } from 'node:crypto';
import type { Backup, BackupAge, BackupKind, Digests } from '../../domain/backup.ts';
import { StepFailure } from '../../domain/errors.ts';
import type { Sql } from '../postgres/sql.ts';
import { sealObjects } from './backup-objects.ts';

export interface NewBackup {
  readonly id: string;
  readonly tenantId: string;
  readonly operationId: string;
  readonly kind: BackupKind;
  /** The pool's cell, or the place of the tenant's own database (`sharedDatabase`). */
  readonly cell: string;
  readonly reason?: string | undefined;
}

export interface Dump {
  readonly takenAt: string;
  readonly rows: number;
  readonly bytes: number;
  readonly schemaFingerprint: string;
  readonly digests: Digests;
  readonly sameAs: string | null;
}

export interface Backups {
  /** Records that a backup begins. A repeat answers the recorded one, whatever became of it. */
  open(backup: NewBackup): Promise<Backup>;
  /** Notes the written archive. A repeat replaces the note; throws StaleOperation when the backup has ended. */
  recordDump(id: string, dump: Dump): Promise<void>;
  /**
   * Makes the backup restorable, bound to a manifest of that SHA-256; a repeat answers the same. Throws StaleOperation unless
   * its archive was recorded.
   */
  seal(id: string, manifestSha256: string): Promise<Backup>;
  /** Ends a backup that is not sealed; false when it is sealed, deleted or unknown. The first reason stays. */
  fail(id: string, reason: string): Promise<boolean>;
  get(id: string): Promise<Backup | undefined>;
  /** Newest sealed backup taken at or before `asOf` (ISO 8601), or of all. */
  newestSealed(tenantId: string, asOf?: string): Promise<Backup | undefined>;
  /** Sealed backups of a tenant, newest snapshot first. */
  sealed(tenantId: string): Promise<Backup[]>;
  /** All backups of a tenant, newest first. */
  list(tenantId: string, limit?: number): Promise<Backup[]>;
  ofOperation(operationId: string): Promise<Backup[]>;
  /** Active tenants that have a place, with the age of their newest sealed backup. */
  ages(filter?: { plan?: string | undefined; tenantIds?: readonly string[] | undefined }): Promise<BackupAge[]>;
}

/** Deterministic, so that a repeated step finds its own backup: `b-` and 12 hex digits, 48 bits per tenant and operation. */
export const backupIdOf = (operation: string, tenantId: string): string =>
  `b-${createHash('sha256').update(`${operation}/${tenantId}`).digest('hex').slice(0, 12)}`;

const drillOf = (column: string): string =>
  `(SELECT archive.${column} FROM backups archive WHERE archive.id = backups.archive_id)`;

/** A backup as its readers know it, from a query over `backups` under that name. */
export const backupColumns = `id, tenant_id AS "tenantId", operation_id AS "operationId", kind, status, cell_id AS cell,
  to_char(taken_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "takenAt", rows, bytes,
  schema_fingerprint AS "schemaFingerprint", digests, same_as AS "sameAs", archive_id AS "archiveId", reason,
  manifest_sha256 AS "manifestSha256", objects_state AS "objectsState", objects_count AS "objectsCount",
  objects_sha256 AS "objectsSha256", objects_reason AS "objectsReason", ${drillOf('drilled_at')} AS "drilledAt", ${drillOf('drill_outcome')} AS "drillOutcome",
  ${drillOf('drill_reason')} AS "drillReason", held_at AS "heldAt", held_by AS "heldBy", hold_reason AS "holdReason",
  deleted_at AS "deletedAt", opened_at AS "openedAt", sealed_at AS "sealedAt"`;
const columns = backupColumns;

export const openBackups = (sql: Sql): Backups => {
  const get = async (id: string): Promise<Backup | undefined> =>
    (await sql.query<Backup>(`SELECT ${columns} FROM backups WHERE id = $1`, [id]))[0];
  const stale = async (id: string, wanted: string): Promise<StepFailure> => {
    const found = await get(id);
    const state = found ? `is ${found.status}${found.reason ? ` (${found.reason})` : ''}` : 'does not exist';
    return new StepFailure('StaleOperation', `backup ${id} ${state} and cannot be ${wanted}; start a new one`);
  };
  return {
    open: async ({ id, tenantId, operationId, kind, cell, reason }) => {
      await sql.query(
        `INSERT INTO backups (id, tenant_id, operation_id, kind, cell_id, archive_id, reason)
         VALUES ($1, $2, $3, $4, $5, $1, $6) ON CONFLICT (id) DO NOTHING`,
        [id, tenantId, operationId, kind, cell, reason],
      );
      const backup = await get(id);
      if (backup?.tenantId !== tenantId)
        throw new Error(
          `backup id ${id} of tenant ${tenantId} is taken by tenant ${backup?.tenantId}; use another operation id`,
        );
      return backup;
    },
    recordDump: async (id, { takenAt, rows, bytes, schemaFingerprint, digests, sameAs }) => {
      const [recorded] = await sql.query(
        `UPDATE backups SET status = 'dumped', taken_at = $2, rows = $3, bytes = $4, schema_fingerprint = $5, digests = $6,
           same_as = $7, archive_id = coalesce($7, id)
         WHERE id = $1 AND status IN ('open', 'dumped') RETURNING id`,
        [id, takenAt, rows, bytes, schemaFingerprint, JSON.stringify(digests), sameAs],
      );
      if (!recorded) throw await stale(id, 'dumped');
    },
    seal: async (id, manifestSha256) => {
      await sql.query(
        `UPDATE backups SET status = 'sealed', sealed_at = clock_timestamp(), manifest_sha256 = $2, ${sealObjects('backups')}
         WHERE id = $1 AND status = 'dumped'`,
        [id, manifestSha256],
      );
      const backup = await get(id);
      if (backup?.status !== 'sealed') throw await stale(id, 'sealed');
      return backup;
    },
    fail: async (id, reason) => {
      const [failed] = await sql.query(
        `UPDATE backups SET reason = CASE status WHEN 'failed' THEN reason ELSE $2 END, status = 'failed'
         WHERE id = $1 AND status IN ('open', 'dumped', 'failed') RETURNING id`,
        [id, reason],
      );
      return failed !== undefined;
    },
    get,
    newestSealed: async (tenantId, asOf) =>
      (
        await sql.query<Backup>(
          `SELECT ${columns} FROM backups WHERE tenant_id = $1 AND status = 'sealed' AND ($2::timestamptz IS NULL OR taken_at <= $2)
           ORDER BY taken_at DESC, opened_at DESC LIMIT 1`,
          [tenantId, asOf],
        )
      )[0],
    sealed: (tenantId) =>
      sql.query(`SELECT ${columns} FROM backups WHERE tenant_id = $1 AND status = 'sealed' ORDER BY taken_at DESC`, [
        tenantId,
      ]),
    list: (tenantId, limit = 100) =>
      sql.query(`SELECT ${columns} FROM backups WHERE tenant_id = $1 ORDER BY opened_at DESC LIMIT $2`, [
        tenantId,
        limit,
      ]),
    ofOperation: (operationId) =>
      sql.query(`SELECT ${columns} FROM backups WHERE operation_id = $1 ORDER BY tenant_id`, [operationId]),
    ages: ({ plan, tenantIds } = {}) =>
      sql.query(
        `SELECT t.id AS "tenantId", CASE WHEN p.isolation = 'pooled' THEN p.cell_id ELSE p.id END AS cell, t.plan,
           b.taken_at AS "takenAt", b.bytes
         FROM tenants t JOIN placements p ON p.tenant_id = t.id AND p.active
         LEFT JOIN LATERAL (SELECT taken_at, bytes FROM backups WHERE tenant_id = t.id AND status = 'sealed'
           ORDER BY taken_at DESC LIMIT 1) b ON true
         WHERE t.status = 'active' AND ($1::text IS NULL OR t.plan = $1) AND ($2::text[] IS NULL OR t.id = ANY ($2))
         ORDER BY t.id`,
        [plan, tenantIds],
      ),
  };
};
