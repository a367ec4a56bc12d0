import type { Closure } from './restore.ts';

/** A row that differs, as people see it: values are PostgreSQL's text, cut at 200 characters. */
export interface RowSample {
  readonly kind: 'onlyNow' | 'onlyThen' | 'changed';
  /** The primary key without tenant_id. */
  readonly key: Readonly<Record<string, string | null>>;
  /** Only for `changed`: the columns that differ. */
  readonly columns?: readonly {
    readonly column: string;
    readonly now: string | null;
    readonly backup: string | null;
  }[];
}

export interface TableCounts {
  readonly table: string;
  /** Rows that are live and not in the backup. */
  readonly onlyNow: number;
  /** Rows that are in the backup and no longer live. */
  readonly onlyThen: number;
  readonly changed: number;
  readonly same: number;
}

export interface TableComparison extends TableCounts {
  /** False for a restore of rows by key or predicate: rows that exist only now stay. */
  readonly removesOnlyNow: boolean;
  readonly samples: readonly RowSample[];
}

/** Rows that a swap would leave, or left, pointing at nothing. */
export interface BrokenReference {
  readonly table: string;
  /** Name of the foreign key. */
  readonly key: string;
  readonly columns: readonly string[];
  readonly references: string;
  readonly rows: number;
  /** At most three values of the key columns without tenant_id, as text. */
  readonly samples: readonly string[];
  readonly fix: string;
}

/** How the columns of one table differ between backup and database. */
export interface ColumnDrift {
  readonly table: string;
  /** In the backup, not in the table any more: not restored. */
  readonly removed: readonly string[];
  /** In the table, not in the backup: rows that exist now keep their value, rows that come back get the default. */
  readonly added: readonly string[];
  /** Loaded through the type of today. */
  readonly retyped: readonly string[];
}

export interface RestorePlanNotes extends Closure {
  readonly warnings: readonly string[];
  readonly drift: readonly ColumnDrift[];
}

export interface RestoreReport {
  /** The plan's warnings, so that one document tells all. */
  readonly warnings: readonly string[];
  readonly tables: readonly TableComparison[];
  /** Digest of the tenant's live rows in the compared tables: a swap that meets another one compares again. */
  readonly digest: string;
  /** What a swap would refuse. */
  readonly broken: readonly BrokenReference[];
  readonly comparedAt: string;
  /** True when the live rows had changed since the report that people saw, and this one was made inside the swap. */
  readonly comparedAgain: boolean;
}

export interface SwapResult {
  readonly removed: number;
  readonly inserted: number;
  readonly updated: number;
}

/** Rows and digest of what lies in staging. */
export interface StagedTable {
  readonly table: string;
  readonly rows: number;
  readonly digest: string;
}
