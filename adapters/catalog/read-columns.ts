import type { ClientBase } from 'pg';
import { withPlainNames } from './plain-names.ts';

export interface StoredColumn {
  readonly name: string;
  /** format_type() text. */
  readonly type: string;
}

const columnsSql = `
SELECT n.nspname || '.' || c.relname AS path,
  json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum) AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
WHERE c.relkind = 'r' AND n.nspname || '.' || c.relname = ANY ($1)
GROUP BY 1`;

/**
 * The columns that a COPY of each plain table or leaf carries, in the table's own order: a partition that was attached may
 * have another order than its root.
 */
export const readColumns = (
  client: ClientBase,
  paths: readonly string[],
): Promise<ReadonlyMap<string, readonly StoredColumn[]>> =>
  withPlainNames(client, async () => {
    const { rows } = await client.query<{ path: string; columns: StoredColumn[] }>(columnsSql, [paths]);
    return new Map(rows.map(({ path, columns }) => [path, columns]));
  });
