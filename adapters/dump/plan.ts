import type { ClientBase } from 'pg';
import type { Toc } from '../../domain/archive.ts';
import type { Digests } from '../../domain/backup.ts';
import { leavesOf, type Scope, tableName } from '../../domain/scope.ts';
import type { StoredColumn } from '../catalog/read-columns.ts';
import { ident, identPath, literal } from '../postgres/identifier.ts';
import { type DigestAlgorithm, type DigestedLeaf, digestLeaf } from './digest.ts';
import type { Snapshot } from './snapshot.ts';

/** A table or leaf that holds rows of tenants, and where its rows go in a dump. */
export interface Leaf {
  readonly path: string;
  readonly root: string;
  readonly dumpId: number;
  /** In the order of toc.dat's COPY, or of the table. */
  readonly columns: readonly StoredColumn[];
}

/** The rows of one tenant in one leaf. */
export interface Share {
  readonly leaf: Leaf;
  readonly rows: number;
  readonly digest: string;
  readonly estimate: number;
}

const sameNames = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((name) => b.includes(name));

/**
 * Gives every path its place in the dump. toc.dat is used for all of them or for none: undefined entries come back where one
 * path is missing in it or has other columns, and then the members are numbered from 1 in the order of the tables.
 */
export const placeInDump = (
  paths: readonly string[],
  columns: ReadonlyMap<string, readonly StoredColumn[]>,
  entries: Toc['entries'] | undefined,
): { readonly fits: boolean; readonly places: ReadonlyMap<string, Pick<Leaf, 'dumpId' | 'columns'>> } => {
  const fits =
    entries !== undefined &&
    paths.every((path) => {
      const entry = entries[path];
      return entry && sameNames(entry.columns, columns.get(path)?.map(({ name }) => name) ?? []);
    });
  const places = new Map<string, Pick<Leaf, 'dumpId' | 'columns'>>();
  for (const [place, path] of paths.entries()) {
    const own = columns.get(path) ?? [];
    const entry = fits ? entries[path] : undefined;
    places.set(path, {
      dumpId: entry?.dumpId ?? place + 1,
      columns: entry ? entry.columns.flatMap((name) => own.find((column) => column.name === name) ?? []) : own,
    });
  }
  return { fits, places };
};

export const leavesOfScope = (scope: Scope, places: ReadonlyMap<string, Pick<Leaf, 'dumpId' | 'columns'>>): Leaf[] =>
  scope.tables.flatMap((table) =>
    leavesOf(table).flatMap((path) => {
      const place = places.get(path);
      return place ? [{ path, root: tableName(table), ...place }] : [];
    }),
  );

const columnList = (leaf: Pick<Leaf, 'columns'>): string => leaf.columns.map(({ name }) => ident(name)).join(', ');

/** COPY of one tenant's rows. Utility statements take no parameters, hence the literal. */
export const copyTenant = (leaf: Leaf, tenantId: string): string =>
  `COPY (SELECT ${columnList(leaf)} FROM ONLY ${identPath(leaf.path)} WHERE tenant_id = ${literal(tenantId)}) TO STDOUT`;

/** COPY of the rows of many tenants, tenant by tenant. */
export const copyTenants = (leaf: Leaf, tenantIds: readonly string[]): string =>
  `COPY (SELECT ${columnList(leaf)} FROM ONLY ${identPath(leaf.path)} WHERE tenant_id IN (${tenantIds.map(literal).join(', ')}) ORDER BY tenant_id) TO STDOUT`;

/** COPY of a whole reference table; ordered, so that the same rows give the same bytes. */
export const copyReference = (leaf: Leaf): string =>
  `COPY (SELECT ${columnList(leaf)} FROM ONLY ${identPath(leaf.path)} x ORDER BY ROW(${columnList(leaf)})::text COLLATE "C") TO STDOUT`;

/** Values out of line make rows unlike each other: above this share of a table they are measured row by row. */
const alike = 0.05;

/** The leaves with what their rows weigh, the largest first: the longest scan must not begin last. */
export const weighLeaves = async (
  client: ClientBase,
  columns: ReadonlyMap<string, readonly StoredColumn[]>,
  paths: readonly string[],
): Promise<DigestedLeaf[]> => {
  const { rows } = await client.query<{ path: string; main: string; toast: string; tuples: number }>(
    `SELECT path, pg_relation_size(c.oid) AS main, coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0) AS toast,
       c.reltuples::float8 AS tuples
     FROM unnest($1::text[], $2::text[]) AS p (path, quoted) JOIN pg_class c ON c.oid = quoted::regclass`,
    [paths, paths.map(identPath)],
  );
  return rows
    .toSorted((a, b) => Number(b.main) + Number(b.toast) - Number(a.main) - Number(a.toast))
    .map(({ path, main, toast, tuples }) => ({
      path,
      columns: columns.get(path) ?? [],
      rowBytes: tuples > 0 && Number(toast) <= alike * Number(main) ? Number(main) / tuples : undefined,
    }));
};

/** One tenant's part of one leaf, by the leaf's path. */
export type DigestedShare = Omit<Share, 'leaf'> & { readonly path: string };

/** What every tenant has, leaf by leaf, in one scan of each, shared out among the clients in the order of the leaves. */
export const digestTenants = async (
  clients: readonly ClientBase[],
  leaves: readonly DigestedLeaf[],
  tenantIds: readonly string[],
  algorithm: DigestAlgorithm,
): Promise<ReadonlyMap<string, readonly DigestedShare[]>> => {
  const shares = new Map<string, DigestedShare[]>(tenantIds.map((tenantId) => [tenantId, []]));
  const queue = [...leaves];
  await Promise.all(
    clients.map(async (client) => {
      for (let leaf = queue.shift(); leaf; leaf = queue.shift())
        for (const { tenantId, ...share } of await digestLeaf(client, leaf, tenantIds, algorithm))
          shares.get(tenantId)?.push({ path: leaf.path, ...share });
    }),
  );
  return shares;
};

export const digestsOf = (
  shares: readonly DigestedShare[],
  algorithm: DigestAlgorithm,
  { major }: Snapshot,
): Digests => ({
  algorithm,
  major,
  tables: Object.fromEntries(shares.map(({ path, rows, digest }) => [path, [rows, digest] as const])),
});
