/** A column as the catalog tells it; `generated` columns are neither dumped nor inserted. */
export interface Column {
  readonly name: string;
  /** `format_type()` text, such as `bigint`, `timestamp with time zone`, `public.stream_visibility`. */
  readonly type: string;
  readonly notNull: boolean;
  readonly generated: boolean;
  readonly identity: 'always' | 'by default' | null;
}

export interface ForeignKey {
  readonly name: string;
  readonly columns: readonly string[];
  /** `schema.table` of the referenced table. */
  readonly references: string;
  readonly referencedColumns: readonly string[];
}

/** One tenant table: a plain table or the root of a partition tree. */
export interface TenantTable {
  readonly schema: string;
  readonly name: string;
  /** Columns by attnum, dropped ones left out. */
  readonly columns: readonly Column[];
  readonly primaryKey: readonly string[];
  readonly foreignKeys: readonly ForeignKey[];
  /** `schema.table` of every leaf partition; empty for a plain table. */
  readonly leaves: readonly string[];
  /** `schema.sequence` -> column, for serial and identity columns. */
  readonly sequences: Readonly<Record<string, string>>;
}

/** How the tables of one database are tied to tenants. */
export interface Scope {
  /** In foreign-key order where one exists (referenced tables first). */
  readonly tables: readonly TenantTable[];
  /** Reference data: `schema.table` of tables without tenant. */
  readonly reference: readonly string[];
  /** md5 over `lines`. */
  readonly fingerprint: string;
  /** Sorted description of columns, constraints, indexes, enum labels, triggers, policies: what a diff of schemas shows. */
  readonly lines: readonly string[];
}

export const tableName = (table: Pick<TenantTable, 'schema' | 'name'>): string => `${table.schema}.${table.name}`;

/** Where the rows really are: the leaves of a partition tree, or the table itself. `schema.table` each. */
export const leavesOf = (table: TenantTable): readonly string[] =>
  table.leaves.length > 0 ? table.leaves : [tableName(table)];

/** Columns that a COPY carries: generated ones are computed by the target. */
export const copiedColumns = (table: Pick<TenantTable, 'columns'>): readonly Column[] =>
  table.columns.filter((column) => !column.generated);

/**
 * Referenced tables before the tables that reference them, in the order given where no key decides. The tables of a
 * reference cycle stand together: inside it no order exists, and a restore checks keys afterwards.
 */
export const inForeignKeyOrder = (tables: readonly TenantTable[]): TenantTable[] => {
  const left = new Map(tables.map((table) => [tableName(table), table]));
  const waitsFor = (table: TenantTable): string[] =>
    table.foreignKeys.map((key) => key.references).filter((name) => name !== tableName(table) && left.has(name));
  const reachedFrom = (start: TenantTable): Set<string> => {
    const reached = new Set<string>();
    const open = waitsFor(start);
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      const table = left.get(name);
      if (!table || reached.has(name)) continue;
      reached.add(name);
      open.push(...waitsFor(table));
    }
    return reached;
  };
  /** Waits for nothing outside its own cycle: whatever it reaches, reaches it. There is always one. */
  const isNext = (table: TenantTable): boolean =>
    [...reachedFrom(table)].every((name) => reachedFrom(left.get(name) ?? table).has(tableName(table)));
  const ordered: TenantTable[] = [];
  while (left.size > 0) {
    const waiting = [...left.values()];
    const next = waiting.find((table) => waitsFor(table).length === 0) ?? waiting.find(isNext);
    if (!next) throw new Error('every graph of tables has one that waits for nothing outside its cycle');
    left.delete(tableName(next));
    ordered.push(next);
  }
  return ordered;
};
