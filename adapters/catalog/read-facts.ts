import type { ClientBase } from 'pg';
import type { SchemaFacts } from '../../domain/schema-rule.ts';
import { appSchema, notOfExtension } from './app-schemas.ts';
import { tenantPolicy } from './fingerprint.ts';
import { withPlainNames } from './plain-names.ts';

const hasTenant = (oid: string): string =>
  `EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = ${oid} AND a.attname = 'tenant_id' AND NOT a.attisdropped)`;

/** All facts as one row of JSON: one round trip. Exclusion constraints are judged like unique indexes. */
const factsSql = `
WITH RECURSIVE rel AS (
  SELECT c.oid, c.relkind, c.relispartition, c.relpersistence, c.reloptions, n.nspname || '.' || c.relname AS name, ${hasTenant('c.oid')} AS tenant
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ${appSchema('n.nspname')} AND ${notOfExtension('pg_class', 'c.oid')}),
reads AS (
  SELECT DISTINCT r.ev_class AS view, d.refobjid AS of
  FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class),
tenant_views AS (
  SELECT reads.view FROM reads JOIN rel ON rel.oid = reads.of AND rel.tenant AND rel.relkind IN ('r', 'p', 'f')
  UNION SELECT reads.view FROM reads JOIN tenant_views t ON reads.of = t.view)
SELECT json_build_object(
  'uniqueIndexes', (SELECT coalesce(json_agg(json_build_object('table', rel.name, 'name', x.relname,
      'columns', (SELECT json_agg(a.attname ORDER BY k.position) FROM unnest(i.indkey::smallint[]) WITH ORDINALITY k (attnum, position)
        LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.position <= i.indnkeyatts))
      ORDER BY rel.name, x.relname), '[]')
    FROM pg_index i JOIN rel ON rel.oid = i.indrelid AND rel.tenant JOIN pg_class x ON x.oid = i.indexrelid
    WHERE i.indisunique OR i.indisexclusion),
  'references', (SELECT coalesce(json_agg(json_build_object('table', rel.name, 'references', target.name,
      'columns', (SELECT json_agg(a.attname ORDER BY k.position) FROM unnest(f.conkey) WITH ORDINALITY k (attnum, position)
        JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum)) ORDER BY rel.name, target.name), '[]')
    FROM pg_constraint f JOIN rel ON rel.oid = f.conrelid AND NOT rel.tenant JOIN rel target ON target.oid = f.confrelid
    WHERE f.contype = 'f' AND f.conparentid = 0),
  'views', (SELECT coalesce(json_agg(json_build_object('name', rel.name, 'materialized', rel.relkind = 'm',
      'invoker', EXISTS (SELECT FROM pg_options_to_table(rel.reloptions) WHERE option_name = 'security_invoker'
        AND lower(option_value) IN ('true', 'on', 'yes', '1'))) ORDER BY rel.name), '[]')
    FROM rel JOIN tenant_views t ON t.view = rel.oid WHERE rel.relkind IN ('v', 'm')),
  'definers', (SELECT coalesce(json_agg(json_build_object('name', p.oid::regprocedure::text,
      'searchPath', (SELECT substr(s, 13) FROM unnest(p.proconfig) s WHERE s LIKE 'search_path=%'),
      'unboundOwner', (SELECT rolname FROM pg_roles WHERE oid = p.proowner AND (rolsuper OR rolbypassrls))) ORDER BY p.oid::regprocedure::text), '[]')
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.prosecdef AND ${appSchema('n.nspname')} AND ${notOfExtension('pg_proc', 'p.oid')}),
  'foreignTables', (SELECT coalesce(json_agg(name ORDER BY name), '[]') FROM rel WHERE relkind = 'f' AND tenant),
  'openPolicies', (SELECT coalesce(json_agg(json_build_object('table', rel.name, 'name', p.polname) ORDER BY rel.name, p.polname), '[]')
    FROM pg_policy p JOIN rel ON rel.oid = p.polrelid AND rel.tenant WHERE p.polpermissive AND p.polname <> '${tenantPolicy}'),
  'inherited', (SELECT coalesce(json_agg(json_build_object('table', rel.name, 'parent', up.name) ORDER BY rel.name, up.name), '[]')
    FROM pg_inherits h JOIN rel ON rel.oid = h.inhrelid AND rel.tenant AND NOT rel.relispartition JOIN rel up ON up.oid = h.inhparent),
  'unlogged', (SELECT coalesce(json_agg(name ORDER BY name), '[]') FROM rel WHERE tenant AND relkind = 'r' AND relpersistence = 'u'),
  'largeObjects', (SELECT count(*) FROM pg_largeobject_metadata)) AS facts`;

/** What the schema rule needs beyond the scope (domain/schema-rule.ts). Reads the catalog only. */
export const readSchemaFacts = (client: ClientBase): Promise<SchemaFacts> =>
  withPlainNames(client, async () => {
    const { rows } = await client.query<{ facts: SchemaFacts }>(factsSql);
    const facts = rows[0]?.facts;
    if (!facts) throw new Error('the catalog query returned no row');
    return facts;
  });
