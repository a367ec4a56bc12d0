import type { DrillOutcome } from '../../domain/backup.ts';
import type { DrillCandidate, DrillResult } from '../../domain/drill.ts';
import type { Sql } from '../postgres/sql.ts';

export interface DrillRecord extends DrillResult {
  readonly drilledAt: Date;
  readonly operation: string;
  readonly takenAt: Date;
  readonly kind: string;
  readonly rows: number;
  readonly bytes: number;
}

export interface DrillFilter {
  readonly tenantIds?: readonly string[] | undefined;
  /** Exactly the archives of these backups. */
  readonly backupIds?: readonly string[] | undefined;
  /** Which archive stands for a tenant: its newest one, or the newest undrilled one and else the longest undrilled one. */
  readonly pick: 'newest' | 'longest-undrilled';
}

export interface Drills {
  /** One sealed archive of each tenant, or the archives of given backups; ordered by tenant. */
  candidates(filter: DrillFilter): Promise<DrillCandidate[]>;
  /** The run before `operation`, whether it tried anything or not. */
  lastRun(operation: string): Promise<string | undefined>;
  /**
   * Notes what a drill found. False, and nothing is noted, when the backup is not sealed any more: what retention deletes
   * while it is read has not failed.
   */
  record(result: DrillResult & { readonly operation: string }): Promise<boolean>;
  /** What an operation found, one for each archive that it tried. */
  ofOperation(operation: string): Promise<DrillRecord[]>;
  /** Drills, newest first. */
  list(filter: {
    tenantId?: string | undefined;
    outcome?: DrillOutcome | undefined;
    limit: number;
  }): Promise<DrillRecord[]>;
}

/** A server that many share: the drill of an archive must not load the server of its tenant. */
const sharedCell = `coalesce(
  (SELECT c.id FROM cells c WHERE c.id = b.cell_id),
  (SELECT p.cell_id FROM placements p WHERE p.id = b.cell_id),
  (SELECT p.cell_id FROM placements p WHERE p.tenant_id = b.tenant_id AND p.active),
  (SELECT min(c.id) FROM cells c))`;

const candidateColumns = `b.tenant_id AS "tenantId", b.id AS "backupId", ${sharedCell} AS cell,
  coalesce(b.schema_fingerprint, '') AS "schemaFingerprint", coalesce(b.bytes, 0)::float8 AS bytes, b.taken_at AS "takenAt",
  b.drill_operation AS "drillOperation"`;

const orders = {
  newest: 'b.taken_at DESC',
  'longest-undrilled':
    'b.drilled_at IS NOT NULL, CASE WHEN b.drilled_at IS NULL THEN b.taken_at END DESC, b.drilled_at, b.taken_at DESC',
} as const satisfies Record<DrillFilter['pick'], string>;

const records = `SELECT d.tenant_id AS "tenantId", d.backup_id AS "backupId", d.outcome, d.reason, d.drilled_at AS "drilledAt",
    d.operation_id AS operation, b.taken_at AS "takenAt", b.kind, b.rows, b.bytes
  FROM drills d JOIN backups b ON b.id = d.backup_id`;

const recordDrill = `
  WITH noted AS (
    UPDATE backups SET drilled_at = clock_timestamp(), drill_operation = $2, drill_outcome = $3, drill_reason = $4
    WHERE id = $1 AND status = 'sealed' RETURNING id, tenant_id)
  INSERT INTO drills (operation_id, backup_id, tenant_id, outcome, reason) SELECT $2, id, tenant_id, $3, $4 FROM noted
  ON CONFLICT (operation_id, backup_id) DO UPDATE SET outcome = excluded.outcome, reason = excluded.reason,
    drilled_at = excluded.drilled_at
  RETURNING backup_id`;

export const openDrills = (sql: Sql): Drills => ({
  candidates: ({ tenantIds, backupIds, pick }) =>
    backupIds
      ? sql.query(
          `SELECT ${candidateColumns}, b.drilled_at AS "lastDrilledAt" FROM backups b
           WHERE b.status = 'sealed' AND b.id IN (SELECT archive_id FROM backups WHERE id = ANY ($1) AND status = 'sealed')
           ORDER BY b.tenant_id, b.id`,
          [backupIds],
        )
      : sql.query(
          `SELECT DISTINCT ON (b.tenant_id) ${candidateColumns},
             max(b.drilled_at) OVER (PARTITION BY b.tenant_id) AS "lastDrilledAt"
           FROM backups b
           WHERE b.status = 'sealed' AND b.same_as IS NULL AND ($1::text[] IS NULL OR b.tenant_id = ANY ($1))
           ORDER BY b.tenant_id, ${orders[pick]}, b.id`,
          [tenantIds],
        ),
  lastRun: async (operation) =>
    (
      await sql.query<{ operation: string }>(
        `SELECT id AS operation FROM operations WHERE kind = 'drill-restores' AND id <> $1 ORDER BY sequence DESC LIMIT 1`,
        [operation],
      )
    )[0]?.operation,
  record: async ({ backupId, operation, outcome, reason }) => {
    const noted = await sql.query(recordDrill, [backupId, operation, outcome, reason]);
    return noted.length > 0;
  },
  ofOperation: (operation) =>
    sql.query(`${records} WHERE d.operation_id = $1 ORDER BY d.tenant_id, d.backup_id`, [operation]),
  list: ({ tenantId, outcome, limit }) =>
    sql.query(
      `${records} WHERE ($1::text IS NULL OR d.tenant_id = $1) AND ($2::text IS NULL OR d.outcome = $2)
       ORDER BY d.drilled_at DESC LIMIT $3`,
      [tenantId, outcome, limit],
    ),
});
