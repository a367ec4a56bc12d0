import type { WorkflowName } from '../../domain/workflows.ts';
import { type Sql, sqlState } from '../postgres/sql.ts';

/** One event of the bus, request or result, as it was delivered. */
export interface BusEvent {
  readonly id: string;
  readonly source: string;
  readonly detailType: string;
  readonly tenantId?: string | undefined;
  readonly operation?: string | undefined;
  readonly detail: unknown;
  readonly occurredAt: Date;
}

export type RecordedEvent = BusEvent & { readonly sequence: number };

/** One request, known by its event id, and the operation that answers it. */
export interface Request {
  readonly eventId: string;
  readonly detailType: string;
  readonly tenantId?: string | undefined;
  readonly kind: WorkflowName;
  readonly operation: string;
  readonly detail: unknown;
}

export type KnownRequest = Request & {
  readonly deliveries: number;
  readonly firstAt: Date;
  readonly startedAt: Date | null;
};

export interface Claimed {
  readonly deliveries: number;
  readonly operation: string;
  readonly detail: unknown;
}

export interface Events {
  /** Writes the event once, however often it is delivered. False: it was known. */
  record(event: BusEvent): Promise<boolean>;
  /** In the order of `sequence`; a reader who passes the last one as `after` misses none, even of concurrent writers. */
  list(filter: { after: number; limit: number; tenantId?: string | undefined }): Promise<RecordedEvent[]>;
  /** The newest `limit`, oldest first. */
  latest(limit: number): Promise<RecordedEvent[]>;
  /** Notes a delivery of a request. `deliveries` 1 is the first; the first operation and detail stay. */
  claim(request: Request): Promise<Claimed>;
  /** Notes a request before it is published, so that its operation can be asked for at once. */
  announce(request: Request): Promise<void>;
  started(eventId: string): Promise<void>;
  requestOf(operation: string): Promise<KnownRequest | undefined>;
}

const eventColumns = `sequence, id, source, detail_type AS "detailType", tenant_id AS "tenantId", operation, detail, occurred_at AS "occurredAt"`;

const insertRequest = `
  INSERT INTO requests AS request (event_id, detail_type, tenant_id, kind, operation, detail, deliveries)
  VALUES ($1, $2, $3, $4, $5, $6, $7)
  ON CONFLICT (event_id) DO UPDATE SET deliveries = request.deliveries + excluded.deliveries
  RETURNING deliveries, operation, detail`;

export const openEvents = (sql: Sql): Events => {
  const insert = async (request: Request, deliveries: number): Promise<Claimed> => {
    const { eventId, detailType, tenantId, kind, operation, detail } = request;
    const values = [eventId, detailType, tenantId, kind, operation, JSON.stringify(detail), deliveries];
    const write = () => sql.query<Claimed>(insertRequest, values);
    // ON CONFLICT arbitrates on the event id alone: of two first deliveries at once one can meet the other's operation, and
    // is refused (23505). That other row is committed by then, so the second try adds to it.
    const [row] = await write().catch((error: unknown) => {
      if (sqlState(error) !== '23505') throw error;
      return write();
    });
    return row!;
  };
  return {
    record: async ({ id, source, detailType, tenantId, operation, detail, occurredAt }) =>
      (
        await sql.query(
          `INSERT INTO events (id, source, detail_type, tenant_id, operation, detail, occurred_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (id) DO NOTHING RETURNING id`,
          [id, source, detailType, tenantId, operation, JSON.stringify(detail), occurredAt],
        )
      ).length > 0,
    list: ({ after, limit, tenantId }) =>
      sql.query<RecordedEvent>(
        `SELECT ${eventColumns} FROM events WHERE sequence > $1 AND ($3::text IS NULL OR tenant_id = $3) ORDER BY sequence LIMIT $2`,
        [after, limit, tenantId],
      ),
    latest: async (limit) =>
      (
        await sql.query<RecordedEvent>(`SELECT ${eventColumns} FROM events ORDER BY sequence DESC LIMIT $1`, [limit])
      ).reverse(),
    claim: (request) => insert(request, 1),
    announce: async (request) => {
      await insert(request, 0);
    },
    started: async (eventId) => {
      await sql.query('UPDATE requests SET started_at = coalesce(started_at, now()) WHERE event_id = $1', [eventId]);
    },
    requestOf: async (operation) =>
      (
        await sql.query<KnownRequest>(
          `SELECT event_id AS "eventId", detail_type AS "detailType", tenant_id AS "tenantId", kind, operation, detail,
             deliveries, first_at AS "firstAt", started_at AS "startedAt" FROM requests WHERE operation = $1`,
          [operation],
        )
      )[0],
  };
};
