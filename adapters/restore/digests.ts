import { createHash } from 'node:crypto';
import type { ClientBase } from 'pg';
import type { ArchiveMember } from '../../domain/archive.ts';
import { StepFailure } from '../../domain/errors.ts';
import type { StagedTable } from '../../domain/restore-report.ts';
import { copiedColumns } from '../../domain/scope.ts';
import { qualified } from '../postgres/identifier.ts';
import { copyName, list, type RestoredTable, type RestoreWork, readColumns } from './layout.ts';

const rowHash = (columns: readonly string[], algorithm: ArchiveMember['algorithm'], alias: string): string =>
  algorithm === 'record-v1'
    ? `hash_record_extended(ROW(${list(columns, alias)}), 0)`
    : `hashtextextended(ROW(${list(columns, alias)})::text, 0)`;

const digestExpression = (columns: readonly string[], algorithm: ArchiveMember['algorithm'], alias: string): string =>
  `coalesce(sum(${rowHash(columns, algorithm, alias)}::numeric), 0)::text`;

const digestOf = async (
  client: ClientBase,
  from: string,
  columns: readonly string[],
  algorithm: ArchiveMember['algorithm'],
  values: readonly unknown[] = [],
): Promise<{ rows: number; digest: string }> => {
  const { rows } = await client.query<{ rows: string; digest: string }>(
    `SELECT count(*) AS rows, ${digestExpression(columns, algorithm, 'x')} AS digest FROM ${from}`,
    [...values],
  );
  return { rows: Number(rows[0]?.rows), digest: rows[0]?.digest ?? '0' };
};

/** What the manifest says of a table's members together, and what lies in staging. Digests of disjoint rows add up. */
export const membersDigest = async (
  client: ClientBase,
  staged: string,
  members: readonly ArchiveMember[],
): Promise<{ expected: string; found: string }> => {
  const [first] = members;
  const expected = members.reduce((sum, { digest }) => sum + BigInt(digest), 0n).toString();
  const { digest } = await digestOf(client, `${staged} x`, first?.columns ?? [], first?.algorithm ?? 'text-v1');
  return { expected, found: digest };
};

/** Rows and digest of every staging table, to be kept in the registry. */
export const stagedTables = async (client: ClientBase, restore: RestoreWork): Promise<StagedTable[]> => {
  const columns = await readColumns(client, restore.stagingSchema);
  const tables: StagedTable[] = [];
  for (const table of restore.tables) {
    const copy = copyName(table, restore.tables);
    const from = `${qualified(restore.stagingSchema, copy)} x`;
    tables.push({ table, ...(await digestOf(client, from, columns.get(copy) ?? [], 'text-v1')) });
  }
  return tables;
};

/**
 * Throws RestoreRefused unless staging holds what StageRestore loaded. Unlogged tables are emptied by a server crash, and
 * a swap of empty tables would delete the tenant's rows.
 */
export const refuseLostStaging = async (
  client: ClientBase,
  restore: RestoreWork,
  _tables: readonly RestoredTable[],
): Promise<void> => {
  const found = new Map((await stagedTables(client, restore)).map((table) => [table.table, table]));
  const lost = restore.tables.filter((name) => {
    const then = restore.staged?.find(({ table }) => table === name);
    const now = found.get(name);
    return !then || then.rows !== now?.rows || then.digest !== now.digest;
  });
  if (lost.length > 0)
    throw new StepFailure(
      'RestoreRefused',
      `the staged rows of ${lost.join(', ')} are not what was loaded (a server crash empties them); start the restore again`,
    );
};

/** One digest over the tenant's live rows in the restored tables. */
export const liveDigest = async (
  client: ClientBase,
  tenantId: string,
  tables: readonly RestoredTable[],
): Promise<string> => {
  const hash = createHash('sha256');
  for (const { name, live, table } of tables) {
    const columns = copiedColumns(table).map((column) => column.name);
    const { rows, digest } = await digestOf(client, `${live} x WHERE x.tenant_id = $1`, columns, 'text-v1', [tenantId]);
    hash.update(`${name} ${rows} ${digest}\n`);
  }
  return hash.digest('hex');
};
