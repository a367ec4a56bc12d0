import { StepFailure } from '../../domain/errors.ts';
import type { RestoreStatus } from '../../domain/restore.ts';
import type { ObjectsReport, ObjectsRequest } from '../../domain/restore-objects.ts';
import type { RestorePlanNotes, RestoreReport, StagedTable, SwapResult } from '../../domain/restore-report.ts';
import type { RowsRequest } from '../../domain/rows.ts';
import type { Sql } from '../postgres/sql.ts';

export interface NewRestore {
  readonly id: string;
  readonly tenantId: string;
  readonly operationId: string;
  readonly backupId: string;
  readonly takenAt: string;
  readonly asOf: string | null;
  readonly missingSeconds: number;
  /** `schema.table` in foreign-key order. */
  readonly tables: readonly string[];
  readonly rows: RowsRequest | null;
  /** Kubernetes objects that are restored too, or alone: then `tables` is empty. */
  readonly objects?: ObjectsRequest | null;
  readonly into: 'copy' | 'in-place' | 'new-tenant';
  /** Whose backup it is, where `tenantId` is a tenant that is made of it. */
  readonly sourceTenantId?: string | null;
  readonly approval: boolean;
  readonly dryRun: boolean;
  readonly stagingSchema: string;
  readonly undoSchema: string;
  readonly plan: RestorePlanNotes;
  readonly reason?: string | undefined;
  readonly requestedBy?: string | undefined;
}

export interface Restore extends Omit<NewRestore, 'takenAt' | 'asOf' | 'reason' | 'requestedBy'> {
  readonly takenAt: Date;
  readonly asOf: Date | null;
  /** The operation that planned it; `operationId` is the one in charge now. */
  readonly openedBy: string;
  readonly status: RestoreStatus;
  readonly staged: readonly StagedTable[] | null;
  readonly report: RestoreReport | null;
  /** What restoring the objects would change. */
  readonly objectsPlan: ObjectsReport | null;
  /** What it set out to change; null until it began. */
  readonly objectsResult: ObjectsReport | null;
  /** Has the objects as they were before; null until it began. */
  readonly safetyBackupId: string | null;
  readonly result: (SwapResult & { readonly fencedMs: number }) | null;
  readonly undo: SwapResult | null;
  readonly undoUntil: Date | null;
  readonly reason: string | null;
  readonly requestedBy: string | null;
  readonly failure: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly stagedAt: Date | null;
  readonly comparedAt: Date | null;
  readonly swappedAt: Date | null;
  readonly undoneAt: Date | null;
  readonly endedAt: Date | null;
}

/** A step may only move a restore that its own operation is in charge of. */
interface InCharge {
  readonly id: string;
  readonly operation: string;
}

export interface Restores {
  /** Records the plan; a repeat by the same operation answers the recorded one. */
  plan(restore: NewRestore): Promise<Restore>;
  get(id: string): Promise<Restore | undefined>;
  /** Staging and undo schemas that restores of the tenant made, gone or not. */
  schemasOf(tenantId: string): Promise<string[]>;
  /**
   * Throws RestoreNotFound when there is none of that id for that tenant, and StaleOperation when `operation` is given and
   * another one is in charge of it.
   */
  require(request: { id: string; tenantId: string; operation?: string }): Promise<Restore>;
  /** Newest first. */
  list(filter: {
    tenantId?: string | undefined;
    status?: RestoreStatus | undefined;
    limit: number;
  }): Promise<Restore[]>;
  /** Restores that an operation planned or opened again. */
  ofOperation(operation: string): Promise<Restore[]>;
  /** Puts `operation` in charge of a staged copy; throws RestoreRefused unless it is one. A repeat answers the same. */
  reopen(request: InCharge & { approval: boolean; dryRun: boolean }): Promise<Restore>;
  noteStaged(request: InCharge & { staged: readonly StagedTable[] }): Promise<void>;
  noteCompared(request: InCharge & { report: RestoreReport }): Promise<void>;
  noteObjectsPlanned(request: InCharge & { report: ObjectsReport }): Promise<void>;
  /** Before the first object changes. Answers what the first attempt noted. */
  noteObjectsBegun(request: InCharge & { report: ObjectsReport; safetyBackupId: string }): Promise<ObjectsReport>;
  noteAwaiting(request: InCharge): Promise<void>;
  noteSwapped(
    request: InCharge & { result: SwapResult & { fencedMs: number }; undoUntil: Date; report: RestoreReport },
  ): Promise<void>;
  /** Ends the restore into a new tenant: so many rows were loaded, in so many milliseconds. A repeat changes nothing. */
  noteCloned(request: InCharge & { rows: number; millis: number }): Promise<void>;
  /** Ends it: objects restored, kept as a copy or only looked at. A swapped one keeps its status. */
  finish(request: InCharge & { outcome: 'swapped' | 'restored' | 'staged' | 'previewed' }): Promise<Restore>;
  /** Gives a staged copy back after a failed swap, ends any other one as failed. Swapped ones are left alone; a clone goes with its tenant. */
  abandon(request: InCharge & { failure: string }): Promise<void>;
  noteUndone(request: { id: string; undo: SwapResult }): Promise<void>;
  noteDiscarded(id: string): Promise<void>;
}

const columns = `id, tenant_id AS "tenantId", operation_id AS "operationId", opened_by AS "openedBy", backup_id AS "backupId",
  taken_at AS "takenAt", as_of AS "asOf", missing_seconds AS "missingSeconds", tables, rows, into_place AS "into", source_tenant_id AS "sourceTenantId", approval,
  dry_run AS "dryRun", status, staging_schema AS "stagingSchema", undo_schema AS "undoSchema", staged, plan, report, result,
  objects, objects_plan AS "objectsPlan", objects_result AS "objectsResult", safety_backup_id AS "safetyBackupId",
  undo, undo_until AS "undoUntil", reason, requested_by AS "requestedBy", failure, created_at AS "createdAt",
  updated_at AS "updatedAt", staged_at AS "stagedAt", compared_at AS "comparedAt", swapped_at AS "swappedAt",
  undone_at AS "undoneAt", ended_at AS "endedAt"`;

const insertRestore = `
  INSERT INTO restores (id, tenant_id, operation_id, opened_by, backup_id, taken_at, as_of, missing_seconds, tables, rows,
    into_place, approval, dry_run, staging_schema, undo_schema, plan, reason, requested_by, source_tenant_id, objects)
  VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) ON CONFLICT (id) DO NOTHING`;

/** What a restore must be to end in that way. Where people approved it, it has waited for them since. */
const finishable: Readonly<Record<'swapped' | 'restored' | 'staged' | 'previewed', readonly RestoreStatus[]>> = {
  swapped: ['swapped'],
  restored: ['compared', 'awaiting-approval', 'restored'],
  staged: ['compared', 'staged'],
  previewed: ['compared', 'previewed'],
};

const json = (value: unknown): string | null => (value === null || value === undefined ? null : JSON.stringify(value));

const taken = ({ id, operationId }: Restore): StepFailure =>
  new StepFailure('StaleOperation', `restore ${id} is in the hands of operation ${operationId} now`);

export const openRestores = (sql: Sql): Restores => {
  const get = async (id: string): Promise<Restore | undefined> =>
    (await sql.query<Restore>(`SELECT ${columns} FROM restores WHERE id = $1`, [id]))[0];

  /** Moves on from one of `from`; otherwise says why not. `set` may use parameters from $4 on. */
  const move = async (
    { id, operation }: InCharge,
    from: readonly RestoreStatus[],
    set: string,
    values: readonly unknown[] = [],
  ): Promise<Restore> => {
    const [moved] = await sql.query<Restore>(
      `UPDATE restores SET updated_at = now(), ${set}
       WHERE id = $1 AND operation_id = $2 AND status = ANY($3) RETURNING ${columns}`,
      [id, operation, from, ...values],
    );
    if (moved) return moved;
    const known = await get(id);
    if (!known) throw new StepFailure('RestoreNotFound', `restore ${id} is not in the registry; check the id`);
    if (known.operationId !== operation) throw taken(known);
    throw new StepFailure('RestoreRefused', `restore ${id} is ${known.status}; this step needs ${from.join(' or ')}`);
  };

  return {
    plan: async (restore) => {
      await sql.query(insertRestore, [
        restore.id,
        restore.tenantId,
        restore.operationId,
        restore.backupId,
        restore.takenAt,
        restore.asOf,
        restore.missingSeconds,
        json(restore.tables),
        json(restore.rows),
        restore.into,
        restore.approval,
        restore.dryRun,
        restore.stagingSchema,
        restore.undoSchema,
        json(restore.plan),
        restore.reason,
        restore.requestedBy,
        restore.sourceTenantId,
        json(restore.objects),
      ]);
      const planned = await get(restore.id);
      if (!planned) throw new Error(`restore ${restore.id} vanished while it was planned`);
      return planned;
    },
    get,
    schemasOf: async (tenantId) =>
      (
        await sql.query<{ schema: string }>(
          'SELECT unnest(ARRAY[staging_schema, undo_schema]) AS schema FROM restores WHERE tenant_id = $1',
          [tenantId],
        )
      ).map(({ schema }) => schema),
    require: async ({ id, tenantId, operation }) => {
      const restore = await get(id);
      if (restore?.tenantId !== tenantId)
        throw new StepFailure('RestoreNotFound', `tenant ${tenantId} has no restore ${id}; list the tenant's restores`);
      if (operation !== undefined && restore.operationId !== operation) throw taken(restore);
      return restore;
    },
    list: ({ tenantId, status, limit }) =>
      sql.query<Restore>(
        `SELECT ${columns} FROM restores WHERE ($1::text IS NULL OR tenant_id = $1) AND ($2::text IS NULL OR status = $2)
         ORDER BY created_at DESC, id LIMIT $3`,
        [tenantId, status, limit],
      ),
    ofOperation: (operation) =>
      sql.query<Restore>(`SELECT ${columns} FROM restores WHERE operation_id = $1 ORDER BY id`, [operation]),
    reopen: async ({ id, operation, approval, dryRun }) => {
      const [reopened] = await sql.query<Restore>(
        `UPDATE restores SET updated_at = now(), operation_id = $2, approval = $3, dry_run = $4, ended_at = NULL
         WHERE id = $1 AND (operation_id = $2 OR ended_at IS NOT NULL) AND status IN ('staged', 'compared')
         RETURNING ${columns}`,
        [id, operation, approval, dryRun],
      );
      if (reopened) return reopened;
      const known = await get(id);
      throw new StepFailure(
        'RestoreRefused',
        `restore ${id} is ${known?.status ?? 'gone'}${known && !known.endedAt ? ` and operation ${known.operationId} works on it` : ''}; only a staged copy can be swapped in`,
      );
    },
    noteStaged: async ({ staged, ...inCharge }) => {
      await move(
        inCharge,
        ['planned', 'staged', 'compared'],
        `status = 'staged', staged = $4, staged_at = now(), report = NULL`,
        [json(staged)],
      );
    },
    noteCompared: async ({ report, ...inCharge }) => {
      await move(inCharge, ['staged', 'compared'], `status = 'compared', report = $4, compared_at = now()`, [
        json(report),
      ]);
    },
    noteObjectsPlanned: async ({ report, ...inCharge }) => {
      await move(
        inCharge,
        ['planned', 'compared'],
        `status = 'compared', objects_plan = $4, compared_at = coalesce(compared_at, now())`,
        [json(report)],
      );
    },
    noteObjectsBegun: async ({ report, safetyBackupId, ...inCharge }) => {
      const { objectsResult } = await move(
        inCharge,
        ['compared', 'awaiting-approval'],
        `objects_result = coalesce(objects_result, $4), safety_backup_id = coalesce(safety_backup_id, $5)`,
        [json(report), safetyBackupId],
      );
      return objectsResult ?? report;
    },
    noteAwaiting: async (inCharge) => {
      await move(inCharge, ['compared', 'awaiting-approval'], `status = 'awaiting-approval'`);
    },
    noteSwapped: async ({ result, undoUntil, report, ...inCharge }) => {
      // Also from what an end from outside left: a swap that had committed by then is true all the same.
      await move(
        inCharge,
        ['staged', 'compared', 'awaiting-approval', 'swapped', 'failed'],
        `status = 'swapped', result = $4, undo_until = $5, report = $6, swapped_at = coalesce(swapped_at, now())`,
        [json(result), undoUntil, json(report)],
      );
    },
    noteCloned: async ({ rows, millis, ...inCharge }) => {
      const result = { removed: 0, inserted: rows, updated: 0, fencedMs: millis };
      await move(
        inCharge,
        ['staged', 'cloned'],
        `status = 'cloned', result = coalesce(result, $4), ended_at = coalesce(ended_at, now())`,
        [json(result)],
      );
    },
    finish: ({ outcome, ...inCharge }) => {
      return move(inCharge, finishable[outcome], `status = $4, ended_at = coalesce(ended_at, now())`, [outcome]);
    },
    abandon: async ({ id, operation, failure }) => {
      await sql.query(
        `UPDATE restores SET updated_at = now(), failure = $3, ended_at = coalesce(ended_at, now()),
           status = CASE WHEN opened_by <> operation_id THEN 'staged' ELSE 'failed' END
         WHERE id = $1 AND operation_id = $2 AND status IN ('planned', 'staged', 'compared', 'awaiting-approval', 'cloned')`,
        [id, operation, failure],
      );
    },
    noteUndone: async ({ id, undo }) => {
      await sql.query(
        `UPDATE restores SET updated_at = now(), status = 'undone', undo = $2, undone_at = coalesce(undone_at, now())
         WHERE id = $1 AND status IN ('swapped', 'undone')`,
        [id, json(undo)],
      );
    },
    noteDiscarded: async (id) => {
      await sql.query(
        `UPDATE restores SET updated_at = now(), status = 'discarded', ended_at = coalesce(ended_at, now()) WHERE id = $1`,
        [id],
      );
    },
  };
};
