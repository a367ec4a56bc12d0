import type { ClientBase } from 'pg';
import type { ArchiveMember } from '../../domain/archive.ts';
import type { StoredColumn } from '../catalog/read-columns.ts';
import { ident, identPath } from '../postgres/identifier.ts';

export type DigestAlgorithm = ArchiveMember['algorithm'];

/** What new digests are taken with where both sides are of one major version. */
export const quickDigest: DigestAlgorithm = 'record-v2';

/**
 * Settings under which rows print the same everywhere; both sides of a comparison need them. row_security = off makes the
 * server refuse a login that is bound by the policies, which would otherwise read no rows and call that a backup.
 */
export const exactText = `
SET LOCAL search_path = ''; SET LOCAL DateStyle = 'ISO, MDY'; SET LOCAL TimeZone = 'UTC'; SET LOCAL IntervalStyle = 'postgres';
SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1; SET LOCAL xmloption = 'content'; SET LOCAL jit = off`;

/** Types whose equality is the equality of what is stored, so that their hash misses no change. */
const exact = /^(smallint|integer|bigint|boolean|uuid|date|bytea|timestamp with(out)? time zone)$/;
const plainText = /^(text|character varying(\(\d+\))?)$/;

/** Types of fixed width: at most 16 bytes, and at most 40 characters of COPY text. */
const fixed = /^(smallint|integer|bigint|boolean|uuid|date|real|double precision|timestamp with(out)? time zone)$/;

/**
 * One column as it is hashed. 1.0 and 1.00 are equal numbers, '1 day' and '24:00' equal intervals, and an enum hashes its oid:
 * such types go by their text. Text is compared by bytes, whatever collation the column has.
 */
const hashed = ({ name, type }: StoredColumn): string => {
  if (exact.test(type)) return `x.${ident(name)}`;
  if (plainText.test(type)) return `x.${ident(name)} COLLATE "C"`;
  return `x.${ident(name)}::text COLLATE "C"`;
};

const byName = (a: StoredColumn, b: StoredColumn): number => (a.name < b.name ? -1 : 1);

/**
 * SQL aggregate over the rows `x` of a table: their order-free digest as decimal text. Columns count by name, generated ones
 * left out by the caller. `record-v2` is three times as fast (measured 179 against 655 ms) and comparable within one major
 * version; `text-v1` holds between versions too. `record-v1`, which old archives have, does not see two rows exchange a value:
 * PostgreSQL's hash of a row is a sum of its columns' hashes, so the sum over the rows stays; the row's hash is hashed once
 * more since, as the float8 of its first 53 bits (2 % of the time; as text 20 %). Needs `exactText`.
 */
export const digestSql = (columns: readonly StoredColumn[], algorithm: DigestAlgorithm): string => {
  const fields = columns.toSorted(byName).map(hashed).join(', ');
  const record = `hash_record_extended(ROW(${fields}), 0)`;
  const hashes = {
    'record-v1': record,
    'record-v2': `hashfloat8extended(${record}::float8, 0)`,
    'text-v1': `hashtextextended(ROW(${fields})::text COLLATE "C", 0)`,
  };
  return `coalesce(sum(${hashes[algorithm]}), 0)::text`;
};

/** SQL for the stored bytes of a row: cheap, because a value out of line is not fetched for it. */
const storedBytes = (columns: readonly StoredColumn[]): string =>
  [
    `${16 * columns.filter(({ type }) => fixed.test(type)).length}`,
    ...columns
      .filter(({ type }) => !fixed.test(type))
      .map(({ name }) => `coalesce(pg_column_size(x.${ident(name)}), 0)`),
  ].join(' + ');

export interface TenantDigest {
  readonly tenantId: string;
  readonly rows: number;
  readonly digest: string;
  /** About the bytes of COPY text; compressed values out of line count less than they are. */
  readonly estimate: number;
}

/** What a digest pass must know of a leaf. */
export interface DigestedLeaf {
  readonly path: string;
  readonly columns: readonly StoredColumn[];
  /** Bytes of a row on average, where all rows are about alike: then they are not measured one by one. */
  readonly rowBytes?: number | undefined;
}

/**
 * Rows, digest and size of every given tenant that has rows in one leaf: one scan, whatever number of tenants. Measuring each
 * row costs the scan a third more (490 against 360 ms for 620,000 rows), hence `rowBytes`.
 */
export const digestLeaf = async (
  client: ClientBase,
  leaf: DigestedLeaf,
  tenantIds: readonly string[],
  algorithm: DigestAlgorithm,
): Promise<TenantDigest[]> => {
  const bytes = leaf.rowBytes === undefined ? `, sum(${storedBytes(leaf.columns)}) AS bytes` : '';
  const { rows } = await client.query<{ tenant: string; rows: string; digest: string; bytes?: string }>(
    `SELECT x.tenant_id AS tenant, count(*) AS rows, ${digestSql(leaf.columns, algorithm)} AS digest${bytes}
     FROM ONLY ${identPath(leaf.path)} x WHERE x.tenant_id = ANY ($1) GROUP BY x.tenant_id`,
    [tenantIds],
  );
  return rows.map((row) => ({
    tenantId: row.tenant,
    rows: Number(row.rows),
    digest: row.digest,
    estimate: row.bytes === undefined ? Number(row.rows) * (leaf.rowBytes ?? 0) : Number(row.bytes),
  }));
};

/** Sum of two digests: a partitioned table has that of all its leaves together. */
export const addDigests = (a: string, b: string): string => (BigInt(a) + BigInt(b)).toString();
