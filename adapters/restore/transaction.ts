import type { ClientBase } from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import { clientSql, sqlState } from '../postgres/sql.ts';

/** Names in an error of PostgreSQL that say what it is about. */
const about = (error: unknown): string => {
  const { table, column, constraint, message } = error as Partial<
    Record<'table' | 'column' | 'constraint' | 'message', string>
  >;
  const names = [table && `table ${table}`, column && `column ${column}`, constraint && `constraint ${constraint}`];
  return [...names.filter(Boolean), message].join(', ');
};

/** PostgreSQL's answer in the words of a restore, for what a restore can cause; anything else stays what it is. */
const named = (error: unknown, tenantId: string): unknown => {
  switch (sqlState(error)) {
    case '55P03':
    case '40P01':
    case '40001':
      return new StepFailure(
        'FenceTimeout',
        `tenant ${tenantId} has a write under way that did not end in time; retry`,
        {
          cause: error,
        },
      );
    case '23505':
    case '23P01':
      return new StepFailure(
        'RestoreRefused',
        `a row of the backup meets a newer row with the same unique value (${about(error)}); restore the table whole, or change the newer row first`,
        { cause: error },
      );
    case '23502':
    case '23514':
      return new StepFailure(
        'RestoreRefused',
        `a row of the backup breaks a rule that was added since (${about(error)}); give the column a default, or choose a later backup`,
        { cause: error },
      );
    default:
      return error;
  }
};

/**
 * One transaction as this tenant: row-level security makes every other tenant's rows unreachable in it, whatever the
 * statements say. `frozen`: reads only, and all of it sees one moment. Errors that a restore can cause come as FenceTimeout
 * or RestoreRefused.
 */
export const asTenant = async <Result>(
  client: ClientBase,
  tenantId: string,
  work: () => Promise<Result>,
  mode: 'frozen' | 'writing' = 'writing',
): Promise<Result> => {
  try {
    return await clientSql(client).transaction(async () => {
      if (mode === 'frozen') await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY');
      await client.query(`SELECT set_config('app.tenant_id', $1, true)`, [tenantId]);
      return work();
    });
  } catch (error) {
    throw named(error, tenantId);
  }
};
