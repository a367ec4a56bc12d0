import type pg from 'pg';
import type { Finding, TableSize } from '../../domain/move.ts';
import { copiedColumns, leavesOf, type Scope, type TenantTable, tableName } from '../../domain/scope.ts';
import { readSchemaFacts } from '../catalog/read-facts.ts';
import { ident, identPath } from '../postgres/identifier.ts';
import { finding, type Look } from './look.ts';
import { compareReference } from './reference.ts';

/** Bytes as stored: pg_column_size reads no value that lies out of line, so a tenant of 1 GB costs its rows, not its bytes. */
export const tenantSizes = async (client: pg.ClientBase, scope: Scope, tenantId: string): Promise<TableSize[]> => {
  const sizes: TableSize[] = [];
  for (const table of scope.tables) {
    const bytes = copiedColumns(table).map(({ name }) => `coalesce(pg_column_size(x.${ident(name)}), 0)`);
    const { rows } = await client.query<{ rows: string; bytes: string }>(
      `SELECT count(*) AS rows, coalesce(sum(24 + ${bytes.join(' + ')}), 0)::bigint AS bytes
       FROM ${identPath(tableName(table))} x WHERE tenant_id = $1`,
      [tenantId],
    );
    sizes.push({ table: tableName(table), rows: Number(rows[0]?.rows), bytes: Number(rows[0]?.bytes) });
  }
  return sizes;
};

/** Unique columns of a table that do not begin with the tenant: a neighbour on the target may have the same values. */
interface SharedKey {
  readonly table: TenantTable;
  readonly columns: readonly string[];
}

const sharedKeys = async (client: pg.ClientBase, scope: Scope): Promise<SharedKey[]> => {
  const owners = new Map(
    scope.tables.flatMap((table) => [tableName(table), ...leavesOf(table)].map((name) => [name, table])),
  );
  const { uniqueIndexes } = await readSchemaFacts(client);
  const keys = uniqueIndexes.flatMap(({ table, columns }) => {
    const owner = owners.get(table);
    const named = columns.filter((column) => column !== null);
    return owner && named.length === columns.length && !named.includes('tenant_id')
      ? [{ table: owner, columns: named }]
      : [];
  });
  return [...new Map(keys.map((key) => [`${tableName(key.table)} ${key.columns.join()}`, key])).values()];
};

/** Rows whose keys are looked up on the target at once. */
const batch = 5_000;

/** How many of the tenant's keys somebody else has on the target. */
const collisions = async (
  source: pg.ClientBase,
  target: pg.ClientBase,
  { table, columns }: SharedKey,
  tenantId: string,
): Promise<number> => {
  const path = identPath(tableName(table));
  const list = columns.map((column) => `x.${ident(column)}`).join(', ');
  let found = 0;
  await source.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  try {
    await source.query(
      `DECLARE keys NO SCROLL CURSOR FOR SELECT ROW(${list})::text AS key FROM ${path} x WHERE tenant_id = '${tenantId.replaceAll("'", "''")}'`,
    );
    for (;;) {
      const { rows } = await source.query<{ key: string }>(`FETCH ${batch} FROM keys`);
      if (rows.length === 0) return found;
      const { rows: same } = await target.query<{ count: string }>(
        `SELECT count(*) FROM ${path} x WHERE tenant_id <> $1 AND ROW(${list})::text = ANY ($2::text[])`,
        [tenantId, rows.map(({ key }) => key)],
      );
      found += Number(same[0]?.count);
    }
  } finally {
    await source.query('ROLLBACK').catch(() => undefined);
  }
};

const idSpaces = async ({ source, target, request }: Look): Promise<Finding[]> => {
  if (!target) return [];
  const broken: string[] = [];
  for (const key of await sharedKeys(source.client, source.scope)) {
    const count = await collisions(source.client, target.client, key, request.tenantId);
    if (count > 0)
      broken.push(
        `${count} keys (${key.columns.join(', ')}) of ${tableName(key.table)} belong to other tenants on the target`,
      );
  }
  return [
    finding('id-spaces', 'both', broken, {
      well: 'no key of the tenant is taken on the target',
      fix: 'put tenant_id into the key, or give each database its own range of numbers',
    }),
  ];
};

const referenceRows = async ({ source, target }: Look): Promise<Finding[]> => {
  if (!target) return [];
  const differences = await compareReference(source.client, target.client, source.scope.reference);
  const broken = differences.flatMap(({ table, differing, refused }) => {
    if (refused) return [`${table} cannot be compared: ${refused}`];
    return differing > 0 ? [`${differing} rows of ${table} differ under the same key`] : [];
  });
  const added = differences.reduce((sum, { missing }) => sum + missing, 0);
  return [
    finding('reference-rows', 'both', broken, {
      well: added > 0 ? `${added} reference rows will be added` : 'reference rows are the same',
      fix: 'bring both databases to the same reference rows; neighbours use those of the target, so a move changes none',
    }),
  ];
};

export const rowFindings = async (look: Look): Promise<Finding[]> => [
  ...(await idSpaces(look)),
  ...(await referenceRows(look)),
];
