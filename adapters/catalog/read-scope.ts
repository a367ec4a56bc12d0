import { createHash } from 'node:crypto';
import type { ClientBase } from 'pg';
import { inForeignKeyOrder, type Scope, type TenantTable } from '../../domain/scope.ts';
import { appSchema, notOfExtension } from './app-schemas.ts';
import { readFingerprint } from './fingerprint.ts';
import { withPlainNames } from './plain-names.ts';

type Table = TenantTable & { readonly hasTenant: boolean };

/** One row per table or root of a partition tree. JSON is built by the server: one round trip however many tables. */
const tablesSql = `
SELECT n.nspname AS schema, c.relname AS name,
  EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped) AS "hasTenant",
  (SELECT coalesce(json_agg(json_build_object(
      'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'notNull', a.attnotnull,
      'generated', a.attgenerated <> '',
      'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END) ORDER BY a.attnum), '[]')
    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
  (SELECT coalesce(json_agg(a.attname ORDER BY k.position), '[]')
    FROM pg_index i, unnest(i.indkey::smallint[]) WITH ORDINALITY k (attnum, position), pg_attribute a
    WHERE i.indrelid = c.oid AND i.indisprimary AND k.position <= i.indnkeyatts
      AND a.attrelid = c.oid AND a.attnum = k.attnum) AS "primaryKey",
  (SELECT coalesce(json_agg(json_build_object(
      'name', f.conname,
      'columns', (SELECT json_agg(a.attname ORDER BY k.position) FROM unnest(f.conkey) WITH ORDINALITY k (attnum, position)
        JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum),
      'references', tn.nspname || '.' || t.relname,
      'referencedColumns', (SELECT json_agg(a.attname ORDER BY k.position) FROM unnest(f.confkey) WITH ORDINALITY k (attnum, position)
        JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.attnum)) ORDER BY f.conname), '[]')
    FROM pg_constraint f JOIN pg_class t ON t.oid = f.confrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
    WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.conparentid = 0) AS "foreignKeys",
  (SELECT coalesce(json_agg(ln.nspname || '.' || l.relname ORDER BY ln.nspname, l.relname), '[]')
    FROM pg_partition_tree(c.oid) p JOIN pg_class l ON l.oid = p.relid JOIN pg_namespace ln ON ln.oid = l.relnamespace
    WHERE c.relkind = 'p' AND p.isleaf AND l.relkind = 'r') AS leaves,
  (SELECT coalesce(json_object_agg(sn.nspname || '.' || s.relname, a.attname ORDER BY s.relname), '{}')
    FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_namespace sn ON sn.oid = s.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
      AND d.deptype IN ('a', 'i')) AS sequences
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND ${appSchema('n.nspname')} AND ${notOfExtension('pg_class', 'c.oid')}
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`;

/**
 * How the tables of this database are tied to tenants, and the fingerprint of its schema. Reads the catalog only, in three
 * round trips; works inside and outside a transaction and sees what its snapshot sees.
 */
export const readScope = (client: ClientBase): Promise<Scope> =>
  withPlainNames(client, async () => {
    const { rows } = await client.query<Table>(tablesSql);
    const lines = await readFingerprint(client);
    const tables = rows.filter((row) => row.hasTenant).map(({ hasTenant: _, ...table }) => table);
    const reference = rows.filter((row) => !row.hasTenant).map((row) => `${row.schema}.${row.name}`);
    const fingerprint = createHash('md5').update(lines.join('\n')).digest('hex');
    return { tables: inForeignKeyOrder(tables), reference, fingerprint, lines };
  });
