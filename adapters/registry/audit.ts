import type { Sql } from '../postgres/sql.ts';

export interface AuditEntry {
  readonly actor: string;
  readonly action: string;
  /** `before` says what is about to be tried, `after` what came of it. */
  readonly phase: 'before' | 'after';
  readonly outcome?: 'accepted' | 'refused' | 'failed' | undefined;
  readonly tenantId?: string | undefined;
  readonly operation?: string | undefined;
  readonly reason?: string | undefined;
  readonly detail?: object | undefined;
}

export interface Audit {
  /** Appends; the table refuses change and removal, and every row carries the hash of the one before it. */
  append(entry: AuditEntry): Promise<void>;
  list(filter: { tenantId?: string | undefined; after?: number | undefined; limit: number }): Promise<AuditRow[]>;
  /** Id of the first row whose hash does not follow from its content and its predecessor; undefined when all do. */
  firstBroken(): Promise<number | undefined>;
}

export type AuditRow = AuditEntry & { readonly id: number; readonly at: Date };

export const openAudit = (sql: Sql): Audit => ({
  append: async ({ actor, action, phase, outcome, tenantId, operation, reason, detail = {} }) => {
    await sql.query(
      `INSERT INTO audit (actor, action, phase, outcome, tenant_id, operation, reason, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [actor, action, phase, outcome, tenantId, operation, reason, JSON.stringify(detail)],
    );
  },
  list: ({ tenantId, after = 0, limit }) =>
    sql.query<AuditRow>(
      `SELECT id, at, actor, action, phase, outcome, tenant_id AS "tenantId", operation, reason, detail FROM audit
       WHERE id > $2 AND ($1::text IS NULL OR tenant_id = $1) ORDER BY id LIMIT $3`,
      [tenantId, after, limit],
    ),
  firstBroken: async () =>
    (
      await sql.query<{ id: number }>(
        `SELECT id FROM (
           SELECT a.id, a.hash, audit_hash(coalesce(lag(a.hash) OVER (ORDER BY a.id), ''), a) AS expected,
             a.id - coalesce(lag(a.id) OVER (ORDER BY a.id), 0) AS step
           FROM audit a
         ) chain WHERE hash <> expected OR step <> 1 ORDER BY id LIMIT 1`,
      )
    )[0]?.id,
});
