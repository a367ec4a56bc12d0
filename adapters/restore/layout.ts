import { createHash } from 'node:crypto';
import type { ClientBase } from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import type { ColumnDrift, StagedTable } from '../../domain/restore-report.ts';
import { parseRows, type RowFilter, type RowsRequest } from '../../domain/rows.ts';
import { copiedColumns, type Scope, type TenantTable, tableName } from '../../domain/scope.ts';
import { readColumns, type StoredColumn } from '../catalog/read-columns.ts';
import { ident, identPath, qualified } from '../postgres/identifier.ts';

/** What the database side of a restore must know of its record. */
export interface RestoreWork {
  readonly id: string;
  readonly tenantId: string;
  readonly backupId: string;
  readonly tables: readonly string[];
  readonly rows: RowsRequest | null;
  readonly stagingSchema: string;
  readonly undoSchema: string;
  readonly staged: readonly StagedTable[] | null;
  /** How the chosen tables changed since the backup. */
  readonly drift?: readonly ColumnDrift[];
}

/** `r-` + 12 hex digits of the operation's name: a repeated PlanRestore plans the same restore. */
export const restoreIdOf = (operation: string): string =>
  `r-${createHash('sha256').update(`${operation}/restore`).digest('hex').slice(0, 12)}`;

/** Schemas of one restore. The prefix `tn_` keeps them out of every scope, dump and fingerprint. */
export const restoreSchemas = (restoreId: string): { readonly staging: string; readonly undo: string } => ({
  staging: `tn_stage_${restoreId.slice(2)}`,
  undo: `tn_undo_${restoreId.slice(2)}`,
});

/**
 * Name of a table's copy inside a schema of the restore: its own name, so that people find it, unless two chosen tables
 * share it. Depends on the recorded tables alone: a table that appears later must not move the others.
 */
export const copyName = (table: string, tables: readonly string[]): string => {
  const bare = (path: string): string => path.slice(path.indexOf('.') + 1);
  if (tables.filter((other) => bare(other) === bare(table)).length === 1) return bare(table);
  return `t_${createHash('sha256').update(table).digest('hex').slice(0, 16)}`;
};

/** One table of a restore, with names ready for SQL. */
export interface RestoredTable {
  readonly table: TenantTable;
  /** `schema.table` */
  readonly name: string;
  readonly live: string;
  readonly staged: string;
  readonly kept: string;
  readonly key: readonly string[];
  /** Columns that are restored: in the backup and in the table, not generated. */
  readonly columns: readonly string[];
  /** Columns that only the table of today has. */
  readonly added: readonly string[];
  /** Set when only some rows are restored: then nothing is removed. */
  readonly filter: RowFilter | null;
}

/** `schema.table` -> columns of its copy in a schema of the restore; a copy that is not there is missing. */
export const readCopies = async (
  client: ClientBase,
  schema: string,
  tables: readonly string[],
): Promise<Map<string, readonly StoredColumn[]>> => {
  const pathOf = (table: string): string => `${schema}.${copyName(table, tables)}`;
  const columns = await readColumns(client, tables.map(pathOf));
  return new Map(
    tables.flatMap((table) => {
      const found = columns.get(pathOf(table));
      return found ? [[table, found] as const] : [];
    }),
  );
};

/**
 * The tables of a staged restore against the schema of now. Throws RestoreRefused when staging is gone, a table was
 * dropped meanwhile, or a table has no primary key to find its rows by.
 */
export const openTables = async (client: ClientBase, restore: RestoreWork, scope: Scope): Promise<RestoredTable[]> => {
  const copies = await readCopies(client, restore.stagingSchema, restore.tables);
  return restore.tables.map((name) => {
    const table = scope.tables.find((candidate) => tableName(candidate) === name);
    const refuse = (why: string): never => {
      throw new StepFailure('RestoreRefused', `restore ${restore.id}: ${why}`);
    };
    if (!table) return refuse(`${name} was dropped meanwhile; start a restore without it`);
    const copy = copyName(name, restore.tables);
    const held = copies.get(name)?.map((column) => column.name);
    if (!held) return refuse(`the staged copy of ${name} is gone; start the restore again`);
    if (table.primaryKey.length === 0)
      return refuse(`${name} has no primary key, its rows cannot be told apart; add one`);
    const inCopy = new Set(held);
    const own = copiedColumns(table).map((column) => column.name);
    const lost = table.primaryKey.filter((column) => !inCopy.has(column));
    if (lost.length > 0) return refuse(`backup ${restore.backupId} lacks ${lost.join(', ')} of the key of ${name}`);
    return {
      table,
      name,
      live: identPath(name),
      staged: qualified(restore.stagingSchema, copy),
      kept: qualified(restore.undoSchema, copy),
      key: table.primaryKey,
      columns: own.filter((column) => inCopy.has(column)),
      added: own.filter((column) => !inCopy.has(column)),
      filter: restore.rows ? parseRows(restore.rows, table) : null,
    };
  });
};

/** `a."x", a."y"` */
export const list = (columns: readonly string[], alias?: string): string =>
  columns.map((column) => (alias ? `${alias}.${ident(column)}` : ident(column))).join(', ');

/** `a."x" = b."x" AND ...`: for key columns, which are never null. */
export const sameKey = (key: readonly string[], a: string, b: string): string =>
  key.map((column) => `${a}.${ident(column)} = ${b}.${ident(column)}`).join(' AND ');

/**
 * Whether two rows hold the same bytes in `columns`. Record image comparison needs no `=` of the type (json, xml, point
 * have none) and tells apart what `=` does not: 1.0 from 1.00, 'a' from 'A' in citext.
 */
export const sameRow = (columns: readonly string[], a: string, b: string): string =>
  `ROW(${list(columns, a)})::record *= ROW(${list(columns, b)})::record`;

/** Drops schemas of restores that are still there; safe to repeat. Any other name is a mistake that must not reach DROP. */
export const dropSchemas = async (client: ClientBase, schemas: readonly string[]): Promise<void> => {
  for (const schema of schemas) {
    if (!/^tn_(stage|undo)_[0-9a-f]{12}$/.test(schema)) throw new RangeError(`${schema} is no schema of a restore`);
    await client.query(`DROP SCHEMA IF EXISTS ${ident(schema)} CASCADE`);
  }
};
