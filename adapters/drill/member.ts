import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ClientBase } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { ArchiveMember, Manifest } from '../../domain/archive.ts';
import { StepFailure } from '../../domain/errors.ts';
import type { Scope } from '../../domain/scope.ts';
import type { StoredColumn } from '../catalog/read-columns.ts';
import { digestSql } from '../dump/digest.ts';
import { ident, identPath, literal } from '../postgres/identifier.ts';
import { sqlState } from '../postgres/sql.ts';

/** A scratch database, and what its catalog says. */
export interface Scratch {
  readonly client: ClientBase;
  readonly scope: Scope;
  readonly columns: ReadonlyMap<string, readonly StoredColumn[]>;
  readonly major: number;
}

/** The archive is not what its manifest says. */
export const damaged = (manifest: Manifest, what: string, cause?: unknown): StepFailure =>
  new StepFailure('ArchiveDamaged', `backup ${manifest.backupId} of tenant ${manifest.tenantId}: ${what}`, { cause });

/** Columns of a member with the types of its table; a member of another table or with other columns is no member of it. */
export const memberColumns = ({ columns }: Scratch, manifest: Manifest, member: ArchiveMember): StoredColumn[] => {
  const known = new Map(columns.get(member.table)?.map((column) => [column.name, column]));
  return member.columns.map((name) => {
    const column = known.get(name);
    if (!column) throw damaged(manifest, `its schema version has no column ${name} in ${member.table}`);
    return column;
  });
};

/** Data, constraint, name and raised errors are answers to these rows; a missing right, a lost server or a full disk are not. */
const isRefusal = (state: string | undefined): boolean =>
  state !== undefined && state !== '42501' && /^(22|23|42|P0)/.test(state);

/**
 * Copies one member into its table, inside the caller's transaction. Throws ArchiveDamaged where the server refuses its rows or
 * counts others than the manifest; whatever the reader or the connection throws goes through.
 */
export const load = async (
  { client }: Scratch,
  manifest: Manifest,
  member: ArchiveMember,
  text: Readable,
  signal: AbortSignal | undefined,
): Promise<void> => {
  const columns = member.columns.map(ident).join(', ');
  const copy = client.query(copyFrom(`COPY ${identPath(member.table)} (${columns}) FROM STDIN`));
  try {
    await pipeline(text, copy, { signal });
  } catch (error) {
    if (!isRefusal(sqlState(error))) throw error;
    throw damaged(manifest, `${member.table} cannot be loaded: ${(error as Error).message}`, error);
  }
  if (copy.rowCount !== member.rows)
    throw damaged(manifest, `${member.table} has ${copy.rowCount} rows instead of ${member.rows}`);
};

interface Found {
  readonly place: number;
  readonly rows: string;
  readonly foreign: string;
  readonly digest: string | null;
}

/** Only text-v1 holds between major versions; rows and SHA-256 must else do. */
const comparable = ({ major }: Scratch, manifest: Manifest, member: ArchiveMember): boolean =>
  member.algorithm === 'text-v1' || Number.parseInt(manifest.postgresVersion, 10) === major;

/**
 * Compares rows and digest of every loaded table with the manifest, in one round trip. Throws ForeignRows where a row is not of
 * `tenantId` (left out: reference rows, which are of no tenant), ArchiveDamaged where the table is not what was copied out.
 */
export const compare = async (
  scratch: Scratch,
  manifest: Manifest,
  members: readonly ArchiveMember[],
  tenantId?: string,
): Promise<void> => {
  if (members.length === 0) return;
  const selects = members.map((member, place) => {
    const foreign =
      tenantId === undefined
        ? '0::bigint'
        : `count(*) FILTER (WHERE x.tenant_id IS DISTINCT FROM ${literal(tenantId)})`;
    const digest = comparable(scratch, manifest, member)
      ? digestSql(memberColumns(scratch, manifest, member), member.algorithm)
      : 'NULL::text';
    return `SELECT ${place} AS place, count(*) AS rows, ${foreign} AS foreign, ${digest} AS digest FROM ONLY ${identPath(member.table)} x`;
  });
  // With an empty path names print whole, as they did when the digests were taken; checks and operators of extensions need theirs.
  await scratch.client.query(`SET LOCAL search_path TO ''`);
  const { rows } = await scratch.client.query<Found>(selects.join(' UNION ALL '));
  await scratch.client.query('SET LOCAL search_path TO DEFAULT');
  for (const { place, rows: count, foreign, digest } of rows) {
    const member = members[place]!;
    if (foreign !== '0')
      throw new StepFailure(
        'ForeignRows',
        `${foreign} rows of ${member.table} in backup ${manifest.backupId} are not of tenant ${tenantId}`,
      );
    if (Number(count) !== member.rows)
      throw damaged(manifest, `${member.table} holds ${count} rows instead of ${member.rows}`);
    if (digest !== null && digest !== member.digest)
      throw damaged(manifest, `${member.table} has digest ${digest} instead of ${member.digest}`);
  }
};
