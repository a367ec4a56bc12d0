import type { ClientBase } from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import { clientSql } from '../postgres/sql.ts';

/** A tenant as its pooled database knows it. */
export interface PooledTenant {
  readonly tenantId: string;
  readonly state: 'open' | 'fenced' | 'moved';
  readonly epoch: number;
  readonly fence: number;
}

/** What the app's hook is told about a new tenant. */
export interface TenantProfile {
  readonly name?: string | undefined;
  readonly adminEmail?: string | undefined;
  readonly adminName?: string | undefined;
}

export const staleFence = (tenantId: string, fence: number): StepFailure =>
  new StepFailure(
    'StaleOperation',
    `fence ${fence} of tenant ${tenantId} is older than one that its database has seen; start a new operation`,
  );

/** The tenant's row in schema `tenantry`, undefined where it has none: then it has no rows of the app either. */
export const findTenant = async (client: ClientBase, tenantId: string): Promise<PooledTenant | undefined> => {
  const { rows } = await client.query<{ state: PooledTenant['state']; epoch: string; fence: string }>(
    'SELECT state, epoch, fence FROM tenantry.tenants WHERE tenant_id = $1',
    [tenantId],
  );
  const [row] = rows;
  return row && { tenantId, state: row.state, epoch: Number(row.epoch), fence: Number(row.fence) };
};

/**
 * Makes a tenant in a pooled database: its row in `tenantry.tenants`, then the app's own hook
 * `public.tenant_created(tenant_id text, profile jsonb)` where there is one, as the tenant and in the same transaction.
 * Safe to repeat. StaleOperation when a newer operation was here; TenantNotReady while a fence stands around the tenant.
 */
export const prepareTenant = (
  client: ClientBase,
  { tenantId, profile, fence }: { tenantId: string; profile: TenantProfile; fence: number },
): Promise<void> =>
  clientSql(client).transaction(async () => {
    const { rows } = await client.query<{ state: PooledTenant['state'] }>(
      `INSERT INTO tenantry.tenants AS t (tenant_id, fence) VALUES ($1, $2)
       ON CONFLICT (tenant_id) DO UPDATE SET fence = excluded.fence WHERE t.fence <= excluded.fence RETURNING state`,
      [tenantId, fence],
    );
    const state = rows[0]?.state;
    if (!state) throw staleFence(tenantId, fence);
    if (state !== 'open')
      throw new StepFailure(
        'TenantNotReady',
        `tenant ${tenantId} is ${state} in its database; finish its release or restore first`,
      );
    const hook = await client.query<{ exists: boolean }>(
      `SELECT set_config('app.tenant_id', $1, true), to_regprocedure('public.tenant_created(text, jsonb)') IS NOT NULL AS exists`,
      [tenantId],
    );
    if (hook.rows[0]?.exists)
      await client.query('SELECT public.tenant_created($1, $2::jsonb)', [tenantId, JSON.stringify(profile)]);
  });
