import type pg from 'pg';
import { ident, identPath } from '../postgres/identifier.ts';
import { pipeCopy } from './pipe.ts';

/** Reference tables above this are data of their own, not lists of codes; they are not carried along. */
const largest = 64 * 1024 * 1024;

interface ReferenceTable {
  readonly path: string;
  readonly columns: readonly string[];
  readonly key: readonly string[];
  readonly bytes: number;
}

const tablesSql = `
SELECT p.path, pg_table_size(c.oid) AS bytes,
  (SELECT coalesce(json_agg(a.attname ORDER BY a.attnum), '[]') FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns,
  (SELECT coalesce(json_agg(a.attname ORDER BY a.attnum), '[]') FROM pg_index i JOIN pg_attribute a
    ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) WHERE i.indrelid = c.oid AND i.indisprimary) AS key
FROM unnest($1::text[], $2::text[]) p (path, name) JOIN pg_class c ON c.oid = to_regclass(p.name)`;

const readTables = async (client: pg.ClientBase, paths: readonly string[]): Promise<ReferenceTable[]> =>
  (await client.query<ReferenceTable>(tablesSql, [paths, paths.map(identPath)])).rows.map((table) => ({
    ...table,
    bytes: Number(table.bytes),
  }));

const list = (columns: readonly string[], alias?: string): string =>
  columns.map((column) => (alias ? `${alias}.${ident(column)}` : ident(column))).join(', ');

export interface ReferenceDifference {
  readonly table: string;
  /** Rows that only the source has: they are added. */
  readonly missing: number;
  /** Rows that both have under one key, with other contents: neighbours use them, so they are left alone. */
  readonly differing: number;
  /** Why the table cannot be compared, such as no primary key. */
  readonly refused?: string;
}

const staged = 'tenantry_reference';

/** Puts the source's rows of one table into a temporary table of the target, which the transaction drops. */
const stage = async (
  source: pg.ClientBase,
  target: pg.ClientBase,
  { path, columns }: ReferenceTable,
): Promise<void> => {
  await target.query(
    `CREATE TEMPORARY TABLE ${staged} ON COMMIT DROP AS SELECT ${list(columns)} FROM ${identPath(path)} WITH NO DATA`,
  );
  await pipeCopy(
    source,
    `COPY (SELECT ${list(columns)} FROM ${identPath(path)}) TO STDOUT`,
    target,
    `COPY pg_temp.${staged} (${list(columns)}) FROM STDIN`,
  );
};

const inTransaction = async <Result>(
  client: pg.ClientBase,
  end: 'COMMIT' | 'ROLLBACK',
  work: () => Promise<Result>,
) => {
  await client.query('BEGIN');
  try {
    const result = await work();
    await client.query(end);
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
};

const sameKey = (key: readonly string[]): string =>
  key.map((column) => `r.${ident(column)} = s.${ident(column)}`).join(' AND ');

const compareTable = (
  source: pg.ClientBase,
  target: pg.ClientBase,
  table: ReferenceTable,
): Promise<ReferenceDifference> =>
  inTransaction(target, 'ROLLBACK', async () => {
    await stage(source, target, table);
    const { columns, key, path } = table;
    const { rows } = await target.query<{ missing: string; differing: string }>(
      `SELECT count(*) FILTER (WHERE r.${ident(key[0]!)} IS NULL) AS missing,
         count(*) FILTER (WHERE r.${ident(key[0]!)} IS NOT NULL AND ROW(${list(columns, 'r')})::text COLLATE "C" <> ROW(${list(columns, 's')})::text COLLATE "C") AS differing
       FROM pg_temp.${staged} s LEFT JOIN ${identPath(path)} r ON ${sameKey(key)}`,
    );
    return { table: path, missing: Number(rows[0]?.missing), differing: Number(rows[0]?.differing) };
  });

/** What is different in the reference tables, for those that have rows on the source. Changes nothing. */
export const compareReference = async (
  source: pg.ClientBase,
  target: pg.ClientBase,
  paths: readonly string[],
): Promise<ReferenceDifference[]> => {
  const differences: ReferenceDifference[] = [];
  for (const table of await readTables(source, paths)) {
    const refused =
      table.key.length === 0
        ? 'it has no primary key'
        : table.bytes > largest
          ? `it has ${table.bytes} bytes, more than ${largest}`
          : undefined;
    differences.push(
      refused ? { table: table.path, missing: 0, differing: 0, refused } : await compareTable(source, target, table),
    );
  }
  return differences;
};

/** Adds the reference rows that the target lacks, which the tenant's foreign keys may need; changes none that it has. */
export const copyReference = async (
  source: pg.ClientBase,
  target: pg.ClientBase,
  paths: readonly string[],
): Promise<number> => {
  let added = 0;
  for (const table of await readTables(source, paths)) {
    if (table.key.length === 0 || table.bytes > largest) continue;
    added += await inTransaction(target, 'COMMIT', async () => {
      await stage(source, target, table);
      // Reference tables may refer to each other in a circle.
      await target.query(`SET LOCAL session_replication_role = 'replica'`);
      const { rowCount } = await target.query(
        `INSERT INTO ${identPath(table.path)} (${list(table.columns)}) OVERRIDING SYSTEM VALUE
         SELECT ${list(table.columns, 's')} FROM pg_temp.${staged} s
         WHERE NOT EXISTS (SELECT FROM ${identPath(table.path)} r WHERE ${sameKey(table.key)}) ON CONFLICT DO NOTHING`,
      );
      return rowCount ?? 0;
    });
  }
  return added;
};
