import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ClientBase } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { ArchiveMember, Manifest, ReferenceRows } from '../../domain/archive.ts';
import { contradictions } from '../../domain/drill.ts';
import { StepFailure } from '../../domain/errors.ts';
import { leavesOf, type Scope, tableName } from '../../domain/scope.ts';
import { readColumns, type StoredColumn } from '../catalog/read-columns.ts';
import { readScope } from '../catalog/read-scope.ts';
import { digestSql, exactText } from '../dump/digest.ts';
import { ident, identPath, literal } from '../postgres/identifier.ts';
import { clientSql, sqlState } from '../postgres/sql.ts';
import { findBroken, refuseBroken } from '../restore/references.ts';

/** The archive of one tenant, every byte of it checked against the manifest while it is read. */
export interface DrilledArchive {
  readonly tenantId: string;
  readonly manifest: Manifest;
  readonly openMember: (member: ArchiveMember) => Readable;
  readonly openReference: (reference: ReferenceRows, member: ArchiveMember) => Readable;
}

/** A scratch database in which archives of one schema version are tried one after another. */
export interface DrillBench {
  readonly scope: Scope;
  /**
   * Restores the archive, compares every table with its manifest, checks every foreign key, and takes all of it back.
   * Throws ArchiveDamaged, ForeignRows, BrokenReferences; anything else is not the archive's fault.
   */
  drill(archive: DrilledArchive, signal?: AbortSignal): Promise<void>;
}

interface Bench {
  readonly client: ClientBase;
  readonly scope: Scope;
  readonly columns: ReadonlyMap<string, readonly StoredColumn[]>;
  readonly major: number;
}

const damaged = (manifest: Manifest, what: string, cause?: unknown): StepFailure =>
  new StepFailure('ArchiveDamaged', `backup ${manifest.backupId} of tenant ${manifest.tenantId}: ${what}`, { cause });

/** Columns of a member with the types of its table; a member of another table or with other columns is no member of it. */
const memberColumns = ({ columns }: Bench, manifest: Manifest, member: ArchiveMember): StoredColumn[] => {
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

const load = async (
  { client }: Bench,
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

/** record-v1 may differ between major versions; rows and SHA-256 must then do. */
const comparable = ({ major }: Bench, manifest: Manifest, member: ArchiveMember): boolean =>
  member.algorithm !== 'record-v1' || Number.parseInt(manifest.postgresVersion, 10) === major;

/** Rows, rows of others and digest of every loaded table, in one round trip. */
const compare = async (
  bench: Bench,
  manifest: Manifest,
  members: readonly ArchiveMember[],
  tenantId?: string,
): Promise<void> => {
  if (members.length === 0) return;
  const selects = members.map((member, place) => {
    const foreign =
      tenantId === undefined ? '0::bigint' : `count(*) FILTER (WHERE x.tenant_id IS DISTINCT FROM ${literal(tenantId)})`;
    const digest = comparable(bench, manifest, member)
      ? digestSql(memberColumns(bench, manifest, member), member.algorithm)
      : 'NULL::text';
    return `SELECT ${place} AS place, count(*) AS rows, ${foreign} AS foreign, ${digest} AS digest FROM ONLY ${identPath(member.table)} x`;
  });
  // With an empty path names print whole, as they did when the digests were taken; checks and operators of extensions need theirs.
  await bench.client.query(`SET LOCAL search_path TO ''`);
  const { rows } = await bench.client.query<Found>(selects.join(' UNION ALL '));
  await bench.client.query('SET LOCAL search_path TO DEFAULT');
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

/** What no archive may claim: tables that are not the tenant's, the same table twice, totals that its members do not have. */
const refuseContradictions = ({ scope }: Bench, { manifest, tenantId }: DrilledArchive): void => {
  if (manifest.tenantId !== tenantId)
    throw new StepFailure(
      'ForeignRows',
      `backup ${manifest.backupId} is of tenant ${manifest.tenantId}, not of ${tenantId}`,
    );
  const roots = new Map(scope.tables.flatMap((table) => leavesOf(table).map((leaf) => [leaf, tableName(table)])));
  const strange = manifest.members.find(({ table, root }) => roots.get(table) !== root);
  if (strange) throw damaged(manifest, `${strange.table} is no tenant table of its schema version`);
  const twice = manifest.members.find(
    ({ table }, place) => manifest.members.findIndex((one) => one.table === table) !== place,
  );
  if (twice) throw damaged(manifest, `its manifest names ${twice.table} twice`);
  const contradicted = contradictions(manifest);
  if (contradicted.length > 0)
    throw damaged(manifest, `its manifest contradicts itself about ${contradicted.join(', ')}`);
};

/** Values in an archive are text of these settings. */
const begin = async ({ client }: Bench, tenantId: string): Promise<void> => {
  await client.query(
    `BEGIN; SET LOCAL session_replication_role = replica; ${exactText}; SET LOCAL search_path TO DEFAULT; SELECT set_config('app.tenant_id', ${literal(tenantId)}, true)`,
  );
};

/** Takes back everything; a connection that is lost has done so itself. */
const takeBack = async ({ client }: Bench): Promise<void> => {
  await client.query('ROLLBACK').catch(() => undefined);
};

/** Foreign keys into reference tables count where the archive has their rows; without them they prove nothing. */
const checkReferences = async ({ client, scope }: Bench, { manifest, tenantId }: DrilledArchive): Promise<void> => {
  const tables = scope.tables.map(tableName);
  const there = new Set([...tables, ...(manifest.reference ? scope.reference : [])]);
  const filled = manifest.tables.filter(({ rows }) => rows > 0).map(({ table }) => table);
  const broken = await findBroken(client, {
    scope,
    tenantId,
    restored: tables,
    gaining: filled,
    losing: [],
    relation: (table) => (there.has(table) ? identPath(table) : undefined),
  });
  refuseBroken(broken);
};

/** Reference rows are the same for most archives of a slice: they stay until an archive has others. */
const openReferences = (bench: Bench) => {
  let current: string | undefined;
  const fill = async ({ manifest, openReference }: DrilledArchive, reference: ReferenceRows, signal?: AbortSignal) => {
    const strange = reference.members.find(({ table }) => !bench.scope.reference.includes(table));
    if (strange) throw damaged(manifest, `${strange.table} is no reference table of its schema version`);
    await begin(bench, '');
    try {
      for (const table of bench.scope.reference) await bench.client.query(`DELETE FROM ONLY ${identPath(table)}`);
      for (const member of reference.members)
        await load(bench, manifest, member, openReference(reference, member), signal);
      await compare(bench, manifest, reference.members);
      await bench.client.query('COMMIT');
    } catch (error) {
      await takeBack(bench);
      throw error;
    }
  };
  return async (archive: DrilledArchive, signal?: AbortSignal): Promise<void> => {
    const { reference } = archive.manifest;
    if (!reference || reference.key === current) return;
    current = undefined;
    await fill(archive, reference, signal);
    current = reference.key;
  };
};

/** `client` is logged in to a scratch database as a login that is no superuser; see `inScratch`. */
export const openBench = async (client: ClientBase): Promise<DrillBench> => {
  const scope = await readScope(client);
  const columns = await readColumns(client, [...scope.tables.flatMap(leavesOf), ...scope.reference]);
  const [version] = await clientSql(client).query<{ number: string }>(
    `SELECT current_setting('server_version_num') AS number`,
  );
  const bench: Bench = { client, scope, columns, major: Math.floor(Number(version?.number) / 10_000) };
  const fillReferences = openReferences(bench);
  return {
    scope,
    drill: async (archive, signal) => {
      const { manifest, tenantId, openMember } = archive;
      refuseContradictions(bench, archive);
      await fillReferences(archive, signal);
      await begin(bench, tenantId);
      try {
        for (const member of manifest.members) {
          memberColumns(bench, manifest, member);
          await load(bench, manifest, member, openMember(member), signal);
        }
        await compare(bench, manifest, manifest.members, tenantId);
        await checkReferences(bench, archive);
      } finally {
        await takeBack(bench);
      }
    },
  };
};
