import type { ClientBase } from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import type { SwapResult } from '../../domain/restore-report.ts';
import { copiedColumns, tableName } from '../../domain/scope.ts';
import { ident, identPath, qualified } from '../postgres/identifier.ts';
import { lockRestore, markEffect, readEffect, refuseAbandoned, takeFence } from './effects.ts';
import { copyName, list, type RestoreWork, readCopies, sameKey, sameRow } from './layout.ts';
import { findBroken, gainsAndLosses, refuseBroken } from './references.ts';
import { raiseSequences } from './sequences.ts';
import type { ReadScope } from './stage.ts';
import { addUp, countKept, sideColumn } from './swap.ts';
import { asTenant } from './transaction.ts';

export interface UndoRequest {
  readonly restore: RestoreWork;
  readonly operation: string;
  readonly fence: number;
  /** Also takes back rows that somebody changed after the swap; their later changes are lost. */
  readonly force: boolean;
  readonly readScope: ReadScope;
}

interface KeptTable {
  readonly name: string;
  readonly live: string;
  readonly kept: string;
  readonly key: readonly string[];
  readonly columns: readonly string[];
}

/** The undo tables against the schema of now; throws RestoreRefused when they no longer fit. */
const openKept = async (
  client: ClientBase,
  restore: RestoreWork,
  scope: Awaited<ReturnType<ReadScope>>,
): Promise<(KeptTable & { readonly table: (typeof scope.tables)[number] })[]> => {
  const held = await readCopies(client, restore.undoSchema, restore.tables);
  return restore.tables.map((name) => {
    const table = scope.tables.find((candidate) => tableName(candidate) === name);
    const refuse = (why: string): never => {
      throw new StepFailure('RestoreRefused', `undo of restore ${restore.id}: ${why}`);
    };
    const kept = held.get(name)?.map((column) => column.name);
    if (!kept) return refuse(`the replaced rows of ${name} are gone; restore the safety backup instead`);
    if (!table) return refuse(`${name} was dropped since the swap; restore the safety backup instead`);
    const own = copiedColumns(table).map((column) => column.name);
    const added = own.filter((column) => !kept.includes(column));
    if (added.length > 0)
      return refuse(
        `${name} got ${added.join(', ')} since the swap and undo would lose what is in there; restore the safety backup instead`,
      );
    return {
      table,
      name,
      live: identPath(name),
      kept: qualified(restore.undoSchema, copyName(name, restore.tables)),
      key: table.primaryKey,
      columns: own,
    };
  });
};

/** Bytes of the replaced rows, of those that replaced them and of their keys, as the undo schema holds them. */
export const undoBytes = async (
  client: ClientBase,
  { undoSchema }: Pick<RestoreWork, 'undoSchema'>,
): Promise<number> => {
  const { rows } = await client.query<{ bytes: string }>(
    `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) AS bytes FROM pg_class c
     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r'`,
    [undoSchema],
  );
  return Number(rows[0]?.bytes ?? 0);
};

const sideOf = ({ kept }: KeptTable, side: 'before' | 'after'): string =>
  `(SELECT * FROM ${kept} WHERE ${ident(sideColumn)} = '${side}')`;

/** Rows that are no longer what the swap left: changed, deleted or made anew by somebody else. */
const countConflicts = async (client: ClientBase, tenantId: string, table: KeptTable): Promise<number> => {
  const first = ident(table.key[0]!);
  const { rows } = await client.query<{ rows: string }>(
    `SELECT count(*) AS rows FROM (SELECT DISTINCT ${list(table.key)} FROM ${table.kept}) k
     LEFT JOIN ${table.live} l ON l.tenant_id = $1 AND ${sameKey(table.key, 'l', 'k')}
     LEFT JOIN ${sideOf(table, 'after')} a ON ${sameKey(table.key, 'a', 'k')}
     WHERE CASE WHEN a.${first} IS NULL THEN l.${first} IS NOT NULL
       ELSE l.${first} IS NULL OR NOT (${sameRow(table.columns, 'l', 'a')}) END`,
    [tenantId],
  );
  return Number(rows[0]?.rows ?? 0);
};

const refuseConflicts = async (
  client: ClientBase,
  { restore }: UndoRequest,
  tables: readonly KeptTable[],
): Promise<void> => {
  const found: string[] = [];
  for (const table of tables) {
    const rows = await countConflicts(client, restore.tenantId, table);
    if (rows > 0) found.push(`${rows} of ${table.name}`);
  }
  if (found.length === 0) return;
  throw new StepFailure(
    'RestoreRefused',
    `undo of restore ${restore.id}: rows were written after the swap (${found.join(', ')}); repeat with "force": true to lose those writes`,
  );
};

const swapBack = async (
  client: ClientBase,
  tenantId: string,
  tables: readonly KeptTable[],
): Promise<Map<string, SwapResult>> => {
  await client.query('SET LOCAL session_replication_role = replica');
  for (const { live, kept, key } of tables)
    await client.query(
      `DELETE FROM ${live} l WHERE l.tenant_id = $1 AND EXISTS (SELECT FROM ${kept} k WHERE ${sameKey(key, 'k', 'l')})`,
      [tenantId],
    );
  for (const { live, kept, columns } of tables)
    await client.query(
      `INSERT INTO ${live} (${list(columns)}) OVERRIDING SYSTEM VALUE
       SELECT ${list(columns)} FROM ${kept} WHERE ${ident(sideColumn)} = 'before'`,
    );
  const counts = new Map<string, SwapResult>();
  for (const table of tables) {
    const { removed, inserted, updated } = await countKept(client, table);
    counts.set(table.name, { removed: inserted, inserted: removed, updated });
  }
  return counts;
};

/**
 * Puts back exactly the rows that the swap replaced, in one fenced transaction, and drops the undo schema with it. Rows
 * that somebody wrote since are a reason to refuse, unless `force`. A repeat of the same operation answers the same.
 * Throws FenceTimeout, StaleOperation, RestoreRefused, BrokenReferences; after any of them nothing has changed.
 */
export const undoRestore = (client: ClientBase, request: UndoRequest): Promise<SwapResult> => {
  const { restore, operation } = request;
  const { tenantId } = restore;
  const effect = { operation, step: 'UndoRestore' } as const;
  return asTenant(client, tenantId, async () => {
    await lockRestore(client, restore.id);
    const before = await readEffect<SwapResult>(client, effect);
    if (before) return before;
    await refuseAbandoned(client, operation);
    await takeFence(client, { tenantId, fence: request.fence });
    const scope = await request.readScope(client);
    const tables = await openKept(client, restore, scope);
    if (!request.force) await refuseConflicts(client, request, tables);
    const counts = await swapBack(client, tenantId, tables);
    refuseBroken(
      await findBroken(client, {
        scope,
        tenantId,
        restored: restore.tables,
        ...gainsAndLosses(counts),
        relation: identPath,
      }),
    );
    const result = addUp([...counts.values()]);
    await raiseSequences(client, tenantId, tables);
    await client.query(`DROP SCHEMA ${ident(restore.undoSchema)} CASCADE`);
    await markEffect(client, { ...effect, tenantId, result });
    return result;
  });
};
