import type { ClientBase } from 'pg';
import type { RestoreReport, RowSample, TableComparison } from '../../domain/restore-report.ts';
import type { Scope } from '../../domain/scope.ts';
import { ident, identPath } from '../postgres/identifier.ts';
import { type LiveRows, readLive, refuseLostStaging } from './digests.ts';
import { filterSql } from './filter.ts';
import { list, openTables, type RestoredTable, type RestoreWork, sameKey, sameRow } from './layout.ts';
import { findBroken, gainsAndLosses } from './references.ts';
import { findUnfit } from './rules.ts';
import { asTenant } from './transaction.ts';

/** What a comparison finds; when it was made and what the plan warned of is added by the step. */
export type Comparison = Pick<RestoreReport, 'tables' | 'digest' | 'broken' | 'unfit'>;

/** Samples per table, and characters per value: a report stays readable and far below what a browser stalls on. */
const samplesPerTable = 20;
const sampleLength = 200;

/** Live and staged rows side by side, by key. A restore of rows looks at the staged ones and at live ones of its filter. */
const sideBySide = (table: RestoredTable): { readonly from: string; readonly values: readonly unknown[] } => {
  const first = ident(table.key[0]!);
  const joined = `(SELECT * FROM ${table.live} WHERE tenant_id = $1) l FULL JOIN ${table.staged} s ON ${sameKey(table.key, 'l', 's')}`;
  if (!table.filter) return { from: joined, values: [] };
  const filter = filterSql(table.filter, 'l', 2);
  return { from: `${joined} WHERE s.${first} IS NOT NULL OR (${filter.sql})`, values: filter.values };
};

const kindOf = (table: RestoredTable): string => {
  const first = ident(table.key[0]!);
  return `CASE WHEN s.${first} IS NULL THEN 'onlyNow' WHEN l.${first} IS NULL THEN 'onlyThen'
    WHEN ${sameRow(table.columns, 'l', 's')} THEN 'same' ELSE 'changed' END`;
};

type Counts = Record<'onlyNow' | 'onlyThen' | 'changed' | 'same', number>;

interface SampleRow {
  readonly counts: Partial<Counts>;
  /** Null in the one row of a table without differences. */
  readonly kind: RowSample['kind'] | null;
  readonly key: (string | null)[];
  readonly now: (string | null)[];
  readonly then: (string | null)[];
  readonly differs: boolean[];
}

const texts = (columns: readonly string[], alias: string): string =>
  `ARRAY[${columns.map((column) => `left(${alias}.${ident(column)}::text, ${sampleLength + 1})`).join(', ')}]::text[]`;

const cut = (text: string | null): string | null =>
  text !== null && text.length > sampleLength ? `${text.slice(0, sampleLength)}…` : text;

/**
 * Counts by kind, and the first rows of every kind that differs in key order, taken in turns, so that 10,000 deleted rows do
 * not hide the one that changed. One pass over both sides.
 */
const compareTable = async (
  client: ClientBase,
  tenantId: string,
  table: RestoredTable,
): Promise<{ readonly counts: Counts; readonly samples: RowSample[] }> => {
  const { from, values } = sideBySide(table);
  const shown = table.key.filter((column) => column !== 'tenant_id');
  const key = shown.length > 0 ? shown : table.key;
  const picked = key.map((column) => `coalesce(l.${ident(column)}, s.${ident(column)}) AS ${ident(column)}`);
  // On the whole values: two long texts may differ behind the cut.
  const differs = table.columns.map((column) => `l.${ident(column)}::text IS DISTINCT FROM s.${ident(column)}::text`);
  const { rows } = await client.query<SampleRow>(
    `WITH every AS MATERIALIZED (SELECT ${kindOf(table)} AS kind, ${picked.join(', ')} FROM ${from}),
     counts AS (SELECT coalesce(json_object_agg(kind, rows), '{}') AS counts FROM (SELECT kind, count(*) AS rows FROM every GROUP BY kind) c),
     different AS MATERIALIZED (
       SELECT kind, turn, ${list(key)} FROM (
         SELECT kind, ${list(key)}, row_number() OVER (PARTITION BY kind ORDER BY ${list(key)}) AS turn
         FROM every WHERE kind <> 'same') numbered
       ORDER BY turn, kind LIMIT ${samplesPerTable})
     SELECT c.counts, d.kind, ${texts(key, 'd')} AS key, ${texts(table.columns, 'l')} AS now, ${texts(table.columns, 's')} AS then,
       ARRAY[${differs.join(', ')}] AS differs
     FROM counts c LEFT JOIN different d ON true
     LEFT JOIN ${table.live} l ON l.tenant_id = $1 AND ${sameKey(key, 'l', 'd')}
     LEFT JOIN ${table.staged} s ON ${sameKey(key, 's', 'd')}
     ORDER BY d.kind, d.turn`,
    [tenantId, ...values],
  );
  const samples = rows.flatMap(({ kind, ...row }): RowSample[] =>
    kind === null
      ? []
      : [
          {
            kind,
            key: Object.fromEntries(key.map((column, index) => [column, cut(row.key[index] ?? null)])),
            ...(kind === 'changed'
              ? {
                  columns: table.columns
                    .map((column, index) => ({
                      column,
                      now: cut(row.now[index] ?? null),
                      backup: cut(row.then[index] ?? null),
                    }))
                    .filter((_, index) => row.differs[index]),
                }
              : {}),
          },
        ],
  );
  return { counts: { onlyNow: 0, onlyThen: 0, changed: 0, same: 0, ...rows[0]?.counts }, samples };
};

/** The rows that a table would have after the swap: what a check of references looks at before anything is swapped. */
const futureOf =
  (tables: readonly RestoredTable[]) =>
  (name: string, columns: readonly string[]): string | undefined => {
    const table = tables.find((candidate) => candidate.name === name);
    if (!table) return identPath(name);
    if (columns.some((column) => !table.columns.includes(column))) return undefined;
    const wanted = [...new Set(['tenant_id', ...columns])];
    if (!table.filter) return table.staged;
    return `(SELECT ${list(wanted, 'l')} FROM ${table.live} l WHERE l.tenant_id = $1
        AND NOT EXISTS (SELECT FROM ${table.staged} s WHERE ${sameKey(table.key, 's', 'l')})
      UNION ALL SELECT ${list(wanted, 's')} FROM ${table.staged} s)`;
  };

/** Whether the live rows are the staged ones by their digests, as a backup tells that nothing has changed since the last. */
const isAlike = ({ staged }: RestoreWork, { name, filter, added }: RestoredTable, live: LiveRows): boolean => {
  const then = staged?.find(({ table }) => table === name);
  const now = live.tables.get(name);
  if (filter !== null || added.length > 0 || !then || !now) return false;
  return then.rows === now.rows && then.digest === now.digest;
};

/** What a swap would change and what it would break, in the caller's transaction. Reads only. */
export const compareTables = async (
  client: ClientBase,
  restore: RestoreWork,
  { scope, tables, live }: { scope: Scope; tables: readonly RestoredTable[]; live: LiveRows },
): Promise<Comparison> => {
  const compared: TableComparison[] = [];
  for (const table of tables) {
    const { counts, samples } = isAlike(restore, table, live)
      ? { counts: { onlyNow: 0, onlyThen: 0, changed: 0, same: live.tables.get(table.name)?.rows ?? 0 }, samples: [] }
      : await compareTable(client, restore.tenantId, table);
    compared.push({ table: table.name, ...counts, removesOnlyNow: table.filter === null, samples });
  }
  const counts = compared.map(({ table, onlyNow, onlyThen, changed, removesOnlyNow }) => {
    const removed = removesOnlyNow ? onlyNow : 0;
    return [table, { removed, inserted: onlyThen, updated: changed }] as const;
  });
  const broken = await findBroken(client, {
    scope,
    tenantId: restore.tenantId,
    restored: restore.tables,
    ...gainsAndLosses(new Map(counts)),
    relation: futureOf(tables),
  });
  const { tenantId, drift = [] } = restore;
  const unfit = await findUnfit(client, { tenantId, drift }, { tables, future: futureOf(tables) });
  return { tables: compared, digest: live.digest, broken, unfit };
};

/**
 * Compares the staged rows with the live ones in one read-only snapshot: counts, samples and broken references per table,
 * and a digest of the live rows by which a swap notices later writes. Throws RestoreRefused when staging is gone.
 */
export const compareRestore = (
  client: ClientBase,
  restore: RestoreWork,
  readScope: (client: ClientBase) => Promise<Scope>,
): Promise<Comparison> =>
  asTenant(
    client,
    restore.tenantId,
    async () => {
      const scope = await readScope(client);
      const tables = await openTables(client, restore, scope);
      await refuseLostStaging(client, restore);
      const live = await readLive(client, restore.tenantId, tables);
      return compareTables(client, restore, { scope, tables, live });
    },
    'frozen',
  );
