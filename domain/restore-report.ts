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

/** A check, unique or exclusion constraint, primary key or unique index, by its name and as PostgreSQL spells it. */
export interface SchemaRule {
  readonly name: string;
  readonly text: string;
}

/** How one table differs between backup and database. */
export interface ColumnDrift {
  readonly table: string;
  /** In the backup, not in the table any more: not restored. */
  readonly removed: readonly string[];
  /** In the table, not in the backup: rows that exist now keep their value, rows that come back get the default. */
  readonly added: readonly string[];
  /** Those of them that may not be null and have no default: no row can come back. */
  readonly required: readonly string[];
  /** In the backup as values, computed by the table of today. */
  readonly computed: readonly string[];
  /** Of another type now, or of one that was redefined: values are converted where each of them stays what it is. */
  readonly retyped: readonly string[];
  /** NOT NULL since the backup. */
  readonly tightened: readonly string[];
  /** Rules that the backup's schema did not have. */
  readonly rules: readonly SchemaRule[];
}

/** Rows of the backup that a rule made since does not let in. */
export interface UnfitRows {
  readonly table: string;
  /** `column note, NOT NULL without a default`, or name and text of the constraint. */
  readonly rule: string;
  readonly rows: number;
  /** At most three keys without tenant_id, as text. */
  readonly samples: readonly string[];
  readonly fix: string;
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
  /** What a swap would refuse: references that would point at nothing, and rows that newer rules do not let in. */
  readonly broken: readonly BrokenReference[];
  readonly unfit: readonly UnfitRows[];
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
