import type { ClientBase } from 'pg';
import type { AdoptionFacts } from '../../domain/adoption/facts.ts';
import { appSchema, notOfExtension } from './app-schemas.ts';
import { fencePrefix, tenantPolicy } from './fingerprint.ts';
import { withPlainNames } from './plain-names.ts';

/** Names of the columns of `relation` whose numbers the array holds, in its order; null where a number is 0 (an expression). */
const namesOf = (relation: string, numbers: string, upTo = ''): string =>
  `(SELECT coalesce(json_agg(a.attname ORDER BY k.position), '[]') FROM unnest(${numbers}) WITH ORDINALITY k (attnum, position)
    LEFT JOIN pg_attribute a ON a.attrelid = ${relation} AND a.attnum = k.attnum ${upTo})`;

const listOf = (what: string, order: string): string => `coalesce(json_agg(${what} ORDER BY ${order}), '[]')`;

const relations = `
rel AS (
  SELECT c.oid, c.relkind, c.relispartition, c.relpersistence, c.reloptions, c.reloftype, c.reltype, c.relacl, c.relowner,
    n.nspname AS schema, c.relname AS name, n.nspname || '.' || c.relname AS path, coalesce(pg_partition_root(c.oid), c.oid) AS root
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ${appSchema('n.nspname')} AND ${notOfExtension('pg_class', 'c.oid')}),
part AS (SELECT rel.oid, rel.path, rel.relispartition, top.path AS "table", top.oid AS root
  FROM rel JOIN rel top ON top.oid = rel.root WHERE rel.relkind IN ('r', 'p'))`;

const tables = `
SELECT ${listOf(
  `json_build_object('path', t.path, 'schema', t.schema, 'name', t.name, 'partitioned', t.relkind = 'p',
    'unlogged', t.relpersistence = 'u', 'typed', t.reloftype <> 0,
    'columns', (SELECT coalesce(json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
        'notNull', a.attnotnull) ORDER BY a.attnum), '[]')
      FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'partitions', (SELECT ${listOf('part.path', 'part.path')} FROM part WHERE part.root = t.oid AND part.oid <> t.oid),
    'inherits', (SELECT ${listOf('o.path', 'o.path')} FROM pg_inherits h
      JOIN rel o ON o.oid = CASE WHEN h.inhrelid = t.oid THEN h.inhparent ELSE h.inhrelid END
      WHERE t.oid IN (h.inhrelid, h.inhparent) AND NOT o.relispartition),
    'rules', (SELECT ${listOf('r.rulename', 'r.rulename')} FROM pg_rewrite r JOIN part ON part.oid = r.ev_class WHERE part.root = t.oid),
    'policies', (SELECT ${listOf('p.polname', 'p.polname')} FROM pg_policy p JOIN part ON part.oid = p.polrelid
      WHERE part.root = t.oid AND p.polpermissive AND p.polname <> '${tenantPolicy}'),
    'replicaIndex', (SELECT x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = t.oid AND i.indisreplident))`,
  't.path COLLATE "C"',
)} FROM rel t WHERE t.relkind IN ('r', 'p') AND NOT t.relispartition`;

const foreignKeys = `
SELECT ${listOf(
  `json_build_object('table', own."table", 'onPartition', own.relispartition, 'name', f.conname,
    'columns', ${namesOf('f.conrelid', 'f.conkey')}, 'references', target."table", 'referencesPartition', target.relispartition,
    'referencedColumns', ${namesOf('f.confrelid', 'f.confkey')}, 'fullMatch', f.confmatchtype = 'f',
    'onUpdate', f.confupdtype, 'onDelete', f.confdeltype, 'setColumns', ${namesOf('f.conrelid', 'f.confdelsetcols')},
    'deferrable', f.condeferrable, 'deferred', f.condeferred, 'validated', f.convalidated,
    'comment', obj_description(f.oid, 'pg_constraint'))`,
  'own.path COLLATE "C", f.conname COLLATE "C"',
)} FROM pg_constraint f JOIN part own ON own.oid = f.conrelid JOIN part target ON target.oid = f.confrelid
WHERE f.contype = 'f' AND f.conparentid = 0`;

/** Where the text of an index begins; the rest are its columns and options. ONLY stands on partitioned roots. */
const indexHead = `format('CREATE UNIQUE INDEX %I ON %s%s USING %I (', x.relname,
  CASE WHEN x.relkind = 'I' THEN 'ONLY ' ELSE '' END, format('%I.%I', n.nspname, c.relname), am.amname)`;

const keys = `
SELECT ${listOf(
  `json_build_object('table', part."table", 'relation', part.path, 'name', x.relname,
    'kind', CASE coalesce(k.contype, ' ') WHEN 'p' THEN 'primary' WHEN 'u' THEN 'unique' WHEN 'x' THEN 'exclusion' ELSE 'index' END,
    'method', am.amname, 'columns', ${namesOf('i.indrelid', 'i.indkey::smallint[]', 'WHERE k.position <= i.indnkeyatts')},
    'partial', i.indpred IS NOT NULL, 'valid', i.indisvalid,
    'tail', CASE WHEN k.oid IS NOT NULL THEN substr(pg_get_constraintdef(k.oid), strpos(pg_get_constraintdef(k.oid), '(') + 1)
      WHEN starts_with(pg_get_indexdef(x.oid), ${indexHead}) THEN substr(pg_get_indexdef(x.oid), length(${indexHead}) + 1) END,
    'head', coalesce(substr(pg_get_constraintdef(k.oid), 1, strpos(pg_get_constraintdef(k.oid), '(') - 1), ''),
    'functions', (SELECT coalesce(json_agg(DISTINCT d.objid::regprocedure::text), '[]') FROM pg_depend d
      WHERE d.refclassid = 'pg_constraint'::regclass AND d.refobjid = k.oid AND d.classid = 'pg_proc'::regclass),
    'comment', coalesce(obj_description(k.oid, 'pg_constraint'), CASE WHEN k.oid IS NULL THEN obj_description(x.oid, 'pg_class') END))`,
  'part.path COLLATE "C", x.relname COLLATE "C"',
)} FROM pg_index i JOIN part ON part.oid = i.indrelid JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am am ON am.oid = x.relam
LEFT JOIN pg_constraint k ON k.conindid = x.oid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
WHERE (i.indisunique OR i.indisexclusion) AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = x.oid)`;

const triggers = `
SELECT ${listOf(
  `json_build_object('relation', part.path, 'table', part."table", 'name', t.tgname, 'enabled', t.tgenabled)`,
  'part.path COLLATE "C", t.tgname COLLATE "C"',
)} FROM pg_trigger t JOIN part ON part.oid = t.tgrelid
WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgname NOT LIKE '${fencePrefix}%'`;

/** A view is made after all that it reads, so its oid is larger, unless CREATE OR REPLACE changed it: hence the depth. */
const views = `
SELECT ${listOf(
  `json_build_object('path', v.path, 'materialized', v.relkind = 'm',
    'invoker', EXISTS (SELECT FROM pg_options_to_table(v.reloptions) WHERE option_name = 'security_invoker'
      AND lower(option_value) IN ('true', 'on', 'yes', '1')),
    'definition', pg_get_viewdef(v.oid),
    'options', (SELECT coalesce(json_agg(o), '[]') FROM unnest(v.reloptions) o WHERE o NOT LIKE 'security_invoker=%'),
    'reads', (SELECT coalesce(json_agg(DISTINCT coalesce(part."table", rel.path)), '[]') FROM reads
      JOIN rel ON rel.oid = reads.of LEFT JOIN part ON part.oid = rel.oid WHERE reads.view = v.oid),
    'groupsBy', (SELECT coalesce(json_agg(DISTINCT part."table"), '[]') FROM pg_rewrite r
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_constraint'::regclass
      JOIN pg_constraint k ON k.oid = d.refobjid JOIN part ON part.oid = k.conrelid WHERE r.ev_class = v.oid),
    'users', (SELECT coalesce(json_agg(DISTINCT CASE d.classid WHEN 'pg_proc'::regclass THEN d.objid::regprocedure::text
        ELSE d.objid::regclass::text END), '[]')
      FROM pg_depend d WHERE d.classid IN ('pg_proc'::regclass, 'pg_class'::regclass) AND d.deptype = 'n' AND d.objid <> v.oid
        AND ((d.refclassid = 'pg_class'::regclass AND d.refobjid = v.oid) OR (d.refclassid = 'pg_type'::regclass
          AND d.refobjid IN (v.reltype, (SELECT t.typarray FROM pg_type t WHERE t.oid = v.reltype))))),
    'rules', (SELECT ${listOf('r.rulename', 'r.rulename')} FROM pg_rewrite r WHERE r.ev_class = v.oid AND r.rulename <> '_RETURN'),
    'triggers', (SELECT ${listOf('pg_get_triggerdef(t.oid)', 't.tgname')} FROM pg_trigger t WHERE t.tgrelid = v.oid AND NOT t.tgisinternal),
    'grants', (SELECT coalesce(json_agg(json_build_object('grantee', g.rolname, 'privilege', x.privilege_type, 'grantable', x.is_grantable)
        ORDER BY g.rolname, x.privilege_type), '[]')
      FROM aclexplode(v.relacl) x LEFT JOIN pg_roles g ON g.oid = x.grantee WHERE x.grantee <> v.relowner),
    'comment', obj_description(v.oid, 'pg_class'))`,
  'depth.depth, v.path COLLATE "C"',
)} FROM rel v JOIN (SELECT view, max(depth) AS depth FROM chain GROUP BY view) depth ON depth.view = v.oid`;

const factsSql = `
WITH RECURSIVE ${relations},
reads AS (
  SELECT DISTINCT r.ev_class AS view, d.refobjid AS of
  FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class JOIN rel ON rel.oid = r.ev_class AND rel.relkind IN ('v', 'm')),
chain AS (
  SELECT oid AS view, 0 AS depth FROM rel WHERE relkind IN ('v', 'm')
  UNION SELECT reads.view, chain.depth + 1 FROM reads JOIN chain ON chain.view = reads.of)
SELECT json_build_object(
  'tables', (${tables}),
  'foreignKeys', (${foreignKeys}),
  'keys', (${keys}),
  'triggers', (${triggers}),
  'views', (${views}),
  'foreignTables', (SELECT ${listOf(
    `json_build_object('path', t.path, 'columns', (SELECT json_agg(a.attname) FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped))`,
    't.path COLLATE "C"',
  )} FROM rel t WHERE t.relkind = 'f'),
  'textMethods', (SELECT coalesce(json_agg(DISTINCT am.amname), '[]') FROM pg_opclass o JOIN pg_am am ON am.oid = o.opcmethod
    WHERE o.opcintype = 'text'::regtype AND o.opcdefault AND pg_indexam_has_property(am.oid, 'can_multi_col')),
  'conflictFunctions', (SELECT ${listOf('p.oid::regprocedure::text', 'p.oid::regprocedure::text COLLATE "C"')}
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.prosrc ~* 'on\\s+conflict\\s*\\(' AND ${appSchema('n.nspname')} AND ${notOfExtension('pg_proc', 'p.oid')}),
  'largeObjects', (SELECT count(*) FROM pg_largeobject_metadata)) AS facts`;

/** What an adoption is planned from (domain/adoption.ts): the catalog alone, in one round trip; no row of a table is read. */
export const readAdoptionFacts = (client: ClientBase): Promise<AdoptionFacts> =>
  withPlainNames(client, async () => {
    const { rows } = await client.query<{ facts: AdoptionFacts }>(factsSql);
    const facts = rows[0]?.facts;
    if (!facts) throw new Error('the catalog query returned no row');
    return facts;
  });
