import { StepFailure } from '../../domain/errors.ts';
import type { PlanDecision, PlanState, PlanWish } from '../../domain/plan-change.ts';
import type { Sql } from '../postgres/sql.ts';

/** `waiting`: for its turn; `running`: its turn has come. The others are final. */
export type PlanChangeStatus = 'waiting' | 'running' | 'completed' | 'superseded' | 'failed';

export interface PlanChange {
  /** The operation that brings it about. */
  readonly operationId: string;
  readonly tenantId: string;
  readonly status: PlanChangeStatus;
  readonly wish: PlanWish & { readonly windowSeconds?: number | undefined };
  /** Operation of the wish that took its place. */
  readonly supersededBy: string | null;
  readonly decision: PlanDecision | null;
  /** What the tenant was when its turn came. */
  readonly previous: PlanState | null;
  readonly requestedBy: string | null;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
}

export interface PlanChanges {
  /**
   * Notes a wish, which waits for its turn; an older one of the tenant that waits is superseded. A repeat by the operation
   * answers what became of it meanwhile. Throws StaleOperation when the operation has ended.
   */
  record(
    wish: Pick<PlanChange, 'operationId' | 'tenantId' | 'wish'> & { requestedBy?: string | undefined },
  ): Promise<PlanChange>;
  get(operationId: string): Promise<PlanChange | undefined>;
  /** Like `get`; throws StaleOperation for an operation that noted no wish. */
  require(operationId: string): Promise<PlanChange>;
  /** The change of the tenant whose turn has come. */
  running(tenantId: string): Promise<PlanChange | undefined>;
  /** Newest first. */
  list(filter: { tenantId: string; limit: number }): Promise<PlanChange[]>;
  /** Its turn has come: notes what was decided. A repeat keeps what was decided first; a superseded one stays superseded. */
  begin(operationId: string, notes: { decision: PlanDecision; previous: PlanState }): Promise<PlanChange>;
  /** Gives the turn back; superseded where a newer wish waits already. */
  yield(operationId: string): Promise<PlanChange>;
  /** Ends it; a final status stays. */
  end(operationId: string, status: 'completed' | 'failed'): Promise<void>;
}

const columns = `operation_id AS "operationId", tenant_id AS "tenantId", status, wish, superseded_by AS "supersededBy", decision,
  previous, requested_by AS "requestedBy", created_at AS "createdAt", ended_at AS "endedAt"`;

export const openPlanChanges = (sql: Sql): PlanChanges => {
  const one = async (within: Sql, condition: string, value: string): Promise<PlanChange | undefined> =>
    (await within.query<PlanChange>(`SELECT ${columns} FROM plan_changes WHERE ${condition}`, [value]))[0];
  const require = async (operationId: string, within: Sql = sql): Promise<PlanChange> => {
    const change = await one(within, 'operation_id = $1', operationId);
    if (change) return change;
    throw new StepFailure('StaleOperation', `operation ${operationId} has noted no change of plan; start a new one`);
  };
  /** Wishes of one tenant come one after another: the row of the tenant is their queue. */
  const lockTenant = (within: Sql, tenantId: string) =>
    within.query('SELECT FROM tenants WHERE id = $1 FOR UPDATE', [tenantId]);
  const supersede = (within: Sql, condition: string, values: readonly string[]) =>
    within.query(
      `UPDATE plan_changes SET status = 'superseded', superseded_by = $1, ended_at = now(), updated_at = now() WHERE ${condition}`,
      values,
    );
  return {
    record: ({ operationId, tenantId, wish, requestedBy }) =>
      sql.transaction(async (within) => {
        const [open] = await within.query(
          'SELECT id FROM operations WHERE id = $1 AND ended_at IS NULL FOR NO KEY UPDATE',
          [operationId],
        );
        if (!open) throw new StepFailure('StaleOperation', `operation ${operationId} has ended; start a new one`);
        await lockTenant(within, tenantId);
        const known = await one(within, 'operation_id = $1', operationId);
        if (known) return known;
        await supersede(within, `tenant_id = $2 AND status = 'waiting'`, [operationId, tenantId]);
        await within.query(
          'INSERT INTO plan_changes (operation_id, tenant_id, wish, requested_by) VALUES ($1, $2, $3, $4)',
          [operationId, tenantId, JSON.stringify(wish), requestedBy],
        );
        return require(operationId, within);
      }),
    get: (operationId) => one(sql, 'operation_id = $1', operationId),
    require: (operationId) => require(operationId),
    running: (tenantId) => one(sql, `status = 'running' AND tenant_id = $1`, tenantId),
    list: ({ tenantId, limit }) =>
      sql.query<PlanChange>(
        `SELECT ${columns} FROM plan_changes WHERE tenant_id = $1 ORDER BY created_at DESC, operation_id LIMIT $2`,
        [tenantId, limit],
      ),
    begin: async (operationId, { decision, previous }) => {
      await sql.query(
        `UPDATE plan_changes SET status = 'running', decision = coalesce(decision, $2), previous = coalesce(previous, $3), updated_at = now()
         WHERE operation_id = $1 AND status IN ('waiting', 'running')`,
        [operationId, JSON.stringify(decision), JSON.stringify(previous)],
      );
      return require(operationId);
    },
    yield: (operationId) =>
      sql.transaction(async (within) => {
        const { tenantId } = await require(operationId, within);
        await lockTenant(within, tenantId);
        const newer = await one(within, `status = 'waiting' AND tenant_id = $1`, tenantId);
        if (newer && newer.operationId !== operationId)
          await supersede(within, `operation_id = $2 AND status = 'running'`, [newer.operationId, operationId]);
        await within.query(
          `UPDATE plan_changes SET status = 'waiting', previous = NULL, decision = NULL, updated_at = now()
           WHERE operation_id = $1 AND status = 'running'`,
          [operationId],
        );
        return require(operationId, within);
      }),
    end: async (operationId, status) => {
      await sql.query(
        `UPDATE plan_changes SET status = $2, ended_at = now(), updated_at = now()
         WHERE operation_id = $1 AND status IN ('waiting', 'running')`,
        [operationId, status],
      );
    },
  };
};
