import { createHash } from 'node:crypto';
import type { ClientBase } from 'pg';
import type { ArchiveMember } from '../../domain/archive.ts';
import { StepFailure } from '../../domain/errors.ts';
import type { StagedTable } from '../../domain/restore-report.ts';
import { copiedColumns } from '../../domain/scope.ts';
import type { StoredColumn } from '../catalog/read-columns.ts';
import { addDigests, type DigestAlgorithm, digestSql, exactText, quickDigest } from '../dump/digest.ts';
import { literal, qualified } from '../postgres/identifier.ts';
import { copyName, list, type RestoredTable, type RestoreWork, readCopies } from './layout.ts';

/**
 * Runs `work` under the settings that digests need. Inside a transaction; the search_path comes back, because operators
 * of extensions (citext's =) are found through it.
 */
const exactly = async <Result>(client: ClientBase, work: () => Promise<Result>): Promise<Result> => {
  const { rows } = await client.query<{ path: string }>(`SELECT current_setting('search_path') AS path`);
  await client.query(exactText);
  const result = await work();
  await client.query(`SELECT set_config('search_path', $1, true)`, [rows[0]?.path]);
  return result;
};

/** Rows of a table and their digest. */
export interface RowsDigest {
  readonly rows: number;
  readonly digest: string;
}

/** Rows and digest of `from`, whose rows are called x. */
const digestRows = async (
  client: ClientBase,
  from: string,
  columns: readonly StoredColumn[],
  { algorithm = quickDigest, values = [] }: { algorithm?: DigestAlgorithm; values?: readonly unknown[] } = {},
): Promise<RowsDigest> => {
  const { rows } = await client.query<{ rows: string; digest: string }>(
    `SELECT count(*) AS rows, ${digestSql(columns, algorithm)} AS digest FROM ${from}`,
    [...values],
  );
  return { rows: Number(rows[0]?.rows), digest: rows[0]?.digest ?? '0' };
};

/** What the manifest says of a table's members together, and what lies in staging: digests of disjoint rows add up. */
export const membersDigest = async (
  client: ClientBase,
  loaded: { staged: string; columns: readonly StoredColumn[]; members: readonly ArchiveMember[] },
): Promise<{ expected: string; found: RowsDigest; algorithm: DigestAlgorithm }> => {
  const expected = loaded.members.map(({ digest }) => digest).reduce(addDigests, '0');
  const algorithm = loaded.members[0]?.algorithm ?? quickDigest;
  const found = await exactly(client, () => digestRows(client, `${loaded.staged} x`, loaded.columns, { algorithm }));
  return { expected, found, algorithm };
};

/** Rows and digest of every staging table, to be kept in the registry; `known` are those that were just computed. */
export const stagedTables = async (
  client: ClientBase,
  restore: RestoreWork,
  known: ReadonlyMap<string, RowsDigest> = new Map(),
): Promise<StagedTable[]> => {
  const copies = await readCopies(client, restore.stagingSchema, restore.tables);
  return exactly(client, async () => {
    const tables: StagedTable[] = [];
    for (const [table, columns] of copies) {
      const from = qualified(restore.stagingSchema, copyName(table, restore.tables));
      tables.push({ table, ...(known.get(table) ?? (await digestRows(client, `${from} x`, columns))) });
    }
    return tables;
  });
};

/**
 * Throws RestoreRefused unless staging holds what StageRestore loaded. The unlogged tables of a large tenant are emptied by a server crash, and
 * a swap of empty tables would delete the tenant's rows.
 */
export const refuseLostStaging = async (client: ClientBase, restore: RestoreWork): Promise<void> => {
  const found = new Map((await stagedTables(client, restore)).map((table) => [table.table, table]));
  const lost = restore.tables.filter((name) => {
    const then = restore.staged?.find(({ table }) => table === name);
    const now = found.get(name);
    return !then || then.rows !== now?.rows || then.digest !== now.digest;
  });
  if (lost.length === 0) return;
  throw new StepFailure(
    'RestoreRefused',
    `the staged rows of ${lost.join(', ')} are not what was loaded (a server crash empties them); start the restore again`,
  );
};

export interface LiveRows {
  /** Over all of them: what a swap compares. */
  readonly digest: string;
  /** `schema.table` -> its part. */
  readonly tables: ReadonlyMap<string, RowsDigest>;
}

/** Digests of the tenant's live rows in the restored tables. */
export const readLive = (client: ClientBase, tenantId: string, tables: readonly RestoredTable[]): Promise<LiveRows> =>
  exactly(client, async () => {
    const hash = createHash('sha256');
    const found = new Map<string, RowsDigest>();
    for (const { name, live, table } of tables) {
      const from = `${live} x WHERE x.tenant_id = $1`;
      const own = await digestRows(client, from, copiedColumns(table), { values: [tenantId] });
      hash.update(`${name} ${own.rows} ${own.digest}\n`);
      found.set(name, own);
    }
    return { digest: hash.digest('hex'), tables: found };
  });

/**
 * Throws CopyDiffers unless the live rows of `tenantId` are the staged ones of `sourceTenantId`, each under the new name: same
 * count, same digest once the name is put back.
 */
export const refuseUnlikeStaged = (
  client: ClientBase,
  { tenantId, sourceTenantId }: { readonly tenantId: string; readonly sourceTenantId: string },
  tables: readonly RestoredTable[],
): Promise<void> =>
  exactly(client, async () => {
    for (const { name, live, staged, table, columns } of tables) {
      const compared = copiedColumns(table).filter((column) => columns.includes(column.name));
      const others = columns.filter((column) => column !== 'tenant_id');
      const renamed = [`${literal(sourceTenantId)} AS tenant_id`, ...(others.length > 0 ? [list(others)] : [])].join(
        ', ',
      );
      const then = await digestRows(client, `${staged} x`, compared);
      const now = await digestRows(client, `(SELECT ${renamed} FROM ${live} WHERE tenant_id = $1) x`, compared, {
        values: [tenantId],
      });
      if (then.rows === now.rows && then.digest === now.digest) continue;
      throw new StepFailure(
        'CopyDiffers',
        `${name}: ${now.rows} rows of ${tenantId} with digest ${now.digest} are not the ${then.rows} of the backup of ${sourceTenantId} with ${then.digest}; report it`,
      );
    }
  });
