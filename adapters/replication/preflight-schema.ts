import type { Finding } from '../../domain/move.ts';
import { leavesOf, type Scope, tableName } from '../../domain/scope.ts';
import { fencePrefix } from '../catalog/fingerprint.ts';
import { identPath } from '../postgres/identifier.ts';
import { finding, type Look, type Looked } from './look.ts';
import { schemaDifferences } from './schema.ts';

const schemaFinding = ({ source, target }: Look): Finding[] => {
  if (!target) return [];
  return [
    finding('schema', 'both', schemaDifferences(source.scope, target.scope), {
      well: `both have schema ${source.scope.fingerprint.slice(0, 12)}`,
      fix: 'run set-up, so that both databases have the same migrations and partitions',
    }),
  ];
};

interface Relation {
  readonly name: string;
  readonly identity: 'd' | 'n' | 'f' | 'i';
  /** Whether the columns of its replica identity include tenant_id; null where it has no such index. */
  readonly covers: boolean | null;
  readonly persistence: 'p' | 'u' | 't';
  readonly fenced: boolean;
}

const relationsSql = `
SELECT n.nspname || '.' || c.relname AS name, c.relreplident AS identity, c.relpersistence AS persistence,
  (SELECT bool_or(a.attname = 'tenant_id') FROM pg_index i
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    WHERE i.indrelid = c.oid AND i.indisvalid AND CASE c.relreplident WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END) AS covers,
  EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = '${fencePrefix}' AND t.tgenabled IN ('O', 'A')) AS fenced
FROM unnest($1::text[]) path JOIN pg_class c ON c.oid = to_regclass(path) JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY 1`;

/** Roots and leaves: the log carries the identity of the leaf, a publication through the root looks at both. */
const pathsOf = ({ tables }: Scope): string[] => [
  ...new Set(tables.flatMap((table) => [tableName(table), ...leavesOf(table)])),
];

const readRelations = async ({ client, scope }: Looked): Promise<Relation[]> =>
  (await client.query<Relation>(relationsSql, [pathsOf(scope).map(identPath)])).rows;

const identityFault = ({ name, identity, covers }: Relation): string[] => {
  if (identity === 'n')
    return [`${name} has REPLICA IDENTITY NOTHING: its updates and deletes would fail for every tenant`];
  if (identity === 'f')
    return [`${name} has REPLICA IDENTITY FULL: every change would be looked for in the whole table`];
  if (covers === null) return [`${name} has no key that identifies its rows`];
  if (!covers) return [`the key of ${name} lacks tenant_id: its updates would fail for every tenant`];
  return [];
};

export const schemaFindings = async (look: Look): Promise<Finding[]> => {
  const [identity, fence, unlogged]: [string[], string[], string[]] = [[], [], []];
  for (const side of look.sides) {
    const relations = await readRelations(side);
    identity.push(...relations.flatMap(identityFault).map((fault) => `${side.name}: ${fault}`));
    fence.push(
      ...relations.filter(({ fenced }) => !fenced).map(({ name }) => `${side.name}: ${name} has no fence trigger`),
    );
    unlogged.push(
      ...relations
        .filter(({ persistence }) => persistence !== 'p')
        .map(({ name }) => `${side.name}: ${name} is unlogged`),
    );
  }
  const large: string[] = [];
  const { rows } = await look.source.client.query<{ count: string }>('SELECT count(*) FROM pg_largeobject_metadata');
  if (rows[0]?.count !== '0') large.push(`the source has ${rows[0]?.count} large objects, which belong to no tenant`);
  return [
    ...schemaFinding(look),
    finding('fence', 'both', fence, {
      well: 'every table and leaf has the fence trigger',
      fix: 'run set-up, which puts it on',
    }),
    finding('replica-identity', 'live', identity, {
      well: 'tenant_id is in the replica identity of every table and leaf',
      fix: 'make the primary key (tenant_id, ...), or CREATE UNIQUE INDEX ON it with tenant_id and ALTER TABLE ... REPLICA IDENTITY USING INDEX',
    }),
    finding('persistence', 'live', unlogged, {
      well: 'every table writes the log',
      fix: 'ALTER TABLE ... SET LOGGED',
    }),
    finding('large-objects', 'both', large, {
      well: 'there are no large objects',
      fix: 'keep such data in a bytea column of a tenant table, and lo_unlink the objects',
    }),
  ];
};
