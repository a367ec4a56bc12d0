import type { ClientBase } from 'pg';
import type { ArchiveMember, Manifest } from '../../domain/archive.ts';
import { StepFailure } from '../../domain/errors.ts';
import { differingLines, tableDrift, typeStands, typesThen } from '../../domain/restore-drift.ts';
import type { ColumnDrift } from '../../domain/restore-report.ts';
import { type Scope, type TenantTable, tableName } from '../../domain/scope.ts';
import { ident, qualified } from '../postgres/identifier.ts';
import { convertColumn } from './convert.ts';
import { copyName, type RestoreWork } from './layout.ts';

/** One column of a staging table. */
export interface StagedColumn {
  readonly name: string;
  /** Type in which the archive's text is loaded: the one of then, else text. */
  readonly held: string;
  /** Type that it has in the end: the one of the table of today, where it is in there. */
  readonly type: string;
  /** False where the type of then is gone: values are text, and their digest can no longer be computed. */
  readonly provable: boolean;
}

/** One table of a restore on its way into staging. */
export interface Target {
  readonly table: TenantTable;
  readonly name: string;
  readonly staged: string;
  readonly members: readonly ArchiveMember[];
  readonly drift: ColumnDrift;
  readonly columns: readonly StagedColumn[];
}

/** COPY text of all their members. */
export const bytesOf = (targets: readonly Target[]): number =>
  targets.flatMap(({ members }) => members).reduce((sum, { bytes }) => sum + bytes, 0);

/**
 * The types that this server knows, without their length, so that they hold every value: wanted -> as the server prints it.
 * The names come from the archive and enter SQL only in the server's own spelling.
 */
const knownTypes = async (client: ClientBase, types: readonly string[]): Promise<ReadonlyMap<string, string>> => {
  const { rows } = await client.query<{ wanted: string; known: string }>(
    `SELECT wanted, format_type(to_regtype(wanted), -1) AS known FROM unnest($1::text[]) wanted WHERE to_regtype(wanted) IS NOT NULL`,
    [types],
  );
  return new Map(rows.map(({ wanted, known }) => [wanted, known]));
};

const columnsOf = async (
  client: ClientBase,
  manifest: Manifest,
  scope: Scope,
  { table, name, members, drift }: Omit<Target, 'columns'>,
): Promise<StagedColumn[]> => {
  const now = new Map(table.columns.filter(({ generated }) => !generated).map((column) => [column.name, column.type]));
  const own = [...now.keys()].filter((column) => !drift.added.includes(column));
  const then = typesThen(manifest, name);
  const stands = [...new Set(then.values())].filter((type) => typeStands(type, manifest.schema.lines, scope.lines));
  const known = await knownTypes(client, stands);
  return (members[0]?.columns ?? own).map((column) => {
    const today = now.get(column);
    if (today !== undefined && !drift.retyped.includes(column))
      return { name: column, held: today, type: today, provable: true };
    const old = known.get(then.get(column) ?? '');
    const held = old ?? 'text';
    return { name: column, held, type: today ?? held, provable: old !== undefined };
  });
};

/** The recorded tables of a restore against archive and schema of today. Throws RestoreRefused when one was dropped meanwhile. */
export const targetsOf = async (
  client: ClientBase,
  restore: RestoreWork,
  manifest: Manifest,
  scope: Scope,
): Promise<Target[]> => {
  const targets: Target[] = [];
  for (const name of restore.tables) {
    const table = scope.tables.find((candidate) => tableName(candidate) === name);
    if (!table) throw new StepFailure('RestoreRefused', `${name} was dropped meanwhile; start a restore without it`);
    const target = {
      table,
      name,
      staged: qualified(restore.stagingSchema, copyName(name, restore.tables)),
      members: manifest.members.filter(({ root }) => root === name),
      drift: tableDrift(manifest, table, scope.lines),
    };
    targets.push({ ...target, columns: await columnsOf(client, manifest, scope, target) });
  }
  return targets;
};

/**
 * COPY text up to which staging is written to the log: the server syncs three files of every unlogged table at once (96 ms for
 * the nine tables of the chat), and that much log is written in less.
 */
const loggedBytes = 16 * 1024 * 1024;

/** The tables as the archive knew them: their columns, in the types of then. */
export const createStaged = async (client: ClientBase, targets: readonly Target[]): Promise<void> => {
  const kind = bytesOf(targets) > loggedBytes ? 'UNLOGGED TABLE' : 'TABLE';
  const tables = targets.map(({ staged, columns }) => {
    const defined = columns.map(({ name, held }) => `${ident(name)} ${held}`);
    return `CREATE ${kind} ${staged} (${defined.join(', ')})`;
  });
  await client.query(tables.join(';\n'));
};

/**
 * Gives every column its type of today. Throws RestoreRefused that names each column whose values do not fit, with the lines in
 * which the two schemas differ. Inside a transaction.
 */
export const convertStaged = async (
  client: ClientBase,
  { name, staged, columns }: Target,
  manifest: Manifest,
  scope: Scope,
): Promise<void> => {
  const problems: string[] = [];
  for (const { name: column, held, type } of columns) {
    if (held === type) continue;
    const problem = await convertColumn(client, { staged, column, from: held, to: type });
    if (problem !== undefined) problems.push(problem);
  }
  if (problems.length === 0) return;
  const lines = differingLines(manifest.schema.lines, scope.lines, name);
  throw new StepFailure(
    'RestoreRefused',
    `rows of ${name} do not fit the schema of today (${problems.join('; ')}); choose a later backup, or bring the types back for the restore. It differs from the backup's in: ${lines.join(' | ')}`,
  );
};
