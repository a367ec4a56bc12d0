import type { ClientBase } from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import { leavesOf } from '../../domain/scope.ts';
import { readScope } from '../catalog/read-scope.ts';
import { identPath } from '../postgres/identifier.ts';
import { clientSql } from '../postgres/sql.ts';
import { fenceLockClass } from './schema.ts';
import { findTenant, staleFence } from './tenant.ts';

export interface ReleaseRequest {
  readonly tenantId: string;
  readonly fence: number;
  /** Rows per transaction: 10,000 keep each one, and what it holds back from vacuum, well under a second. */
  readonly batch?: number;
  /** Stops between two batches; the next call goes on from there. */
  readonly signal?: AbortSignal;
}

const advance = async (client: ClientBase, { tenantId, fence }: ReleaseRequest): Promise<void> => {
  const { rowCount } = await client.query(
    'UPDATE tenantry.tenants SET fence = $2 WHERE tenant_id = $1 AND fence <= $2',
    [tenantId, fence],
  );
  if (!rowCount) throw staleFence(tenantId, fence);
};

/** From here on the app's writes are refused; those under way are waited for, at most the login's lock_timeout. */
const putUpFence = (client: ClientBase, request: ReleaseRequest): Promise<void> =>
  clientSql(client).transaction(async () => {
    await advance(client, request);
    await client.query('SELECT pg_advisory_xact_lock($1, hashtext($2))', [fenceLockClass, request.tenantId]);
    await client.query(
      `UPDATE tenantry.tenants SET state = 'fenced', epoch = epoch + 1 WHERE tenant_id = $1 AND state = 'open'`,
      [request.tenantId],
    );
  });

/** Triggers are off: foreign keys would forbid batches inside a table that references itself, and audit triggers would write. */
const deleteBatch = (client: ClientBase, request: ReleaseRequest, leaf: string, batch: number): Promise<number> =>
  clientSql(client).transaction(async () => {
    await advance(client, request);
    await client.query(
      `SELECT set_config('app.tenant_id', $1, true), set_config('session_replication_role', 'replica', true)`,
      [request.tenantId],
    );
    const table = identPath(leaf);
    const { rowCount } = await client.query(
      `DELETE FROM ONLY ${table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM ONLY ${table} WHERE tenant_id = $1 LIMIT $2))`,
      [request.tenantId, batch],
    );
    return rowCount ?? 0;
  });

/** Rows that the tenant still has, by table or leaf; empty when it is gone. Any login that is bound by the policies may ask. */
export const countTenantRows = (client: ClientBase, tenantId: string): Promise<Record<string, number>> =>
  clientSql(client).transaction(async () => {
    await client.query(`SELECT set_config('app.tenant_id', $1, true)`, [tenantId]);
    const left: Record<string, number> = {};
    for (const leaf of (await readScope(client)).tables.flatMap(leavesOf)) {
      const { rows } = await client.query<{ count: string }>(
        `SELECT count(*) FROM ONLY ${identPath(leaf)} WHERE tenant_id = $1`,
        [tenantId],
      );
      if (rows[0]?.count !== '0') left[leaf] = Number(rows[0]?.count);
    }
    return left;
  });

/**
 * Deletes the app's rows of a tenant that has a row in `tenantry.tenants` and whose writers are kept out, and answers how
 * many. StaleOperation when a newer operation was here. Tables go in reverse order of their foreign keys.
 */
export const deleteTenantRows = async (client: ClientBase, request: ReleaseRequest): Promise<number> => {
  const { tables } = await readScope(client);
  const batch = request.batch ?? 10_000;
  let deleted = 0;
  for (const leaf of tables.toReversed().flatMap(leavesOf)) {
    for (let rows = batch; rows === batch; deleted += rows) {
      request.signal?.throwIfAborted();
      rows = await deleteBatch(client, request, leaf, batch);
    }
  }
  return deleted;
};

const releaseRows = async (client: ClientBase, request: ReleaseRequest): Promise<number> => {
  await putUpFence(client, request);
  const deleted = await deleteTenantRows(client, request);
  await clientSql(client).transaction(async () => {
    await advance(client, request);
    await client.query('DELETE FROM tenantry.tenants WHERE tenant_id = $1', [request.tenantId]);
  });
  return deleted;
};

/**
 * Deletes every row of the tenant in its pooled database, its own row in `tenantry.tenants` last, and answers how many rows of
 * the app this call deleted. Safe to repeat: without that row there is nothing left to do. StaleOperation when a newer
 * operation was here.
 */
export const releaseTenant = async (client: ClientBase, request: ReleaseRequest): Promise<number> => {
  const isGone = async (): Promise<boolean> => (await findTenant(client, request.tenantId)) === undefined;
  if (await isGone()) return 0;
  try {
    return await releaseRows(client, request);
  } catch (error) {
    // Another attempt of this step was at work as well and came first: nothing is left to do.
    if (error instanceof StepFailure && error.name === 'StaleOperation' && (await isGone())) return 0;
    throw error;
  }
};
