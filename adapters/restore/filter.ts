import type { ClientBase } from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import type { Condition, RowFilter } from '../../domain/rows.ts';
import { ident } from '../postgres/identifier.ts';
import { sqlState } from '../postgres/sql.ts';

/** A condition with its parameters, numbered from the one that the caller says. */
export interface BoundSql {
  readonly sql: string;
  readonly values: readonly unknown[];
}

const compare = (
  { column, type, operator, values }: Condition,
  alias: string,
  next: (value: unknown) => string,
): string => {
  const name = `${alias}.${ident(column)}`;
  switch (operator) {
    case 'is null':
    case 'is not null':
      return `${name} ${operator}`;
    case 'in':
      // The array is cast as a whole: text -> array of the column's type, values never enter the SQL text.
      return `${name} = ANY (${next([...values])}::text[]::${type}[])`;
    case 'like':
      return `${name} LIKE ${next(values[0])}::text`;
    case '!=':
      return `${name} <> ${next(values[0])}::text::${type}`;
    default:
      return `${name} ${operator} ${next(values[0])}::text::${type}`;
  }
};

/**
 * The rows of `alias` that a filter means. Types come from the catalog (format_type), names go through ident(), values are
 * parameters from `$first` on.
 */
export const filterSql = (filter: RowFilter, alias: string, first: number): BoundSql => {
  const values: unknown[] = [];
  const next = (value: unknown): string => `$${first - 1 + values.push(value)}`;
  if (filter.kind === 'where')
    return { sql: filter.conditions.map((condition) => compare(condition, alias, next)).join(' AND '), values };
  const columns = filter.columns.map((_, index) => next(filter.keys.map((key) => key[index])));
  const wanted = filter.columns.map((_, index) => `k${index}`);
  const same = filter.columns.map(({ name, type }, index) => `${alias}.${ident(name)} = k.k${index}::${type}`);
  return {
    sql: `EXISTS (SELECT FROM unnest(${columns.map((parameter) => `${parameter}::text[]`).join(', ')}) k (${wanted.join(', ')}) WHERE ${same.join(' AND ')})`,
    values,
  };
};

/**
 * Asks the server whether every value is of its column's type, without reading a row: dates, enum labels and the like, which
 * only it can judge. Throws InvalidStepInput that names column and value.
 */
export const checkFilter = async (client: ClientBase, filter: RowFilter): Promise<void> => {
  const values =
    filter.kind === 'where'
      ? filter.conditions.flatMap(({ column, type, operator, values: all }) =>
          operator === 'like' ? [] : all.map((value) => ({ column, type, value })),
        )
      : filter.columns.flatMap(({ name, type }, index) =>
          filter.keys.map((key) => ({ column: name, type, value: key[index] })),
        );
  for (const { column, type, value } of values) {
    try {
      await client.query(`SELECT $1::text::${type}`, [value]);
    } catch (error) {
      if (!sqlState(error)?.startsWith('22')) throw error;
      throw new StepFailure(
        'InvalidStepInput',
        `rows: ${column} is ${type}, and ${JSON.stringify(value)} is not: ${error instanceof Error ? error.message : error}`,
        { cause: error },
      );
    }
  }
};
