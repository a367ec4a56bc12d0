import { StepFailure } from '../../domain/errors.ts';
import type { Sql } from '../postgres/sql.ts';

export interface Lease {
  readonly tenantId: string;
  readonly holder: string | null;
  /** Grows with every change of holder and never shrinks; every effect of the holder carries it. */
  readonly fence: number;
  readonly expiresAt: Date;
}

export interface Leases {
  /**
   * Takes the tenant's lease for `seconds`, or renews it with the same fence where `holder` has it already;
   * a renewal never shortens it, so that a short step does not give away what a long wait reserved.
   * Throws TenantBusy while another operation holds it, StaleOperation when the holder has ended.
   */
  hold(request: { tenantId: string; holder: string; seconds: number }): Promise<{ fence: number }>;
  /**
   * Takes or renews the leases of many tenants in one statement, in the order of their ids; answers those that `holder` has
   * now. The others are held by another operation, or all are left out because the holder has ended.
   */
  holdMany(request: { tenantIds: readonly string[]; holder: string; seconds: number }): Promise<Set<string>>;
  /** Frees the leases of these tenants where `holder` has them. */
  releaseMany(request: { tenantIds: readonly string[]; holder: string }): Promise<void>;
  /** Frees the lease where `holder` has it; anything else is left alone. The fence stays for the next holder to exceed. */
  release(request: { tenantId: string; holder: string }): Promise<void>;
  /** Frees every lease that `holder` has, and answers whose: what nested executions held in its name too. */
  releaseAll(holder: string): Promise<string[]>;
  get(tenantId: string): Promise<Lease | undefined>;
}

/**
 * One statement decides. The row lock of the upsert orders contenders; the lock on the holder's operation makes "has ended"
 * final: an end that commits first is seen, a later one waits. NO KEY UPDATE and not SHARE, because two attempts of one
 * step that both share the row and then both end the operation would deadlock.
 */
const holdLeases = `
  WITH operation AS MATERIALIZED (
    SELECT ended_at FROM operations WHERE id = $2 FOR NO KEY UPDATE
  )
  INSERT INTO leases AS lease (tenant_id, holder, fence, expires_at)
  SELECT tenant_id, $2, 1, now() + make_interval(secs => $3) FROM unnest($1::text[]) AS wanted (tenant_id)
  WHERE NOT EXISTS (SELECT FROM operation WHERE ended_at IS NOT NULL)
  ORDER BY tenant_id
  ON CONFLICT (tenant_id) DO UPDATE SET
    fence = lease.fence + CASE WHEN lease.holder = excluded.holder THEN 0 ELSE 1 END,
    holder = excluded.holder,
    expires_at = CASE WHEN lease.holder = excluded.holder THEN greatest(lease.expires_at, excluded.expires_at) ELSE excluded.expires_at END
  WHERE lease.holder IS NULL OR lease.holder = excluded.holder OR lease.expires_at <= now()
  RETURNING tenant_id AS "tenantId", fence`;

export const openLeases = (sql: Sql): Leases => ({
  hold: async ({ tenantId, holder, seconds }) => {
    const [held] = await sql.query<{ fence: number }>(holdLeases, [[tenantId], holder, seconds]);
    if (held) return { fence: held.fence };
    const [why] = await sql.query<{ ended: string | null; other: string | null; until: Date | null }>(
      `SELECT (SELECT status FROM operations WHERE id = $2 AND ended_at IS NOT NULL) AS ended,
         (SELECT holder FROM leases WHERE tenant_id = $1) AS other, (SELECT expires_at FROM leases WHERE tenant_id = $1) AS until`,
      [tenantId, holder],
    );
    if (why?.ended)
      throw new StepFailure('StaleOperation', `operation ${holder} has already ${why.ended}; start a new one`);
    throw new StepFailure(
      'TenantBusy',
      `tenant ${tenantId} is held by operation ${why?.other ?? 'that just let go'} until ${why?.until?.toISOString() ?? 'now'}; wait or stop it`,
    );
  },
  holdMany: async ({ tenantIds, holder, seconds }) => {
    const held = await sql.query<{ tenantId: string }>(holdLeases, [tenantIds, holder, seconds]);
    return new Set(held.map(({ tenantId }) => tenantId));
  },
  releaseMany: async ({ tenantIds, holder }) => {
    await sql.query('UPDATE leases SET holder = NULL, expires_at = now() WHERE tenant_id = ANY ($1) AND holder = $2', [
      tenantIds,
      holder,
    ]);
  },
  release: async ({ tenantId, holder }) => {
    await sql.query('UPDATE leases SET holder = NULL, expires_at = now() WHERE tenant_id = $1 AND holder = $2', [
      tenantId,
      holder,
    ]);
  },
  releaseAll: async (holder) =>
    (
      await sql.query<{ tenantId: string }>(
        `UPDATE leases SET holder = NULL, expires_at = now() WHERE holder = $1 RETURNING tenant_id AS "tenantId"`,
        [holder],
      )
    ).map(({ tenantId }) => tenantId),
  get: async (tenantId) =>
    (
      await sql.query<Lease>(
        'SELECT tenant_id AS "tenantId", holder, fence, expires_at AS "expiresAt" FROM leases WHERE tenant_id = $1',
        [tenantId],
      )
    )[0],
});
