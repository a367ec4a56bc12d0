import type { AdoptionFacts, AdoptionForeignKey, AdoptionKey, AdoptionTable } from './facts.ts';
import { isNullable, tenantColumn } from './paths.ts';

/** A foreign key with the tenant in front; its name and actions stay those of `before`. */
export interface CarriedKey {
  readonly before: AdoptionForeignKey;
  readonly columns: readonly string[];
  readonly referencedColumns: readonly string[];
  readonly fullMatch: boolean;
  /** Columns that ON DELETE SET NULL or SET DEFAULT clears: never tenant_id. */
  readonly setColumns: readonly string[];
  /** Columns that were all NULL or all set by MATCH FULL; beside a tenant that is always there only a CHECK can say so. */
  readonly together: readonly string[];
}

const carriesTenant = (key: AdoptionForeignKey): boolean => {
  const at = key.columns.indexOf(tenantColumn);
  return at >= 0 && key.referencedColumns[at] === tenantColumn;
};

const carry = (table: AdoptionTable, before: AdoptionForeignKey): CarriedKey => {
  const pairs = before.columns
    .map((name, place) => [name, before.referencedColumns[place]!] as const)
    .filter(([name]) => name !== tenantColumn);
  const columns = pairs.map(([name]) => name);
  const nullable = isNullable(table, before);
  const clears = before.onDelete === 'n' || before.onDelete === 'd';
  return {
    before,
    columns: [tenantColumn, ...columns],
    referencedColumns: [tenantColumn, ...pairs.map(([, name]) => name)],
    // MATCH FULL of one column is MATCH SIMPLE; of several it would refuse every NULL beside tenant_id.
    fullMatch: before.fullMatch && !nullable,
    setColumns: clears ? (before.setColumns.length > 0 ? before.setColumns : columns) : [],
    together: before.fullMatch && nullable && columns.length > 1 ? columns : [],
  };
};

/** The foreign keys between tenant tables that do not carry the tenant yet. */
export const carriedKeys = (facts: AdoptionFacts, tied: ReadonlySet<string>): CarriedKey[] => {
  const tables = new Map(facts.tables.map((table) => [table.path, table]));
  return facts.foreignKeys
    .filter((key) => tied.has(key.table) && tied.has(key.references) && !carriesTenant(key))
    .map((key) => carry(tables.get(key.table)!, key));
};

const sameSet = (some: readonly (string | null)[], others: readonly string[]): boolean =>
  some.length === others.length && others.every((name) => some.includes(name));

/**
 * The unique keys that get the tenant. A single uuid collides with nobody's and may stay as it is (domain/schema-rule.ts),
 * unless a foreign key needs it with the tenant or it is the primary key of a table that had no tenant_id.
 */
export const keysToWiden = (
  facts: AdoptionFacts,
  tied: ReadonlySet<string>,
  filled: ReadonlySet<string>,
  carried: readonly CarriedKey[],
): AdoptionKey[] =>
  facts.keys.filter((key) => {
    if (!tied.has(key.table) || key.columns.includes(tenantColumn)) return false;
    const table = facts.tables.find(({ path }) => path === key.table);
    const [first] = key.columns;
    const isUuid =
      key.columns.length === 1 && table?.columns.some(({ name, type }) => name === first && type === 'uuid');
    if (!isUuid) return true;
    if (key.kind === 'primary' && filled.has(key.table)) return true;
    return carried.some(
      ({ before }) => before.references === key.table && sameSet(key.columns, before.referencedColumns),
    );
  });
