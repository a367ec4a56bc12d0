import type { StepAttempt } from '../../domain/operation.ts';
import type { Sql } from '../postgres/sql.ts';

export interface Journal {
  /** Notes that an attempt of a step begins; answers the number to end it with. */
  start(attempt: { operation: string; step: string; tenantId?: string | undefined }): Promise<number>;
  end(id: number, result: { status: 'succeeded' | 'failed'; error?: string; detail?: string }): Promise<void>;
  /** Attempts of an operation in the order in which they began. */
  list(operation: string): Promise<StepAttempt[]>;
}

export const openJournal = (sql: Sql): Journal => ({
  start: async ({ operation, step, tenantId }) => {
    const [row] = await sql.query<{ id: number }>(
      `INSERT INTO steps (operation_id, step, attempt, tenant_id)
       SELECT $1, $2, count(*), $3 FROM steps WHERE operation_id = $1 AND step = $2 RETURNING id`,
      [operation, step, tenantId],
    );
    return row!.id;
  },
  end: async (id, { status, error, detail }) => {
    await sql.query(
      'UPDATE steps SET status = $2, error = $3, detail = $4, ended_at = clock_timestamp() WHERE id = $1',
      [id, status, error, detail],
    );
  },
  list: (operation) =>
    sql.query<StepAttempt>(
      `SELECT step, attempt, started_at AS "startedAt", ended_at AS "endedAt", status, error, detail
       FROM steps WHERE operation_id = $1 ORDER BY id`,
      [operation],
    ),
});
