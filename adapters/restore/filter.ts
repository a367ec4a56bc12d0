import type { Condition, RowFilter } from '../../domain/rows.ts';
import { ident } from '../postgres/identifier.ts';

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
