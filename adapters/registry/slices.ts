import type { BackupKind, BackupStatus, Digests } from '../../domain/backup.ts';
import type { TenantStatus } from '../../domain/tenant.ts';
import type { Sql } from '../postgres/sql.ts';
import { sealObjects } from './backup-objects.ts';
import { backupIdOf, type Dump } from './backups.ts';

/** A tenant as a backup finds it. */
export interface Candidate {
  readonly tenantId: string;
  readonly status: TenantStatus;
  /** The pool's cell, or the place of its own database; null where it has none. */
  readonly cell: string | null;
  /** Its app is not the shared one. */
  readonly ownApp: boolean;
}

export interface SliceRecord {
  readonly id: string;
  readonly tenantId: string;
  readonly kind: BackupKind;
  readonly status: BackupStatus;
  readonly reason: string | null;
}

/** The newest sealed backup of a tenant, as the next one compares itself with it. */
export interface NewestSealed {
  readonly tenantId: string;
  readonly archiveId: string;
  readonly rows: number;
  readonly bytes: number;
  readonly schemaFingerprint: string;
  readonly digests: Digests;
  readonly manifestSha256: string | null;
}

/** A written archive as it is noted: with the SHA-256 of its manifest where that is known. */
export interface Note extends Dump {
  readonly id: string;
  readonly manifestSha256: string | null;
}

/** What a fleet's backup does with thousands of records: each a statement for all, whatever their number. */
export interface Slices {
  candidates(tenantIds: readonly string[]): Promise<Candidate[]>;
  /** Opens a record for every tenant, or finds it; answers them as they are. */
  open(backups: {
    operation: string;
    tenantIds: readonly string[];
    kind: BackupKind;
    cell: string;
    reason?: string | undefined;
    /** Those of them whose Kubernetes objects belong into the backup. */
    ownApps?: readonly string[];
  }): Promise<SliceRecord[]>;
  /** Records that the operation opened for these tenants. */
  records(operation: string, tenantIds: readonly string[]): Promise<SliceRecord[]>;
  /** Newest sealed backups of these tenants, without those whose archive a drill could not restore. */
  newestSealed(tenantIds: readonly string[]): Promise<NewestSealed[]>;
  /** Notes written archives like `recordDump` of one; answers the ids that took the note, which an ended backup does not. */
  recordDumps(dumps: readonly Note[]): Promise<Set<string>>;
  /** Seals dumped records that point to a sealed and bound archive; answers their ids. */
  sealPointing(operation: string, tenantIds: readonly string[]): Promise<string[]>;
  /** Seals dumped records, each bound to its manifest; answers their ids. */
  seal(manifests: ReadonlyMap<string, string>): Promise<string[]>;
  /** Ends records that are not sealed; answers the ids of those that are failed now. The first reason stays. */
  fail(failures: readonly { readonly backupId: string; readonly reason: string }[]): Promise<Set<string>>;
}

const record = 'b.id, b.tenant_id AS "tenantId", b.kind, b.status, b.reason';

/**
 * The registry's own statistics are as old as its last ANALYZE: a nested loop that looks cheap for the three records of then
 * compares 5,000 with 10,000 (more than 15 s were measured). An index on either side is always there, so it is asked for, and the
 * plan is made for the arrays at hand.
 */
const byIndex = `SELECT set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true)`;

export const openSlices = (sql: Sql): Slices => {
  const ids = (rows: readonly { id: string }[]): string[] => rows.map(({ id }) => id);
  const query = <Row extends object>(text: string, values: readonly unknown[]): Promise<Row[]> =>
    sql.transaction(async (within) => {
      await within.query(byIndex);
      return within.query<Row>(text, values);
    });
  const records: Slices['records'] = (operation, tenantIds) =>
    query(
      `SELECT ${record} FROM unnest($2::text[]) AS w (tenant_id)
       JOIN backups b ON b.operation_id = $1 AND b.tenant_id = w.tenant_id ORDER BY b.tenant_id`,
      [operation, tenantIds],
    );
  return {
    candidates: (tenantIds) =>
      query(
        `SELECT t.id AS "tenantId", t.status, CASE WHEN p.isolation = 'pooled' THEN p.cell_id ELSE p.id END AS cell,
           coalesce(p.tier <> 'shared' AND p.namespace IS NOT NULL, false) AS "ownApp"
         FROM unnest($1::text[]) AS w (id) JOIN tenants t ON t.id = w.id
         LEFT JOIN placements p ON p.tenant_id = t.id AND p.active`,
        [tenantIds],
      ),
    open: async ({ operation, tenantIds, kind, cell, reason, ownApps = [] }) => {
      await query(
        `INSERT INTO backups (id, tenant_id, operation_id, kind, cell_id, archive_id, reason, objects_state)
         SELECT id, tenant_id, $3, $4, $5, id, $6, CASE WHEN tenant_id = ANY ($7) THEN 'expected' END FROM unnest($1::text[], $2::text[]) AS n (id, tenant_id)
         ON CONFLICT DO NOTHING`,
        [
          tenantIds.map((tenantId) => backupIdOf(operation, tenantId)),
          tenantIds,
          operation,
          kind,
          cell,
          reason,
          ownApps,
        ],
      );
      return records(operation, tenantIds);
    },
    records,
    newestSealed: (tenantIds) =>
      query(
        `SELECT b.tenant_id AS "tenantId", b.archive_id AS "archiveId", b.rows, b.bytes,
           b.schema_fingerprint AS "schemaFingerprint", b.digests, b.manifest_sha256 AS "manifestSha256"
         FROM unnest($1::text[]) AS t (id) CROSS JOIN LATERAL (
           SELECT * FROM backups WHERE tenant_id = t.id AND status = 'sealed' ORDER BY taken_at DESC, opened_at DESC LIMIT 1) b
         WHERE b.schema_fingerprint IS NOT NULL AND b.digests IS NOT NULL
           AND NOT EXISTS (SELECT FROM backups a WHERE a.id = b.archive_id AND a.drill_outcome = 'failed')`,
        [tenantIds],
      ),
    recordDumps: async (dumps) => {
      // What points to another record has its digests from there: they are most of the text.
      const text = JSON.stringify(dumps.map((dump) => (dump.sameAs === null ? dump : { ...dump, digests: null })));
      const noted = await query<{ id: string }>(
        `UPDATE backups b SET status = 'dumped', taken_at = d."takenAt", rows = d.rows, bytes = d.bytes,
           schema_fingerprint = d."schemaFingerprint", same_as = d."sameAs", archive_id = coalesce(d."sameAs", b.id),
           manifest_sha256 = d."manifestSha256",
           digests = CASE WHEN d."sameAs" IS NULL THEN d.digests ELSE (SELECT digests FROM backups WHERE id = d."sameAs") END
         FROM jsonb_to_recordset($1::jsonb) AS d (id text, "takenAt" timestamptz, rows bigint, bytes bigint,
           "schemaFingerprint" text, digests jsonb, "sameAs" text, "manifestSha256" text)
         WHERE b.id = d.id AND b.status IN ('open', 'dumped') RETURNING b.id`,
        [text],
      );
      return new Set(ids(noted));
    },
    sealPointing: async (operation, tenantIds) =>
      ids(
        await query<{ id: string }>(
          `UPDATE backups b SET status = 'sealed', sealed_at = clock_timestamp(), manifest_sha256 = a.manifest_sha256, ${sealObjects('b')}
           FROM unnest($2::text[]) AS w (tenant_id), backups a
           WHERE b.operation_id = $1 AND b.tenant_id = w.tenant_id AND b.status = 'dumped' AND a.id = b.same_as AND a.status = 'sealed' AND a.manifest_sha256 IS NOT NULL AND a.drill_outcome IS DISTINCT FROM 'failed' RETURNING b.id`,
          [operation, tenantIds],
        ),
      ),
    seal: async (manifests) =>
      ids(
        await query<{ id: string }>(
          `UPDATE backups b SET status = 'sealed', sealed_at = clock_timestamp(), manifest_sha256 = m.sha256, ${sealObjects('b')}
           FROM unnest($1::text[], $2::text[]) AS m (id, sha256) WHERE b.id = m.id AND b.status = 'dumped' RETURNING b.id`,
          [[...manifests.keys()], [...manifests.values()]],
        ),
      ),
    fail: async (failures) => {
      if (failures.length === 0) return new Set();
      const failed = await query<{ id: string }>(
        `UPDATE backups b SET reason = CASE b.status WHEN 'failed' THEN b.reason ELSE f.reason END, status = 'failed'
         FROM unnest($1::text[], $2::text[]) AS f (id, reason) WHERE b.id = f.id AND b.status IN ('open', 'dumped', 'failed')
         RETURNING b.id`,
        [failures.map(({ backupId }) => backupId), failures.map(({ reason }) => reason)],
      );
      return new Set(ids(failed));
    },
  };
};
