import type { ClientBase } from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import { ident } from '../postgres/identifier.ts';

/**
 * Part of the set-up of a pooled database: marks of effects that must happen once. A mark commits with its effect, so a
 * repeated step finds out from the database itself, whatever the registry heard. Safe to repeat.
 */
export const restoreSetUpSql = (restoreLogin: string): string => `
CREATE TABLE IF NOT EXISTS tenantry.effects (
  operation text NOT NULL,
  step text NOT NULL,
  tenant_id text NOT NULL,
  result jsonb NOT NULL DEFAULT '{}',
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (operation, step)
);
CREATE INDEX IF NOT EXISTS effects_by_tenant ON tenantry.effects (tenant_id);
REVOKE ALL ON tenantry.effects FROM PUBLIC;
GRANT USAGE ON SCHEMA tenantry TO ${ident(restoreLogin)};
GRANT SELECT, INSERT ON tenantry.effects TO ${ident(restoreLogin)};
`;

export type EffectStep = 'SwapRestore' | 'UndoRestore' | 'LoadClone' | 'AbandonRestore';

export interface Effect {
  readonly operation: string;
  readonly step: EffectStep;
}

/** The result that this step of this operation has committed, undefined when it has not. */
export const readEffect = async <Result>(client: ClientBase, effect: Effect): Promise<Result | undefined> => {
  const { rows } = await client.query<{ result: Result }>(
    'SELECT result FROM tenantry.effects WHERE operation = $1 AND step = $2',
    [effect.operation, effect.step],
  );
  return rows[0]?.result;
};

/** Marks the effect as done when the surrounding transaction commits. */
export const markEffect = async (
  client: ClientBase,
  effect: Effect & { readonly tenantId: string; readonly result: object },
): Promise<void> => {
  await client.query('INSERT INTO tenantry.effects (operation, step, tenant_id, result) VALUES ($1, $2, $3, $4)', [
    effect.operation,
    effect.step,
    effect.tenantId,
    JSON.stringify(effect.result),
  ]);
};

/** Class of the per-tenant advisory lock that every writer shares (trigger tenantry_fence). */
const fenceClass = 7001;
/** Writers wait as long as this lock request does: two seconds at most, then they go on and the step is tried again. */
const fenceWait = '2s';

/**
 * Keeps this tenant's writers out until the transaction ends, and refuses an operation whose fence is older than one seen
 * here. Lock first, row second: a writer in REPEATABLE READ takes them in that order too.
 * Throws FenceTimeout, StaleOperation, RestoreRefused (tenant not open here).
 */
export const takeFence = async (client: ClientBase, tenant: { tenantId: string; fence: number }): Promise<void> => {
  await client.query(`SET LOCAL lock_timeout = '${fenceWait}'`);
  await client.query('SELECT pg_advisory_xact_lock($1, hashtext($2))', [fenceClass, tenant.tenantId]);
  const { rows } = await client.query<{ state: string }>(
    'UPDATE tenantry.tenants SET fence = $2 WHERE tenant_id = $1 AND fence <= $2 RETURNING state',
    [tenant.tenantId, tenant.fence],
  );
  if (!rows[0])
    throw new StepFailure(
      'StaleOperation',
      `tenant ${tenant.tenantId} has seen a fence above ${tenant.fence} (or has no row in tenantry.tenants); start a new operation`,
    );
  if (rows[0].state !== 'open')
    throw new StepFailure(
      'RestoreRefused',
      `tenant ${tenant.tenantId} is ${rows[0].state} in this database; restore once it is open`,
    );
};

/** Advisory lock class that orders the attempts on one restore; writers of the tenant never touch it. */
const restoreClass = 7007;

/** Waits for another attempt on the same restore, such as one whose Lambda ran out of time, to commit or roll back. */
export const lockRestore = async (client: ClientBase, restoreId: string): Promise<void> => {
  await client.query('SELECT pg_advisory_xact_lock($1, hashtext($2))', [restoreClass, restoreId]);
};

/** Throws StaleOperation once the operation was abandoned: a late attempt must not commit behind the compensation's back. */
export const refuseAbandoned = async (client: ClientBase, operation: string): Promise<void> => {
  if (!(await readEffect(client, { operation, step: 'AbandonRestore' }))) return;
  throw new StepFailure('StaleOperation', `operation ${operation} was abandoned; its late attempt changes nothing`);
};

/**
 * Closes the door behind an abandoned operation and answers what it had committed before: from here on no attempt of it can
 * swap or undo. In a transaction; safe to repeat.
 */
export const abandonEffects = async <Swap, Undo>(
  client: ClientBase,
  abandoned: { readonly operation: string; readonly restoreId: string; readonly tenantId: string },
): Promise<{ readonly swapped: Swap | undefined; readonly undone: Undo | undefined }> => {
  const { operation, restoreId, tenantId } = abandoned;
  await client.query(`SET LOCAL lock_timeout = '20s'`);
  await lockRestore(client, restoreId);
  const swapped = await readEffect<Swap>(client, { operation, step: 'SwapRestore' });
  const undone = await readEffect<Undo>(client, { operation, step: 'UndoRestore' });
  await client.query(
    `INSERT INTO tenantry.effects (operation, step, tenant_id) VALUES ($1, 'AbandonRestore', $2) ON CONFLICT DO NOTHING`,
    [operation, tenantId],
  );
  return { swapped, undone };
};
