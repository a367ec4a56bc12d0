import type { Backup } from '../../domain/backup.ts';
import type { RetainedBackup } from '../../domain/retention.ts';
import type { Sql } from '../postgres/sql.ts';
import { backupColumns } from './backups.ts';

export interface RetentionPage {
  readonly plan?: string | undefined;
  readonly tenantIds?: readonly string[] | undefined;
  /** Last tenant of the page before. */
  readonly after?: string | undefined;
  readonly limit: number;
}

export interface RetentionRecords {
  /** Tenants, gone ones too, that have a sealed backup or a deleted one whose objects may still be there; by id. */
  tenants(page: RetentionPage): Promise<{ readonly tenantId: string; readonly plan: string }[]>;
  sealed(tenantId: string): Promise<RetainedBackup[]>;
  /**
   * Takes a sealed backup out of every restore's sight, for good; false when it is not sealed any more. PostgreSQL refuses
   * (23514) while it is under legal hold or another sealed backup points to it.
   */
  delete(id: string, operation: string): Promise<boolean>;
  /** Deleted backups of a tenant whose objects may still be in the bucket. */
  toRemove(tenantId: string): Promise<string[]>;
  noteRemoved(id: string): Promise<void>;
  /** How many backups an operation deleted. */
  deletedBy(operation: string): Promise<number>;
  /** Puts a sealed backup under legal hold, or renews who and why; undefined unless it is sealed. */
  hold(id: string, hold: { by: string; reason: string }): Promise<Backup | undefined>;
  /** Ends a legal hold; a repeat answers the same. Undefined unless the backup is sealed. */
  release(id: string): Promise<Backup | undefined>;
  /** Whether a backup other than `id` that has the same archive is under legal hold. */
  holdsArchive(archiveId: string, id: string): Promise<boolean>;
}

export const openRetention = (sql: Sql): RetentionRecords => {
  const change = async (id: string, set: string, values: readonly unknown[] = []): Promise<Backup | undefined> =>
    (
      await sql.query<Backup>(
        `UPDATE backups SET ${set} WHERE id = $1 AND status = 'sealed' RETURNING ${backupColumns}`,
        [id, ...values],
      )
    )[0];
  return {
    tenants: ({ plan, tenantIds, after = '', limit }) =>
      sql.query(
        `SELECT b.tenant_id AS "tenantId", coalesce(t.plan, '') AS plan
         FROM (SELECT DISTINCT tenant_id FROM backups WHERE status = 'sealed' OR (status = 'deleted' AND removed_at IS NULL)) b
         LEFT JOIN tenants t ON t.id = b.tenant_id
         WHERE b.tenant_id > $1 AND ($2::text IS NULL OR t.plan = $2) AND ($3::text[] IS NULL OR b.tenant_id = ANY ($3))
         ORDER BY b.tenant_id LIMIT $4`,
        [after, plan, tenantIds, limit],
      ),
    sealed: (tenantId) =>
      sql.query(
        `SELECT b.id, b.kind, b.taken_at AS "takenAt", b.same_as AS "sameAs", b.held_at IS NOT NULL AS held,
           a.drill_outcome AS "drillOutcome"
         FROM backups b JOIN backups a ON a.id = b.archive_id WHERE b.tenant_id = $1 AND b.status = 'sealed'`,
        [tenantId],
      ),
    delete: async (id, operation) => {
      const gone = await sql.query(
        `UPDATE backups SET status = 'deleted', deleted_at = clock_timestamp(), deleted_by = $2
         WHERE id = $1 AND status = 'sealed' RETURNING id`,
        [id, operation],
      );
      return gone.length > 0;
    },
    toRemove: async (tenantId) =>
      (
        await sql.query<{ id: string }>(
          `SELECT id FROM backups WHERE tenant_id = $1 AND status = 'deleted' AND removed_at IS NULL ORDER BY id`,
          [tenantId],
        )
      ).map(({ id }) => id),
    noteRemoved: async (id) => {
      await sql.query(`UPDATE backups SET removed_at = clock_timestamp() WHERE id = $1 AND removed_at IS NULL`, [id]);
    },
    deletedBy: async (operation) =>
      (
        await sql.query<{ count: number }>('SELECT count(*)::integer AS count FROM backups WHERE deleted_by = $1', [
          operation,
        ])
      )[0]?.count ?? 0,
    hold: (id, { by, reason }) =>
      change(id, 'held_at = coalesce(held_at, clock_timestamp()), held_by = $2, hold_reason = $3', [by, reason]),
    release: (id) => change(id, 'held_at = NULL, held_by = NULL, hold_reason = NULL'),
    holdsArchive: async (archiveId, id) =>
      (
        await sql.query('SELECT FROM backups WHERE archive_id = $1 AND id <> $2 AND held_at IS NOT NULL LIMIT 1', [
          archiveId,
          id,
        ])
      ).length > 0,
  };
};
