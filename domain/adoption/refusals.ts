import type { SchemaFinding } from '../schema-rule.ts';
import type { AdoptionFacts, AdoptionForeignKey, AdoptionKey, AdoptionTable } from './facts.ts';
import type { CarriedKey } from './keys.ts';
import { isNullable, type Paths, tenantColumn } from './paths.ts';

const list = (names: readonly (string | null)[]): string => names.map((name) => name ?? '(expression)').join(', ');

const tenantTypes = /^(text|character varying(\(\d+\))?)$/;

const refuseTenantColumn = (table: AdoptionTable): SchemaFinding[] => {
  const object = table.path;
  const column = table.columns.find(({ name }) => name === tenantColumn);
  if (!column) return [];
  if (!tenantTypes.test(column.type))
    return [
      {
        object,
        breaks: `its own column tenant_id is ${column.type}, and Tenantry's is text`,
        fix: 'rename that column, such as to account_id; its foreign key then fills the new tenant_id',
      },
    ];
  if (column.notNull) return [];
  return [{ object, breaks: 'tenant_id may be NULL: such a row belongs to nobody', fix: 'fill it and SET NOT NULL' }];
};

/** What no migration can add to a table that is about to become a tenant's. */
export const refuseTable = (table: AdoptionTable, keys: readonly AdoptionKey[]): SchemaFinding[] => {
  const object = table.path;
  const say = (breaks: string, fix: string): SchemaFinding => ({ object, breaks, fix });
  return [
    ...refuseTenantColumn(table),
    ...(keys.some((key) => key.relation === object && key.kind === 'primary')
      ? []
      : [say('it has no primary key: nothing names one of its rows', 'add PRIMARY KEY, such as an identity column')]),
    ...(table.unlogged
      ? [say('it is unlogged: a crash empties it and a move does not carry it', 'ALTER TABLE ... SET LOGGED')]
      : []),
    ...(table.typed ? [say('it is a table OF a type, which takes no further column', 'ALTER TABLE ... NOT OF')] : []),
    ...table.inherits.map((other) =>
      say(
        `it shares rows with ${other} by inheritance: its rows would be copied twice`,
        'make them partitions, or NO INHERIT',
      ),
    ),
    ...table.rules.map((rule) => say(`rule ${rule} rewrites what is sent to it`, 'make the rule a trigger')),
    ...table.policies.map((policy) =>
      say(
        `policy ${policy} is permissive: its rows are added to those of the tenant`,
        'drop it, or make it AS RESTRICTIVE',
      ),
    ),
    ...(table.schema.includes('.')
      ? [say('the name of its schema has a dot', 'rename the schema: a dot parts schema and table')]
      : []),
  ];
};

export const refuseKey = (key: AdoptionKey, textMethods: readonly string[]): SchemaFinding[] => {
  const object = key.relation;
  const say = (breaks: string, fix: string): SchemaFinding[] => [{ object, breaks, fix }];
  return [
    ...(key.valid ? [] : say(`index ${key.name} is invalid`, 'REINDEX or drop it')),
    ...(key.tail === null ? say(`index ${key.name} cannot be read`, 'make it a unique constraint') : []),
    ...(textMethods.includes(key.method)
      ? []
      : say(
          `${key.kind} ${key.name} uses ${key.method}, which takes no text beside its columns`,
          key.method === 'gist' ? 'CREATE EXTENSION btree_gist' : 'make it USING gist with extension btree_gist',
        )),
    ...key.functions.flatMap((name) =>
      say(`function ${name} depends on constraint ${key.name}, which has to be made again`, `drop ${name} before`),
    ),
  ];
};

export const refuseForeignKey = ({ before: key }: CarriedKey): SchemaFinding[] => {
  const object = key.table;
  const say = (breaks: string, fix: string): SchemaFinding[] => [{ object, breaks, fix }];
  return [
    ...(key.onPartition || key.referencesPartition
      ? say(`foreign key ${key.name} stands on or points to a single partition`, 'put it on the partitioned tables')
      : []),
    ...(key.validated
      ? []
      : say(`foreign key ${key.name} is NOT VALID: rows may hang on nothing`, `VALIDATE CONSTRAINT ${key.name}`)),
    ...(key.onUpdate === 'n' || key.onUpdate === 'd'
      ? say(
          `foreign key ${key.name} has ON UPDATE SET ${key.onUpdate === 'n' ? 'NULL' : 'DEFAULT'}, which would clear tenant_id too`,
          'make it ON UPDATE CASCADE or NO ACTION',
        )
      : []),
  ];
};

/** A table that hangs on a tenant, but not every row of it. */
export const refuseLoose = (facts: AdoptionFacts, { tied, sources }: Paths, table: AdoptionTable): SchemaFinding => {
  const ways = facts.foreignKeys.filter((key) => key.table === table.path && tied.has(key.references));
  const others = ways.filter((key) => key.references !== table.path);
  const nullable = others.filter((key) => isNullable(table, key) && sources.has(key.references));
  const describe = (key: AdoptionForeignKey): string => `${key.name} (${list(key.columns)}) to ${key.references}`;
  if (nullable.length > 0)
    return {
      object: table.path,
      breaks: `its only way to a tenant may be NULL: ${nullable.map(describe).join('; ')}; a row without it would belong to nobody`,
      fix: `SET NOT NULL on ${list(nullable[0]!.columns)}, or give it a NOT NULL key to a tenant table`,
    };
  return {
    object: table.path,
    breaks: `it hangs on tables that have no sure way to a tenant themselves: ${others.map(describe).join('; ')}`,
    fix: `mend ${list([...new Set(others.map((key) => key.references))])} first, or give it a NOT NULL key to a tenant table`,
  };
};

/** Tables without a key to a tenant that have a column named and typed like those that are one: a leak if left shared. */
export const refuseSuspects = (
  facts: AdoptionFacts,
  root: AdoptionTable,
  tied: ReadonlySet<string>,
  shared: ReadonlySet<string>,
): SchemaFinding[] => {
  const names = new Set(
    facts.foreignKeys.flatMap((key) =>
      key.references === root.path && key.columns.length === 1 && key.table !== root.path ? key.columns : [],
    ),
  );
  const tables = facts.tables.filter(({ path }) => !tied.has(path) && !shared.has(path));
  return [
    ...tables.flatMap((table) =>
      table.columns
        .filter(({ name }) => names.has(name))
        .map(({ name }) => ({
          object: table.path,
          breaks: `column ${name} looks like the tenant's, but is no foreign key to ${root.path}`,
          fix: `add the foreign key, or say --tenant-column ${table.path}.${name}, or --reference ${table.path} if all tenants share it`,
        })),
    ),
    ...facts.foreignTables
      .filter(({ columns }) => columns.some((name) => names.has(name)))
      .map(({ path }) => ({
        object: path,
        breaks: 'a foreign table seems to hold rows of tenants, but they are on another server',
        fix: 'make it a plain table, or drop it',
      })),
  ];
};

/** Tables that were called shared and hang on a tenant all the same. */
export const refuseShared = (
  facts: AdoptionFacts,
  tied: ReadonlySet<string>,
  shared: ReadonlySet<string>,
): SchemaFinding[] =>
  facts.foreignKeys
    .filter((key) => shared.has(key.table) && tied.has(key.references))
    .map((key) => ({
      object: key.table,
      breaks: `it is called shared, but foreign key ${key.name} (${list(key.columns)}) hangs it on ${key.references}, which is a tenant's`,
      fix: `drop that foreign key, or leave out --reference ${key.table}`,
    }));
