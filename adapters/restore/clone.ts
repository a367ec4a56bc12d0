import type { ClientBase } from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import type { StagedTable } from '../../domain/restore-report.ts';
import { type Scope, tableName } from '../../domain/scope.ts';
import { identPath } from '../postgres/identifier.ts';
import { sqlState } from '../postgres/sql.ts';
import { refuseLostStaging, refuseUnlikeStaged } from './digests.ts';
import { lockRestore, markEffect, readEffect, refuseAbandoned, takeFence } from './effects.ts';
import { list, openTables, type RestoredTable, type RestoreWork } from './layout.ts';
import { findBroken, refuseBroken } from './references.ts';
import { raiseSequences } from './sequences.ts';
import type { ReadScope } from './stage.ts';
import { asTenant } from './transaction.ts';

export interface CloneRequest {
  /** Of the new tenant; its staging holds rows of `sourceTenantId`. */
  readonly restore: RestoreWork & { readonly staged: readonly StagedTable[] | null };
  readonly sourceTenantId: string;
  readonly operation: string;
  readonly fence: number;
  readonly readScope: ReadScope;
}

export interface Cloned {
  readonly tables: number;
  readonly rows: number;
  /** Milliseconds from the first statement to the end of the commit. */
  readonly millis: number;
}

/** What the app's hook made for a new tenant would meet the rows of the archive under the same keys. */
const removeFirstRows = async (client: ClientBase, tenantId: string, scope: Scope): Promise<void> => {
  for (const table of scope.tables.toReversed())
    await client.query(`DELETE FROM ${identPath(tableName(table))} WHERE tenant_id = $1`, [tenantId]);
};

/** The staged rows under the name of the new tenant; keys that carry the tenant need nothing else. Answers how many. */
const insertRenamed = async (
  client: ClientBase,
  tenantId: string,
  { live, staged, columns }: RestoredTable,
): Promise<number> => {
  const others = columns.filter((column) => column !== 'tenant_id');
  const into = ['tenant_id', ...others];
  const values = ['$1', ...(others.length > 0 ? [list(others, 's')] : [])];
  const { rowCount } = await client.query(
    `INSERT INTO ${live} (${list(into)}) OVERRIDING SYSTEM VALUE SELECT ${values.join(', ')} FROM ${staged} s`,
    [tenantId],
  );
  return rowCount ?? 0;
};

const refuseCounts = (restore: CloneRequest['restore'], loaded: ReadonlyMap<string, number>): void => {
  for (const { table, rows } of restore.staged ?? [])
    if (loaded.get(table) !== rows)
      throw new StepFailure(
        'CopyDiffers',
        `${table}: ${loaded.get(table) ?? 0} rows were loaded for ${restore.tenantId}, the backup has ${rows}; report it`,
      );
};

const load = async (client: ClientBase, request: CloneRequest): Promise<Omit<Cloned, 'millis'>> => {
  const { restore, sourceTenantId, operation, fence } = request;
  const { tenantId } = restore;
  const effect = { operation, step: 'LoadClone' } as const;
  await lockRestore(client, restore.id);
  const before = await readEffect<Omit<Cloned, 'millis'>>(client, effect);
  if (before) return before;
  await refuseAbandoned(client, operation);
  const scope = await request.readScope(client);
  const tables = await openTables(client, restore, scope);
  await refuseLostStaging(client, restore);
  await takeFence(client, { tenantId, fence });
  // Foreign keys, the fence and the app's triggers stay silent; row-level security does not.
  await client.query('SET LOCAL session_replication_role = replica');
  await removeFirstRows(client, tenantId, scope);
  const loaded = new Map<string, number>();
  for (const table of tables) loaded.set(table.name, await insertRenamed(client, tenantId, table));
  refuseCounts(restore, loaded);
  await refuseUnlikeStaged(client, { tenantId, sourceTenantId }, tables);
  refuseBroken(
    await findBroken(client, {
      scope,
      tenantId,
      restored: restore.tables,
      gaining: restore.tables,
      losing: [],
      relation: identPath,
    }),
  );
  await raiseSequences(client, tenantId, tables);
  const result = { tables: tables.length, rows: [...loaded.values()].reduce((sum, rows) => sum + rows, 0) };
  await markEffect(client, { ...effect, tenantId, result });
  return result;
};

/** A unique index without the tenant lets one row of a value into a database: the source's own, if it lives there too. */
const explained = (error: unknown, { restore, sourceTenantId }: CloneRequest): unknown => {
  if (!(error instanceof StepFailure) || sqlState(error.cause) !== '23505') return error;
  const { table, constraint, detail = '' } = error.cause as { table?: string; constraint?: string; detail?: string };
  const rule = `${constraint ?? 'a unique index'} of ${table ?? 'a table'}`;
  if (/^Key \((.*, )?tenant_id\b/.test(detail))
    return new StepFailure(
      'RestoreRefused',
      `rows of the backup break ${rule}, which is newer; choose a later backup`,
      {
        cause: error.cause,
      },
    );
  return new StepFailure(
    'RestoreRefused',
    `rows of ${sourceTenantId} cannot be there twice: ${rule} does not hold tenant_id; clone ${restore.tenantId} into isolation database or server, or add tenant_id to that index (tenantry schema lint names all of them)`,
    { cause: error.cause },
  );
};

/**
 * Gives a new tenant, whom nobody can reach yet, the staged rows of another tenant's backup in place of the rows that the app's
 * hook made: all of them in one transaction, compared with the backup by count and digest, every foreign key checked, sequences
 * raised. A repeat of the same operation answers the same. Throws RestoreRefused, BrokenReferences, CopyDiffers, FenceTimeout,
 * StaleOperation; after any of them nothing has changed.
 */
export const loadClone = async (client: ClientBase, request: CloneRequest): Promise<Cloned> => {
  const started = performance.now();
  try {
    const result = await asTenant(client, request.restore.tenantId, () => load(client, request));
    return { ...result, millis: Math.ceil(performance.now() - started) };
  } catch (error) {
    throw explained(error, request);
  }
};
