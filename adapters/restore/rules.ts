import type { ClientBase } from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import type { ColumnDrift, SchemaRule, UnfitRows } from '../../domain/restore-report.ts';
import { ident } from '../postgres/identifier.ts';
import type { RestoredTable } from './layout.ts';

/** Rows of a table after the swap, with at least these columns; see `futureOf` in compare.ts. It may use $1, the tenant. */
export type FutureRows = (table: string, columns: readonly string[]) => string | undefined;

interface StoredRule {
  readonly columns: readonly string[];
  /** Condition of a CHECK, null for a unique rule. */
  readonly holds: string | null;
  /** WHERE of a partial unique index. */
  readonly condition: string | null;
  readonly nullsCount: boolean;
}

const readChecks = `
  SELECT con.conname::text AS name, pg_get_expr(con.conbin, con.conrelid) AS holds, NULL AS condition, false AS "nullsCount",
    (SELECT coalesce(array_agg(a.attname::text), '{}') FROM pg_attribute a WHERE a.attrelid = con.conrelid AND a.attnum = ANY (con.conkey)) AS columns
  FROM pg_constraint con WHERE con.conrelid = $1::regclass AND con.contype = 'c'`;

/** Without expressions and without exclusion constraints: those PostgreSQL judges itself, in the swap. */
const readUnique = `
  SELECT x.relname::text AS name, NULL AS holds, pg_get_expr(i.indpred, i.indrelid) AS condition, i.indnullsnotdistinct AS "nullsCount",
    ARRAY(SELECT a.attname::text FROM unnest(i.indkey::smallint[]) WITH ORDINALITY k (attnum, place)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.place <= i.indnkeyatts ORDER BY k.place) AS columns
  FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
  WHERE i.indrelid = $1::regclass AND i.indisunique AND i.indexprs IS NULL`;

const storedRule = async (
  client: ClientBase,
  table: RestoredTable,
  { name }: SchemaRule,
): Promise<StoredRule | undefined> => {
  const { rows } = await client.query<StoredRule>(
    `SELECT columns, holds, condition, "nullsCount" FROM (${readChecks} UNION ALL ${readUnique}) rules WHERE name = $2`,
    [table.live, name],
  );
  return rows[0];
};

interface Offenders {
  readonly rows: string;
  readonly sample: string;
}

const keyText = (table: RestoredTable): string => {
  const shown = table.key.filter((column) => column !== 'tenant_id');
  return `concat_ws(', ', ${(shown.length > 0 ? shown : table.key).map((column) => `${ident(column)}::text`).join(', ')})`;
};

const offendersOfCheck = async (client: ClientBase, table: RestoredTable, holds: string): Promise<Offenders[]> => {
  // A CHECK passes what is null; its text names columns alone, so nothing else may be in FROM.
  const { rows } = await client.query<Offenders>(
    `SELECT count(*) OVER () AS rows, ${keyText(table)} AS sample FROM ${table.staged} WHERE NOT (${holds}) LIMIT 3`,
  );
  return rows;
};

const offendersOfUnique = async (
  client: ClientBase,
  tenantId: string,
  rule: StoredRule,
  future: string,
): Promise<Offenders[]> => {
  const columns = rule.columns.map(ident);
  const counted = [
    ...(rule.condition === null ? [] : [rule.condition]),
    ...(rule.nullsCount ? [] : columns.map((column) => `${column} IS NOT NULL`)),
  ];
  const { rows } = await client.query<Offenders>(
    `SELECT sum(count(*)) OVER () AS rows, concat_ws(', ', ${columns.map((column) => `${column}::text`).join(', ')}) AS sample
     FROM ${future} x ${counted.length > 0 ? `WHERE ${counted.join(' AND ')}` : ''}
     GROUP BY ${columns.join(', ')} HAVING count(*) > 1 AND $1::text IS NOT NULL LIMIT 3`,
    [tenantId],
  );
  return rows;
};

const offendersOf = async (
  client: ClientBase,
  tenantId: string,
  table: RestoredTable,
  rule: StoredRule,
  future: FutureRows,
): Promise<Offenders[]> => {
  if (rule.columns.some((column) => !table.columns.includes(column))) return [];
  if (rule.holds !== null) return offendersOfCheck(client, table, rule.holds);
  const rows = future(table.name, rule.columns);
  return rows === undefined ? [] : offendersOfUnique(client, tenantId, rule, rows);
};

const unfit = (table: string, rule: string, fix: string, offenders: readonly Offenders[]): UnfitRows[] =>
  offenders[0]
    ? [{ table, rule, rows: Number(offenders[0].rows), samples: offenders.map(({ sample }) => sample), fix }]
    : [];

const nullsIn = async (client: ClientBase, table: RestoredTable, column: string): Promise<Offenders[]> => {
  const { rows } = await client.query<Offenders>(
    `SELECT count(*) OVER () AS rows, ${keyText(table)} AS sample FROM ${table.staged} WHERE ${ident(column)} IS NULL LIMIT 3`,
  );
  return rows;
};

/** Staged rows that would come back and have no value for a column that must have one. */
const comingBack = async (client: ClientBase, tenantId: string, table: RestoredTable): Promise<Offenders[]> => {
  const same = table.key.map((column) => `l.${ident(column)} = s.${ident(column)}`).join(' AND ');
  const { rows } = await client.query<Offenders>(
    `SELECT count(*) OVER () AS rows, ${keyText(table)} AS sample FROM ${table.staged} s
     WHERE NOT EXISTS (SELECT FROM ${table.live} l WHERE l.tenant_id = $1 AND ${same}) LIMIT 3`,
    [tenantId],
  );
  return rows;
};

/** Rows that rules made since the backup do not let in, for every table that changed. Reads only. */
export const findUnfit = async (
  client: ClientBase,
  restore: { readonly tenantId: string; readonly drift: readonly ColumnDrift[] },
  { tables, future }: { readonly tables: readonly RestoredTable[]; readonly future: FutureRows },
): Promise<UnfitRows[]> => {
  const found: UnfitRows[] = [];
  for (const { table: name, required, tightened, rules } of restore.drift) {
    const table = tables.find((candidate) => candidate.name === name);
    if (!table) continue;
    for (const column of required)
      found.push(
        ...unfit(
          name,
          `column ${column}, NOT NULL without a default`,
          `give ${column} a default`,
          await comingBack(client, restore.tenantId, table),
        ),
      );
    for (const column of tightened.filter((one) => table.columns.includes(one)))
      found.push(
        ...unfit(
          name,
          `column ${column}, NOT NULL`,
          `restore the other rows alone`,
          await nullsIn(client, table, column),
        ),
      );
    for (const rule of rules) {
      const stored = await storedRule(client, table, rule);
      if (!stored) continue;
      const offenders = await offendersOf(client, restore.tenantId, table, stored, future);
      found.push(
        ...unfit(name, `${rule.name} ${rule.text}`, `restore the other rows alone, or lift the rule`, offenders),
      );
    }
  }
  return found;
};

/** Throws RestoreRefused that names every table, rule, count and fix; returns when the list is empty. */
export const refuseUnfit = (found: readonly UnfitRows[]): void => {
  if (found.length === 0) return;
  const lines = found.map(
    ({ table, rule, rows, samples, fix }) =>
      `${rows} row${rows === 1 ? '' : 's'} of ${table} break a rule that is newer than the backup (${rule}: ${samples.join('; ')}${rows > samples.length ? '; ...' : ''}): ${fix}`,
  );
  throw new StepFailure('RestoreRefused', lines.join('. '));
};
