import { randomBytes } from 'node:crypto';
import type { DomainRefusal } from '../../domain/domain-proof.ts';
import { StepFailure } from '../../domain/errors.ts';
import type { Sql } from '../postgres/sql.ts';

/** The custom domain of a tenant and what is known of its proof. */
export interface Domain {
  readonly tenantId: string;
  readonly domain: string;
  /** 32 hex digits, what the TXT record has to say. */
  readonly token: string;
  readonly broughtAt: Date;
  readonly checkedAt: Date | null;
  /** Why it was not proved at the last look. */
  readonly refusal: DomainRefusal | null;
  readonly reason: string | null;
  readonly provedAt: Date | null;
  readonly announcedAt: Date | null;
}

export interface Domains {
  /**
   * Gives the tenant a domain that is not proved yet: its route is there, and off. A domain that it had before keeps its token.
   * Throws TenantExists when another tenant is reached under that name.
   */
  bring(tenantId: string, domain: string): Promise<void>;
  /** The domain that the tenant has now. */
  of(tenantId: string): Promise<Domain | undefined>;
  /**
   * Domains of active tenants to be looked at now. Each is put off: by a tenth of its age, at least a minute, at most an hour, so that
   * two runs at once share the work and a domain that nobody ever proves costs little.
   */
  takeDue(limit: number): Promise<Domain[]>;
  /** Lets the next run look at it. */
  hasten(tenantId: string): Promise<void>;
  refuse(domain: Domain, why: DomainRefusal, reason: string): Promise<void>;
  /** Notes the proof, and turns the route on where the tenant is active and still has the domain. */
  prove(domain: Domain): Promise<void>;
  /** Nothing is left to do about it. */
  announced(domain: Domain): Promise<void>;
  /** Forgets all that the tenant ever had. */
  remove(tenantId: string): Promise<void>;
}

const columns = `d.tenant_id AS "tenantId", d.domain, d.token, d.brought_at AS "broughtAt", d.checked_at AS "checkedAt", d.refusal, d.reason,
  d.proved_at AS "provedAt", d.announced_at AS "announcedAt"`;

const current = 'FROM tenants t WHERE t.id = d.tenant_id AND t.custom_domain = d.domain';

export const openDomains = (sql: Sql): Domains => ({
  bring: (tenantId, domain) =>
    sql.transaction(async (within) => {
      const routed = await within.query(
        `INSERT INTO routes AS route (host, tenant_id, kind, state) VALUES ($1, $2, 'custom', 'off')
         ON CONFLICT (host) DO UPDATE SET state = 'off', updated_at = now()
         WHERE route.tenant_id = excluded.tenant_id AND route.kind = 'custom' RETURNING host`,
        [domain, tenantId],
      );
      if (routed.length === 0)
        throw new StepFailure('TenantExists', `customDomain ${domain} is a host that is in use; choose another one`);
      await within.query(
        `INSERT INTO domains (tenant_id, domain, token) VALUES ($1, $2, $3)
         ON CONFLICT (tenant_id, domain) DO UPDATE SET brought_at = now(), check_at = now(), checked_at = NULL, refusal = NULL,
           reason = NULL, proved_at = NULL, announced_at = NULL`,
        [tenantId, domain, randomBytes(16).toString('hex')],
      );
    }),
  of: async (tenantId) =>
    (
      await sql.query<Domain>(
        `SELECT ${columns} FROM domains d WHERE d.tenant_id = $1 AND EXISTS (SELECT ${current})`,
        [tenantId],
      )
    )[0],
  takeDue: (limit) =>
    sql.query<Domain>(
      `UPDATE domains d SET check_at = now() + least(greatest((now() - brought_at) / 10, interval '1 minute'), interval '1 hour')
       WHERE (tenant_id, domain) IN (
         SELECT d.tenant_id, d.domain FROM domains d
         WHERE d.check_at <= now() AND d.announced_at IS NULL AND EXISTS (SELECT ${current} AND t.status = 'active')
         ORDER BY d.check_at LIMIT $1 FOR UPDATE SKIP LOCKED)
       RETURNING ${columns}`,
      [limit],
    ),
  hasten: async (tenantId) => {
    await sql.query(
      `UPDATE domains d SET check_at = now() WHERE tenant_id = $1 AND announced_at IS NULL AND EXISTS (SELECT ${current})`,
      [tenantId],
    );
  },
  refuse: async ({ tenantId, domain }, why, reason) => {
    await sql.query(
      `UPDATE domains SET checked_at = now(), refusal = $3, reason = $4 WHERE tenant_id = $1 AND domain = $2`,
      [tenantId, domain, why, reason],
    );
  },
  prove: ({ tenantId, domain }) =>
    sql.transaction(async (within) => {
      await within.query(
        `UPDATE domains SET checked_at = now(), refusal = NULL, reason = NULL, proved_at = coalesce(proved_at, now())
         WHERE tenant_id = $1 AND domain = $2`,
        [tenantId, domain],
      );
      // Locked, so that an offboarding that turns the routes off at this moment does so before or after.
      const [active] = await within.query(
        `SELECT FROM tenants WHERE id = $1 AND custom_domain = $2 AND status = 'active' FOR SHARE`,
        [tenantId, domain],
      );
      if (active)
        await within.query(
          `UPDATE routes SET state = 'on', updated_at = now() WHERE host = $1 AND tenant_id = $2 AND state <> 'on'`,
          [domain, tenantId],
        );
    }),
  announced: async ({ tenantId, domain }) => {
    await sql.query(
      'UPDATE domains SET announced_at = now() WHERE tenant_id = $1 AND domain = $2 AND proved_at IS NOT NULL',
      [tenantId, domain],
    );
  },
  remove: async (tenantId) => {
    await sql.query('DELETE FROM domains WHERE tenant_id = $1', [tenantId]);
  },
});
