import { StepFailure } from '../../domain/errors.ts';
import type { Operation, OperationStatus } from '../../domain/operation.ts';
import type { WorkflowName } from '../../domain/workflows.ts';
import type { Sql } from '../postgres/sql.ts';

export interface NewOperation {
  readonly id: string;
  readonly kind: WorkflowName;
  readonly tenantId?: string | undefined;
  readonly executionArn: string;
  readonly input: object;
  readonly requestedBy?: string | undefined;
  /** The operation that started this one, e.g. the restore of a safety backup. */
  readonly parent?: string | undefined;
}

export interface OperationFailure {
  readonly reason: string;
  readonly failedStep: string;
  readonly error: string;
  /** What to record when the operation failed before it could be opened. */
  readonly kind: WorkflowName;
  readonly tenantId?: string | undefined;
  readonly executionArn?: string | undefined;
  /** An operator ended it from outside: no step of it did, so the one that ran is lost. */
  readonly stopped?: boolean | undefined;
}

export interface OperationFilter {
  readonly tenantId?: string | undefined;
  readonly status?: OperationStatus | undefined;
  readonly kind?: string | undefined;
  /** Sequence of the last one seen; newest come first. */
  readonly before?: number | undefined;
  readonly limit: number;
}

export interface Operations {
  /** Records that the operation runs. A repeat answers the recorded one; throws StaleOperation when that has ended. */
  open(operation: NewOperation): Promise<Operation>;
  /** Ends it well. A repeat changes nothing; throws StaleOperation when it has failed already. */
  succeed(id: string, outcome?: object): Promise<void>;
  /** Ends it badly, opened or not. The first reason stays; throws StaleOperation when it has succeeded already. */
  fail(id: string, failure: OperationFailure): Promise<void>;
  /**
   * Parks it until somebody answers; `token` is the task token to answer with. False, and nothing changed, when this very token
   * was answered already: a repeat. Throws StaleOperation when it has ended, and when `attempt` is older than one that asked or
   * was answered: nobody waits for its token any more.
   */
  awaitApproval(id: string, token: string, attempt?: number): Promise<boolean>;
  /** Takes the token out, exactly once, and sets the operation running: two operators cannot both answer. */
  takeApproval(id: string): Promise<string | undefined>;
  /**
   * Calls `publish` for an operation that failed, unless that was done before; one caller at a time. When the process dies
   * between publishing and the commit, the repeat publishes again.
   */
  announce(id: string, publish: () => Promise<unknown>): Promise<void>;
  /**
   * Open operations, and requests that were started and opened none, of which no step has begun or ended for `seconds`. Those
   * whose lease is over come first, the others in a new order each time, so that many that wait for people hide nobody.
   */
  quiet(filter: { seconds: number; limit: number }): Promise<Pick<Operation, 'id' | 'kind' | 'executionArn'>[]>;
  get(id: string): Promise<Operation | undefined>;
  list(filter: OperationFilter): Promise<(Operation & { readonly sequence: number })[]>;
}

const columns = `id, sequence, kind, tenant_id AS "tenantId", execution_arn AS "executionArn", status, input, outcome, reason,
  failed_step AS "failedStep", error, requested_by AS "requestedBy", parent, started_at AS "startedAt", ended_at AS "endedAt"`;

const stale = (id: string, status: string): StepFailure =>
  new StepFailure('StaleOperation', `operation ${id} has already ${status}; start a new one`);

const quietOperations = `
  WITH open AS (
    SELECT id, kind, execution_arn, started_at FROM operations WHERE ended_at IS NULL
    UNION ALL
    SELECT operation, kind, '', started_at FROM requests r
    WHERE started_at IS NOT NULL AND NOT EXISTS (SELECT FROM operations WHERE id = r.operation)
  )
  SELECT id, kind, execution_arn AS "executionArn" FROM open
  WHERE started_at <= now() - make_interval(secs => $1)
    AND NOT EXISTS (SELECT FROM steps WHERE operation_id = open.id AND coalesce(ended_at, started_at) > now() - make_interval(secs => $1))
  ORDER BY EXISTS (SELECT FROM leases WHERE holder = open.id AND expires_at > now()), random()
  LIMIT $2`;

/**
 * The newest attempt is the step that ends the operation, in the same statement or transaction: whoever reads the end must not
 * read that its last step still runs. Any older one that is open died without a word. $2: the newest one was stopped, too.
 */
const closeSteps = `
  UPDATE steps SET ended_at = clock_timestamp(),
    status = CASE WHEN $2 OR id < (SELECT max(id) FROM steps WHERE operation_id = $1) THEN 'lost' ELSE 'succeeded' END
  WHERE operation_id = $1 AND status = 'running'`;

/** One statement, so that the commit of every workflow costs one round trip for it. */
const succeedOperation = `
  WITH ended AS (
    UPDATE operations SET status = 'succeeded', outcome = $3, approval_token = NULL, ended_at = clock_timestamp()
    WHERE id = $1 AND ended_at IS NULL RETURNING id
  ), closed AS (${closeSteps} AND EXISTS (SELECT FROM ended))
  SELECT id FROM ended`;

export const openOperations = (sql: Sql): Operations => {
  const get = async (id: string): Promise<Operation | undefined> =>
    (await sql.query<Operation>(`SELECT ${columns} FROM operations WHERE id = $1`, [id]))[0];
  return {
    open: async ({ id, kind, tenantId, executionArn, input, requestedBy, parent }) => {
      const [seen] = await sql.query<Operation>(
        `WITH opened AS (
           INSERT INTO operations (id, kind, tenant_id, execution_arn, input, requested_by, parent)
           VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING RETURNING ${columns})
         SELECT * FROM opened UNION ALL SELECT ${columns} FROM operations WHERE id = $1`,
        [id, kind, tenantId, executionArn, JSON.stringify(input), requestedBy, parent],
      );
      // One that another attempt opened between the snapshot and the insert is in neither part.
      const operation = seen ?? (await get(id));
      if (!operation || operation.endedAt) throw stale(id, operation?.status ?? 'gone');
      return operation;
    },
    succeed: async (id, outcome = {}) => {
      const [ended] = await sql.query(succeedOperation, [id, false, JSON.stringify(outcome)]);
      if (ended) return;
      const known = await get(id);
      if (known?.status !== 'succeeded') throw stale(id, known?.status ?? 'been lost');
    },
    fail: (id, failure) =>
      sql.transaction(async (within) => {
        await within.query(
          `INSERT INTO operations AS o (id, kind, tenant_id, execution_arn, status, reason, failed_step, error, ended_at)
           VALUES ($1, $2, $3, $4, 'failed', $5, $6, $7, clock_timestamp())
           ON CONFLICT (id) DO UPDATE SET status = 'failed', reason = excluded.reason, failed_step = excluded.failed_step,
             error = excluded.error, approval_token = NULL, ended_at = excluded.ended_at WHERE o.ended_at IS NULL`,
          [
            id,
            failure.kind,
            failure.tenantId,
            failure.executionArn ?? '',
            failure.reason,
            failure.failedStep,
            failure.error,
          ],
        );
        const [known] = await within.query<{ status: string }>('SELECT status FROM operations WHERE id = $1', [id]);
        if (known?.status !== 'failed') throw stale(id, known?.status ?? 'been lost');
        await within.query(closeSteps, [id, failure.stopped ?? false]);
      }),
    awaitApproval: async (id, token, attempt) => {
      const [parked] = await sql.query(
        `UPDATE operations SET status = 'awaiting-approval', approval_token = $2, approval_attempt = coalesce($3, approval_attempt)
         WHERE id = $1 AND ended_at IS NULL AND ($3::integer IS NULL OR coalesce(approval_attempt, 0) <= $3) RETURNING id`,
        [id, token, attempt],
      );
      if (parked) return true;
      const [answered] = await sql.query(
        'SELECT FROM operations WHERE id = $1 AND ended_at IS NULL AND answered_token = $2',
        [id, token],
      );
      if (!answered) throw stale(id, (await get(id))?.endedAt ? 'ended' : 'asked anew');
      return false;
    },
    takeApproval: async (id) => {
      const [taken] = await sql.query<{ token: string }>(
        `UPDATE operations o SET status = 'running', approval_token = NULL, approval_attempt = coalesce(o.approval_attempt, 0) + 1,
           answered_token = waiting.token
         FROM (SELECT id, approval_token AS token FROM operations WHERE id = $1 AND status = 'awaiting-approval' FOR UPDATE) waiting
         WHERE o.id = waiting.id RETURNING waiting.token`,
        [id],
      );
      return taken?.token;
    },
    announce: (id, publish) =>
      sql.transaction(async (within) => {
        const [silent] = await within.query(
          `SELECT id FROM operations WHERE id = $1 AND status = 'failed' AND announced_at IS NULL FOR NO KEY UPDATE`,
          [id],
        );
        if (!silent) return;
        await publish();
        await within.query('UPDATE operations SET announced_at = clock_timestamp() WHERE id = $1', [id]);
      }),
    quiet: ({ seconds, limit }) => sql.query(quietOperations, [seconds, limit]),
    get,
    list: ({ tenantId, status, kind, before, limit }) =>
      sql.query(
        `SELECT ${columns} FROM operations
         WHERE ($1::text IS NULL OR tenant_id = $1) AND ($2::text IS NULL OR status = $2) AND ($3::text IS NULL OR kind = $3)
           AND ($4::bigint IS NULL OR sequence < $4)
         ORDER BY sequence DESC LIMIT $5`,
        [tenantId, status, kind, before, limit],
      ),
  };
};
