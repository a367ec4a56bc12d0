import { StepFailure } from '../../domain/errors.ts';
import type { Isolation, Tier } from '../../domain/placement.ts';
import type { TenantStatus } from '../../domain/tenant.ts';
import { type Sql, sqlState } from '../postgres/sql.ts';

export interface Tenant {
  readonly id: string;
  readonly status: TenantStatus;
  readonly plan: string;
  readonly tier: Tier | null;
  readonly isolation: Isolation | null;
  /** Preferred region. */
  readonly region: string | null;
  /** Region that the data must not leave. */
  readonly residency: string | null;
  /** People who use the app, as far as anybody said. */
  readonly users: number | null;
  /** Requirements such as `hipaa`. */
  readonly compliance: readonly string[];
  readonly name: string | null;
  readonly adminEmail: string | null;
  readonly adminName: string | null;
  readonly customDomain: string | null;
  /** The operation whose claim made the tenant. */
  readonly claimedBy: string;
  /** The operation that moved it to its status. */
  readonly changedBy: string;
  /** What it was before that operation. */
  readonly previousStatus: TenantStatus | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Until then the slug of a deprovisioned tenant is given to nobody. */
  readonly reservedUntil: Date | null;
}

export interface Claim {
  readonly id: string;
  readonly operation: string;
  readonly plan: string;
  readonly region?: string | undefined;
  readonly residency?: string | undefined;
  readonly users?: number | undefined;
  readonly compliance?: readonly string[] | undefined;
  readonly name?: string | undefined;
  readonly adminEmail?: string | undefined;
  readonly adminName?: string | undefined;
  readonly customDomain?: string | undefined;
}

export interface Move {
  readonly from: readonly TenantStatus[];
  readonly to: Exclude<TenantStatus, 'deprovisioned'>;
  readonly operation: string;
}

export interface Tenants {
  /**
   * Makes the tenant, status `provisioning`. A repeat by the same operation answers the same; of many operations that
   * claim one slug at once exactly one wins, the others get TenantExists. Slugs of deprovisioned tenants are free again
   * after `reservedUntil`.
   */
  claim(claim: Claim): Promise<Tenant>;
  /** Undoes the claim of `operation` while the tenant is still provisioning: the slug is free at once. False: not its claim. */
  drop(id: string, operation: string): Promise<boolean>;
  get(id: string): Promise<Tenant | undefined>;
  /** Like `get`; throws TenantNotFound. */
  require(id: string): Promise<Tenant>;
  /** By id, ascending, after the cursor. */
  list(filter: { status?: TenantStatus | undefined; after?: string | undefined; limit: number }): Promise<Tenant[]>;
  /** Changes the status; a repeat by the same operation answers the same. Throws TenantNotReady unless it is one of `from`. */
  move(id: string, change: Move): Promise<Tenant>;
  place(id: string, tier: Tier, isolation: Isolation): Promise<void>;
  /** What the tenant has bought and told. Throws TenantExists for a domain of another tenant. */
  changePlan(id: string, change: Pick<Tenant, 'plan' | 'users' | 'compliance' | 'customDomain'>): Promise<void>;
  /** The tenant that has this domain. */
  ownerOf(customDomain: string): Promise<string | undefined>;
  /**
   * Status `deprovisioned`: the row stays as the tombstone that reserves the slug. What people told about themselves is
   * gone from it and from the recorded operations, requests and events of the tenant.
   */
  erase(id: string, reservedUntil: Date): Promise<void>;
}

const columns = `id, status, plan, tier, isolation, region, residency, users, compliance, name, admin_email AS "adminEmail", admin_name AS "adminName",
  custom_domain AS "customDomain", claimed_by AS "claimedBy", changed_by AS "changedBy", previous_status AS "previousStatus", created_at AS "createdAt", updated_at AS "updatedAt",
  reserved_until AS "reservedUntil"`;

const claimTenant = `
  INSERT INTO tenants AS tenant (id, status, claimed_by, changed_by, plan, region, name, admin_email, admin_name, custom_domain, residency, users,
    compliance)
  VALUES ($1, 'provisioning', $2, $2, $3, $4, $5, $6, $7, $8, $9, $10, coalesce($11, '{}'::text[]))
  ON CONFLICT (id) DO UPDATE SET status = 'provisioning', claimed_by = excluded.claimed_by, changed_by = excluded.changed_by, plan = excluded.plan,
    region = excluded.region, name = excluded.name, admin_email = excluded.admin_email, admin_name = excluded.admin_name,
    custom_domain = excluded.custom_domain, residency = excluded.residency, users = excluded.users, compliance = excluded.compliance,
    reserved_until = NULL, updated_at = now()
  WHERE (tenant.claimed_by = excluded.claimed_by AND tenant.status = 'provisioning')
     OR (tenant.status = 'deprovisioned' AND tenant.reserved_until <= now())
  RETURNING ${columns}`;

/** Where a signup's profile is kept beside the tenant itself. */
const told = [
  ['operations', 'input'],
  ['requests', 'detail'],
  ['events', 'detail'],
  ['plan_changes', 'wish'],
] as const;
const profileKeys = ['name', 'adminEmail', 'adminName', 'customDomain', 'requestedBy'];

const foreignDomain =
  (domain: string | null | undefined) =>
  (error: unknown): never => {
    if (sqlState(error) !== '23505') throw error;
    throw new StepFailure('TenantExists', `customDomain ${domain} belongs to another tenant`, { cause: error });
  };

export const openTenants = (sql: Sql): Tenants => {
  const get = async (id: string): Promise<Tenant | undefined> =>
    (await sql.query<Tenant>(`SELECT ${columns} FROM tenants WHERE id = $1`, [id]))[0];
  const require = async (id: string): Promise<Tenant> => {
    const tenant = await get(id);
    if (!tenant) throw new StepFailure('TenantNotFound', `tenant ${id} is not in the registry; check the id`);
    return tenant;
  };
  return {
    claim: async (claim) => {
      const [tenant] = await sql
        .query<Tenant>(claimTenant, [
          claim.id,
          claim.operation,
          claim.plan,
          claim.region,
          claim.name,
          claim.adminEmail,
          claim.adminName,
          claim.customDomain,
          claim.residency,
          claim.users,
          claim.compliance,
        ])
        .catch(foreignDomain(claim.customDomain));
      if (tenant) return tenant;
      const other = await get(claim.id);
      const until = other?.reservedUntil ? ` and its name is reserved until ${other.reservedUntil.toISOString()}` : '';
      throw new StepFailure(
        'TenantExists',
        `tenantId ${claim.id} is taken: the tenant is ${other?.status ?? 'being made'}${until}; choose another one`,
      );
    },
    drop: async (id, operation) =>
      (
        await sql.query(
          `DELETE FROM tenants WHERE id = $1 AND claimed_by = $2 AND status IN ('provisioning', 'failed') RETURNING id`,
          [id, operation],
        )
      ).length > 0,
    get,
    require,
    list: ({ status, after, limit }) =>
      sql.query(
        `SELECT ${columns} FROM tenants WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR id > $2)
         ORDER BY id LIMIT $3`,
        [status, after, limit],
      ),
    move: async (id, { from, to, operation }) => {
      const [tenant] = await sql.query<Tenant>(
        `UPDATE tenants SET status = $2, changed_by = $4, updated_at = now(),
           previous_status = CASE WHEN status = $2 AND changed_by = $4 THEN previous_status ELSE status END
         WHERE id = $1 AND (status = ANY($3) OR (status = $2 AND changed_by = $4)) RETURNING ${columns}`,
        [id, to, from, operation],
      );
      if (tenant) return tenant;
      const { status, changedBy } = await require(id);
      throw new StepFailure(
        'TenantNotReady',
        `tenant ${id} is ${status} since operation ${changedBy}; to become ${to} it must be ${from.join(' or ')}`,
      );
    },
    place: async (id, tier, isolation) => {
      await sql.query('UPDATE tenants SET tier = $2, isolation = $3, updated_at = now() WHERE id = $1', [
        id,
        tier,
        isolation,
      ]);
    },
    changePlan: async (id, { plan, users, compliance, customDomain }) => {
      await sql
        .query(
          'UPDATE tenants SET plan = $2, users = $3, compliance = $4, custom_domain = $5, updated_at = now() WHERE id = $1',
          [id, plan, users, compliance, customDomain],
        )
        .catch(foreignDomain(customDomain));
    },
    ownerOf: async (customDomain) =>
      (await sql.query<{ id: string }>('SELECT id FROM tenants WHERE custom_domain = $1', [customDomain]))[0]?.id,
    erase: async (id, reservedUntil) => {
      await sql.query(
        `UPDATE tenants SET status = 'deprovisioned', name = NULL, admin_email = NULL, admin_name = NULL,
           custom_domain = NULL, region = NULL, residency = NULL, users = NULL, compliance = '{}', updated_at = now(), reserved_until = coalesce(reserved_until, $2)
         WHERE id = $1`,
        [id, reservedUntil],
      );
      for (const [table, column] of told)
        await sql.query(`UPDATE ${table} SET ${column} = ${column} - $2::text[] WHERE tenant_id = $1`, [
          id,
          profileKeys,
        ]);
    },
  };
};
