import type { ClientBase } from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import type { RestoreReport, SwapResult } from '../../domain/restore-report.ts';
import { ident, identPath } from '../postgres/identifier.ts';
import { compareTables } from './compare.ts';
import { readLive, refuseLostStaging } from './digests.ts';
import { lockRestore, markEffect, readEffect, refuseAbandoned, takeFence } from './effects.ts';
import { list, openTables, type RestoredTable, type RestoreWork, sameKey, sameRow } from './layout.ts';
import { findBroken, gainsAndLosses, refuseBroken } from './references.ts';
import { refuseUnfit } from './rules.ts';
import { raiseSequences } from './sequences.ts';
import type { ReadScope } from './stage.ts';
import { asTenant } from './transaction.ts';

export interface SwapRequest {
  readonly restore: RestoreWork & { readonly report: RestoreReport | null };
  readonly operation: string;
  readonly fence: number;
  readonly readScope: ReadScope;
  readonly now: () => Date;
}

export interface Swapped extends SwapResult {
  /** Milliseconds in which this tenant's writers had to wait: from asking for the lock to the end of the commit. */
  readonly fencedMs: number;
  /** The comparison that the swap acted on. */
  readonly report: RestoreReport;
}

/** What the mark in the database keeps; the report only where it is not the registry's. */
export type Marked = SwapResult & { readonly fencedMs: number; readonly report: RestoreReport | null };

interface Outcome {
  readonly marked: Marked;
  readonly repeated: boolean;
}

/** Rows of the undo schema remember what they were: `before` the swap, or put in by it (`after`). */
export const sideColumn = 'tenantry_side';

/** One table of the undo schema: columns and types of the live table, logged, because it must outlive a server crash. */
const createKept = async (client: ClientBase, { kept, live, columns, added }: RestoredTable): Promise<void> => {
  await client.query(
    `CREATE TABLE ${kept} AS SELECT ''::text AS ${ident(sideColumn)}, ${list([...columns, ...added])} FROM ${live} WITH NO DATA`,
  );
};

/** Takes out the rows that differ and, where the table is restored whole, those that the backup does not know. */
const removeRows = async (client: ClientBase, tenantId: string, table: RestoredTable): Promise<void> => {
  const { live, staged, kept, key } = table;
  const all = [...table.columns, ...table.added];
  const same = `${sameKey(key, 's', 'l')} AND ${sameRow(table.columns, 's', 'l')}`;
  const leaving = table.filter
    ? `EXISTS (SELECT FROM ${staged} s WHERE ${sameKey(key, 's', 'l')} AND NOT (${sameRow(table.columns, 's', 'l')}))`
    : `NOT EXISTS (SELECT FROM ${staged} s WHERE ${same})`;
  await client.query(
    `WITH gone AS (DELETE FROM ${live} l WHERE l.tenant_id = $1 AND ${leaving} RETURNING ${list(all, 'l')})
     INSERT INTO ${kept} SELECT 'before', ${list(all)} FROM gone`,
    [tenantId],
  );
};

/**
 * Puts the staged rows in that are not live. Changed rows were taken out before instead of updated: two rows that
 * exchanged a unique value could not be updated one after the other. Columns that the backup lacks keep their value in
 * changed rows and get their default in rows that come back.
 */
const insertRows = async (client: ClientBase, table: RestoredTable): Promise<void> => {
  const { live, staged, kept, key, columns, added } = table;
  const all = [...columns, ...added];
  const put = (into: readonly string[], rows: string): string =>
    `WITH put AS (INSERT INTO ${live} (${list(into)}) OVERRIDING SYSTEM VALUE ${rows} RETURNING ${list(all)})
     INSERT INTO ${kept} SELECT 'after', ${list(all)} FROM put`;
  if (added.length > 0)
    await client.query(
      put(
        all,
        `SELECT ${list(columns, 's')}, ${list(added, 'k')} FROM ${staged} s JOIN ${kept} k ON ${sameKey(key, 'k', 's')}`,
      ),
    );
  await client.query(
    put(
      columns,
      `SELECT ${list(columns, 's')} FROM ${staged} s WHERE NOT EXISTS (SELECT FROM ${live} l WHERE ${sameKey(key, 'l', 's')})`,
    ),
  );
};

/** What the undo table says has happened; a key on both sides was changed. */
export const countKept = async (
  client: ClientBase,
  { kept, key }: Pick<RestoredTable, 'kept' | 'key'>,
): Promise<SwapResult> => {
  const first = ident(key[0]!);
  const side = (name: string): string => `(SELECT ${list(key)} FROM ${kept} WHERE ${ident(sideColumn)} = '${name}')`;
  const { rows } = await client.query<Record<keyof SwapResult, string>>(
    `SELECT count(*) FILTER (WHERE a.${first} IS NULL) AS removed, count(*) FILTER (WHERE b.${first} IS NULL) AS inserted,
       count(*) FILTER (WHERE a.${first} IS NOT NULL AND b.${first} IS NOT NULL) AS updated
     FROM ${side('before')} b FULL JOIN ${side('after')} a ON ${sameKey(key, 'a', 'b')}`,
  );
  const [row] = rows;
  return { removed: Number(row?.removed), inserted: Number(row?.inserted), updated: Number(row?.updated) };
};

export const addUp = (results: readonly SwapResult[]): SwapResult => ({
  removed: results.reduce((sum, { removed }) => sum + removed, 0),
  inserted: results.reduce((sum, { inserted }) => sum + inserted, 0),
  updated: results.reduce((sum, { updated }) => sum + updated, 0),
});

const swapTables = async (
  client: ClientBase,
  { tenantId, undoSchema }: RestoreWork,
  tables: readonly RestoredTable[],
  report: Pick<RestoreReport, 'tables'>,
): Promise<Map<string, SwapResult>> => {
  // The report holds under the fence, so tables that it found equal need not be read again while writers wait.
  const different = new Set(
    report.tables
      .filter(({ onlyNow, onlyThen, changed }) => onlyNow + onlyThen + changed > 0)
      .map(({ table }) => table),
  );
  const work = tables.filter(({ name }) => different.has(name));
  // Foreign keys, the fence and the app's triggers stay silent; row-level security does not.
  await client.query(`SET LOCAL session_replication_role = replica`);
  await client.query(`CREATE SCHEMA ${ident(undoSchema)}`);
  for (const table of tables) await createKept(client, table);
  for (const table of work) await removeRows(client, tenantId, table);
  for (const table of work) await insertRows(client, table);
  const counts = new Map<string, SwapResult>();
  for (const table of work) counts.set(table.name, await countKept(client, table));
  return counts;
};

/**
 * Brings the staged rows in, in one fenced transaction: the commit is the only moment at which anything live changes.
 * A repeat of the same operation finds the mark of its first commit and answers the same. Throws FenceTimeout,
 * StaleOperation, RestoreRefused, BrokenReferences; after any of them nothing has changed.
 */
export const swapRestore = async (client: ClientBase, request: SwapRequest): Promise<Swapped> => {
  const { restore, operation } = request;
  const { tenantId } = restore;
  const effect = { operation, step: 'SwapRestore' } as const;
  let fencedFrom = 0;
  const { marked, repeated } = await asTenant(client, tenantId, async (): Promise<Outcome> => {
    await lockRestore(client, restore.id);
    const before = await readEffect<Marked>(client, effect);
    if (before) return { marked: before, repeated: true };
    const scope = await request.readScope(client);
    const tables = await openTables(client, restore, scope);
    await refuseLostStaging(client, restore);
    if (!restore.report)
      throw new StepFailure('RestoreRefused', `restore ${restore.id} was not compared; run CompareRestore first`);
    await refuseAbandoned(client, operation);
    fencedFrom = performance.now();
    await takeFence(client, { tenantId, fence: request.fence });
    const live = await readLive(client, tenantId, tables);
    const again = live.digest !== restore.report.digest;
    const report = again
      ? {
          warnings: restore.report.warnings,
          ...(await compareTables(client, restore, { scope, tables, live })),
          comparedAt: request.now().toISOString(),
          comparedAgain: true,
        }
      : null;
    refuseUnfit((report ?? restore.report).unfit ?? []);
    const counts = await swapTables(client, restore, tables, report ?? restore.report);
    refuseBroken(
      await findBroken(client, {
        scope,
        tenantId,
        restored: restore.tables,
        ...gainsAndLosses(counts),
        relation: identPath,
      }),
    );
    await raiseSequences(client, tenantId, tables);
    const result: Marked = {
      ...addUp([...counts.values()]),
      report,
      fencedMs: Math.ceil(performance.now() - fencedFrom),
    };
    await markEffect(client, { ...effect, tenantId, result });
    return { marked: result, repeated: false };
  });
  // The mark was written before the commit, which belongs to the wait as well.
  const fencedMs = repeated ? marked.fencedMs : Math.ceil(performance.now() - fencedFrom);
  const report = marked.report ?? restore.report;
  if (!report)
    throw new StepFailure('RestoreRefused', `restore ${restore.id} was not compared; run CompareRestore first`);
  return { removed: marked.removed, inserted: marked.inserted, updated: marked.updated, fencedMs, report };
};
