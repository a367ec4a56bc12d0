/** A plain table or the root of a partition tree, tenant or not; `path` is `schema.name` as in domain/scope.ts. */
export interface AdoptionTable {
  readonly path: string;
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly AdoptionColumn[];
  /** Paths of all partitions at every depth; empty for a plain table. */
  readonly partitions: readonly string[];
  readonly partitioned: boolean;
  readonly unlogged: boolean;
  /** Made by CREATE TABLE OF: such a table takes no column of its own. */
  readonly typed: boolean;
  /** Tables that it inherits from or that inherit from it; partitions are none. */
  readonly inherits: readonly string[];
  /** Names of rewrite rules on it or a partition. */
  readonly rules: readonly string[];
  /** Names of permissive policies that are not Tenantry's. */
  readonly policies: readonly string[];
  /** Index of REPLICA IDENTITY USING INDEX. */
  readonly replicaIndex: string | null;
}

export interface AdoptionColumn {
  readonly name: string;
  /** format_type() text. */
  readonly type: string;
  readonly notNull: boolean;
}

/** pg_constraint.confupdtype and confdeltype: no action, restrict, cascade, set null, set default. */
export type ReferenceAction = 'a' | 'r' | 'c' | 'n' | 'd';

export interface AdoptionForeignKey {
  /** Root of the tree when it stands on a partition. */
  readonly table: string;
  readonly onPartition: boolean;
  readonly name: string;
  readonly columns: readonly string[];
  readonly references: string;
  readonly referencesPartition: boolean;
  readonly referencedColumns: readonly string[];
  readonly fullMatch: boolean;
  readonly onUpdate: ReferenceAction;
  readonly onDelete: ReferenceAction;
  /** Columns that ON DELETE SET NULL or SET DEFAULT names; empty: all. */
  readonly setColumns: readonly string[];
  readonly deferrable: boolean;
  readonly deferred: boolean;
  readonly validated: boolean;
  readonly comment: string | null;
}

/** A primary key, unique or exclusion constraint, or a unique index without constraint, that no parent index brought along. */
export interface AdoptionKey {
  readonly table: string;
  /** The table itself, or the partition on which alone it stands. */
  readonly relation: string;
  readonly name: string;
  readonly kind: 'primary' | 'unique' | 'exclusion' | 'index';
  readonly method: string;
  /** Key columns; null stands for an expression. */
  readonly columns: readonly (string | null)[];
  readonly partial: boolean;
  readonly valid: boolean;
  /**
   * What follows the bracket that opens the columns: of pg_get_constraintdef(), or of pg_get_indexdef() of an index. Null
   * where the text of the server did not begin as expected.
   */
  readonly tail: string | null;
  /** What stands before that bracket in a constraint, such as `UNIQUE NULLS NOT DISTINCT `; empty for an index. */
  readonly head: string;
  /** Functions whose bodies depend on the constraint. */
  readonly functions: readonly string[];
  readonly comment: string | null;
}

export interface AdoptionTrigger {
  readonly relation: string;
  readonly table: string;
  readonly name: string;
  /** pg_trigger.tgenabled: origin, replica, always; a disabled one is left out. */
  readonly enabled: 'O' | 'R' | 'A';
}

export interface AdoptionView {
  readonly path: string;
  readonly materialized: boolean;
  readonly invoker: boolean;
  /** pg_get_viewdef(). */
  readonly definition: string;
  /** Options such as `check_option=local`, without security_invoker. */
  readonly options: readonly string[];
  /** Tables (roots of trees) and views that it reads itself. */
  readonly reads: readonly string[];
  /** Primary keys by which it groups: `schema.table` each. */
  readonly groupsBy: readonly string[];
  /** Functions and table columns that would fall with it. */
  readonly users: readonly string[];
  readonly rules: readonly string[];
  /** pg_get_triggerdef() of INSTEAD OF triggers. */
  readonly triggers: readonly string[];
  readonly grants: readonly {
    readonly grantee: string | null;
    readonly privilege: string;
    readonly grantable: boolean;
  }[];
  readonly comment: string | null;
}

/** What adapters/catalog/read-adoption.ts finds in a schema that nobody here wrote. */
export interface AdoptionFacts {
  readonly tables: readonly AdoptionTable[];
  readonly foreignKeys: readonly AdoptionForeignKey[];
  readonly keys: readonly AdoptionKey[];
  readonly triggers: readonly AdoptionTrigger[];
  /** In an order in which they can be created. */
  readonly views: readonly AdoptionView[];
  readonly foreignTables: readonly { readonly path: string; readonly columns: readonly string[] }[];
  /** Index methods that can hold text beside another column. */
  readonly textMethods: readonly string[];
  /** Functions with an ON CONFLICT target. */
  readonly conflictFunctions: readonly string[];
  readonly largeObjects: number;
}

/** What the operator says about the schema. */
export interface AdoptionRequest {
  /** `schema.table`, or the name alone where only one schema has it. */
  readonly tenantRoot: string;
  /** Column of the root that names a tenant; its primary key where nothing is said. */
  readonly tenantKey?: string | undefined;
  /** Put before the key to make a tenant id; `t-` for a key that is no text, nothing for text. */
  readonly tenantPrefix?: string | undefined;
  /** `column` or `schema.table.column`: holds the root's key without being a foreign key. */
  readonly tenantColumns?: readonly string[];
  /** Tables that every tenant shares. */
  readonly references?: readonly string[];
  /** Materialized views that may become plain views. */
  readonly unmaterialize?: readonly string[];
}
