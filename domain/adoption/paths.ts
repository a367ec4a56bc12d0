import type { AdoptionFacts, AdoptionForeignKey, AdoptionTable } from './facts.ts';

/** Where a table's tenant_id comes from. */
export type Source =
  | { readonly kind: 'own' }
  | { readonly kind: 'root'; readonly column: string }
  | { readonly kind: 'key'; readonly key: AdoptionForeignKey }
  | { readonly kind: 'column'; readonly column: string; readonly rootColumn: string };

export interface Paths {
  /** Every table with a way to the tenant, whether or not it can be used. */
  readonly tied: ReadonlySet<string>;
  /** In the order in which the tables can be filled: what a key references comes first. */
  readonly sources: ReadonlyMap<string, Source>;
}

export const tenantColumn = 'tenant_id';

export const hasTenantColumn = (table: AdoptionTable): boolean =>
  table.columns.some(({ name }) => name === tenantColumn);

/** Whether a row can lack the reference: MATCH FULL takes all columns or none, MATCH SIMPLE lets one NULL do. */
export const isNullable = (table: AdoptionTable, key: AdoptionForeignKey): boolean => {
  const notNull = (name: string): boolean => table.columns.some((column) => column.name === name && column.notNull);
  return !(key.fullMatch ? key.columns.some(notNull) : key.columns.every(notNull));
};

const tiedTables = (facts: AdoptionFacts, start: readonly string[], shared: ReadonlySet<string>): Set<string> => {
  const tied = new Set(start);
  for (let before = -1; before < tied.size; ) {
    before = tied.size;
    for (const { table, references } of facts.foreignKeys)
      if (tied.has(references) && !shared.has(table)) tied.add(table);
  }
  return tied;
};

/**
 * The way of every table to the tenant: breadth first from the root over keys that no row can lack, so the shortest way
 * wins; of equally short ones the first by name. A key from a table to itself leads nowhere.
 */
export const findPaths = (
  facts: AdoptionFacts,
  given: ReadonlyMap<string, Source>,
  shared: ReadonlySet<string>,
): Paths => {
  const own = facts.tables.filter((table) => hasTenantColumn(table) && !shared.has(table.path));
  const sources = new Map<string, Source>([
    ...own.map(({ path }): [string, Source] => [path, { kind: 'own' }]),
    ...[...given].filter(([path]) => !own.some((table) => table.path === path)),
  ]);
  const tied = tiedTables(facts, [...sources.keys()], shared);
  const tables = new Map(facts.tables.map((table) => [table.path, table]));
  for (;;) {
    const layer = new Map<string, AdoptionForeignKey>();
    for (const key of facts.foreignKeys) {
      const table = tables.get(key.table);
      if (!table || !tied.has(key.table) || key.onPartition || isNullable(table, key)) continue;
      if (sources.has(key.table) || layer.has(key.table) || !sources.has(key.references)) continue;
      layer.set(key.table, key);
    }
    if (layer.size === 0) return { tied, sources };
    for (const [path, key] of layer) sources.set(path, { kind: 'key', key });
  }
};
