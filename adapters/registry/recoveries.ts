import type { Sql } from '../postgres/sql.ts';

/** A temporary instance with the state of a tenant's own server at one moment. */
export interface Recovery {
  readonly operationId: string;
  readonly tenantId: string;
  readonly placementId: string;
  readonly asOf: Date;
  readonly sourceInstance: string;
  readonly instance: string;
  /** Null until RDS has told where it listens. */
  readonly host: string | null;
  readonly port: number | null;
  readonly createdAt: Date;
  readonly removedAt: Date | null;
}

export interface Recoveries {
  /** Notes the instance before RDS is asked for it; a repeat by the same operation answers the recorded one. */
  plan(recovery: Omit<Recovery, 'host' | 'port' | 'createdAt' | 'removedAt'>): Promise<Recovery>;
  get(operationId: string): Promise<Recovery | undefined>;
  noteAddress(operationId: string, address: { host: string; port: number }): Promise<void>;
  noteRemoved(operationId: string): Promise<void>;
  /** Instances whose operation is over and which may still be there. */
  leftBehind(): Promise<Recovery[]>;
}

const columns = `r.operation_id AS "operationId", r.tenant_id AS "tenantId", r.placement_id AS "placementId", r.as_of AS "asOf",
  r.source_instance AS "sourceInstance", r.instance, r.host, r.port, r.created_at AS "createdAt", r.removed_at AS "removedAt"`;

export const openRecoveries = (sql: Sql): Recoveries => {
  const get = async (operationId: string): Promise<Recovery | undefined> =>
    (await sql.query<Recovery>(`SELECT ${columns} FROM recoveries r WHERE operation_id = $1`, [operationId]))[0];
  return {
    plan: async ({ operationId, tenantId, placementId, asOf, sourceInstance, instance }) => {
      await sql.query(
        `INSERT INTO recoveries (operation_id, tenant_id, placement_id, as_of, source_instance, instance)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (operation_id) DO NOTHING`,
        [operationId, tenantId, placementId, asOf, sourceInstance, instance],
      );
      const planned = await get(operationId);
      if (!planned) throw new Error(`recovery of operation ${operationId} vanished while it was planned`);
      return planned;
    },
    get,
    noteAddress: async (operationId, { host, port }) => {
      await sql.query('UPDATE recoveries SET host = $2, port = $3 WHERE operation_id = $1', [operationId, host, port]);
    },
    noteRemoved: async (operationId) => {
      await sql.query('UPDATE recoveries SET removed_at = coalesce(removed_at, now()) WHERE operation_id = $1', [
        operationId,
      ]);
    },
    leftBehind: () =>
      sql.query<Recovery>(
        `SELECT ${columns} FROM recoveries r JOIN operations o ON o.id = r.operation_id
         WHERE r.removed_at IS NULL AND o.ended_at IS NOT NULL ORDER BY r.created_at`,
      ),
  };
};
