import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ClientBase } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { ArchiveMember, Manifest } from '../../domain/archive.ts';
import { StepFailure } from '../../domain/errors.ts';
import { differingLines } from '../../domain/restore-drift.ts';
import type { StagedTable } from '../../domain/restore-report.ts';
import { parseRows } from '../../domain/rows.ts';
import type { Scope } from '../../domain/scope.ts';
import { quickDigest } from '../dump/digest.ts';
import { ident } from '../postgres/identifier.ts';
import { sqlState } from '../postgres/sql.ts';
import { membersDigest, type RowsDigest, stagedTables } from './digests.ts';
import { filterSql } from './filter.ts';
import { dropSchemas, list, type RestoreWork } from './layout.ts';
import { bytesOf, convertStaged, createStaged, type Target, targetsOf } from './target.ts';
import { asTenant } from './transaction.ts';

export type ReadScope = (client: ClientBase) => Promise<Scope>;

export interface StageRequest {
  readonly restore: RestoreWork;
  readonly manifest: Manifest;
  /** COPY text of one member, checked against the manifest's SHA-256 while it is read. */
  readonly openMember: (member: ArchiveMember) => Readable;
  readonly readScope: ReadScope;
  readonly signal?: AbortSignal | undefined;
}

export interface Staged {
  readonly tables: readonly StagedTable[];
  readonly rows: number;
  /** COPY text that was loaded. */
  readonly bytes: number;
}

/** Advisory lock class of staging: one connection at a time fills the schema of a restore. */
const stagingClass = 7006;

/**
 * Runs `work` as the only connection that fills the staging of a restore. A Lambda that ran out of time may still be
 * copying: its rows would land in the tables of the attempt that came after, so it is ended first (the same login may).
 */
const asOnlyStager = async <Result>(
  client: ClientBase,
  restoreId: string,
  work: () => Promise<Result>,
): Promise<Result> => {
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_locks
     WHERE locktype = 'advisory' AND classid = $1 AND objid::bigint = (hashtext($2)::bigint & 4294967295) AND objsubid = 2
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND granted AND pid <> pg_backend_pid()`,
    [stagingClass, restoreId],
  );
  await client.query('SELECT pg_advisory_lock($1, hashtext($2))', [stagingClass, restoreId]);
  try {
    return await work();
  } finally {
    // A lost connection has given the lock back already.
    await client.query('SELECT pg_advisory_unlock($1, hashtext($2))', [stagingClass, restoreId]).catch(() => undefined);
  }
};

/** Why COPY refused a row: the rows do not fit today's types, or, with unchanged columns, the archive is damaged. */
const loadFailure = (
  error: unknown,
  target: Target,
  member: ArchiveMember,
  request: StageRequest,
  scope: Scope,
): unknown => {
  const state = sqlState(error);
  if (state === undefined || !/^(22|23)/.test(state)) return error;
  const message = error instanceof Error ? error.message : String(error);
  const lines = differingLines(request.manifest.schema.lines, scope.lines, target.name);
  if (lines.length === 0)
    return new StepFailure(
      'ArchiveDamaged',
      `${member.table} of backup ${request.manifest.backupId} cannot be loaded: ${message}; choose another backup`,
      { cause: error },
    );
  return new StepFailure(
    'RestoreRefused',
    `rows of ${target.name} do not fit the schema of today (${message}); it differs from the backup's in: ${lines.join(' | ')}`,
    { cause: error },
  );
};

const loadMember = async (
  client: ClientBase,
  target: Target,
  member: ArchiveMember,
  request: StageRequest,
  scope: Scope,
): Promise<void> => {
  // Frozen: the table is of this transaction, and no reader has to mark its rows as committed, page by page.
  const copy = client.query(copyFrom(`COPY ${target.staged} (${list(member.columns)}) FROM STDIN (FREEZE)`));
  try {
    await pipeline(request.openMember(member), copy, { signal: request.signal });
  } catch (error) {
    throw loadFailure(error, target, member, request, scope);
  }
  if (copy.rowCount !== member.rows)
    throw new StepFailure(
      'ArchiveDamaged',
      `${member.table} of backup ${request.manifest.backupId} has ${copy.rowCount} rows instead of ${member.rows}; choose another backup`,
    );
};

/** Every row must be this tenant's, whatever the archive claims to be. */
const refuseForeign = async (client: ClientBase, tenantId: string, { name, staged }: Target): Promise<void> => {
  const { rows } = await client.query<{ rows: string }>(
    `SELECT count(*) AS rows FROM ${staged} WHERE tenant_id IS DISTINCT FROM $1`,
    [tenantId],
  );
  if (rows[0]?.rows === '0') return;
  throw new StepFailure(
    'ForeignRows',
    `${rows[0]?.rows} rows of ${name} in the archive are not of tenant ${tenantId}; nothing was restored, report this backup`,
  );
};

/** Only text-v1 holds between major versions of the server. */
const canCompare = async (client: ClientBase, { members }: Target, manifest: Manifest): Promise<boolean> => {
  if (members[0]?.algorithm === 'text-v1') return true;
  const { rows } = await client.query<{ server_version_num: string }>('SHOW server_version_num');
  const major = Math.floor(Number(rows[0]?.server_version_num) / 10_000);
  return Number.parseInt(manifest.postgresVersion, 10) === major;
};

/**
 * Compares with the manifest's digest where the types in which it was taken still exist and the server is of the same major
 * version; answers the digest where it is one of the kind that the registry keeps. Elsewhere the count of rows and the SHA-256
 * of the member, checked while it was read, must do.
 */
const refuseDamaged = async (
  client: ClientBase,
  target: Target,
  manifest: Manifest,
): Promise<RowsDigest | undefined> => {
  const { name, staged, members } = target;
  const loaded = target.columns.filter((column) => members[0]?.columns.includes(column.name));
  if (members.length === 0 || loaded.some(({ provable }) => !provable)) return undefined;
  if (!(await canCompare(client, target, manifest))) return undefined;
  const columns = loaded.map((column) => ({ name: column.name, type: column.held }));
  const { expected, found, algorithm } = await membersDigest(client, { staged, columns, members });
  if (expected === found.digest) return algorithm === quickDigest ? found : undefined;
  throw new StepFailure(
    'ArchiveDamaged',
    `${name} of backup ${manifest.backupId} has digest ${found.digest} instead of ${expected}; choose another backup`,
  );
};

const keepChosenRows = async (
  client: ClientBase,
  { restore, manifest }: StageRequest,
  target: Target,
): Promise<void> => {
  if (!restore.rows) return;
  const chosen = parseRows(restore.rows, target.table);
  const asked =
    chosen.kind === 'where' ? chosen.conditions.map(({ column }) => column) : chosen.columns.map(({ name }) => name);
  const unknown = asked.filter((column) => !target.columns.some(({ name }) => name === column));
  if (unknown.length > 0)
    throw new StepFailure(
      'RestoreRefused',
      `rows: backup ${manifest.backupId} has no ${unknown.join(', ')} in ${target.name}; choose rows by a column that it has`,
    );
  const filter = filterSql(chosen, 's', 1);
  await client.query(`DELETE FROM ${target.staged} s WHERE (${filter.sql}) IS NOT TRUE`, [...filter.values]);
  const left = await client.query(`SELECT FROM ${target.staged} LIMIT 1`);
  if (left.rowCount === 0)
    throw new StepFailure(
      'RestoreRefused',
      `no row of ${target.name} in backup ${manifest.backupId} of ${manifest.takenAt} is meant by ${JSON.stringify(restore.rows)}; choose another backup or other rows`,
    );
};

/**
 * COPY text of the tables that one transaction loads: a commit for each step of each table is most of the time of a small
 * tenant, and a transaction that lasts as long as a large one's load holds back vacuum and new replication slots.
 */
const loadedAtOnce = 64 * 1024 * 1024;

/** What a plan needs is how many rows there are and how often a key repeats: the usual 30,000 cost 22 ms for 20,000 messages. */
const sampledRows = 3_000;

/** The tables in their order, as many together as may be loaded at once; a larger one alone. */
const batchesOf = (targets: readonly Target[]): Target[][] => {
  const batches: Target[][] = [];
  for (const target of targets) {
    const last = batches.at(-1);
    if (last && bytesOf([...last, target]) <= loadedAtOnce) last.push(target);
    else batches.push([target]);
  }
  return batches;
};

const fill = async (client: ClientBase, request: StageRequest): Promise<Staged> => {
  const { restore, manifest } = request;
  const scope = await request.readScope(client);
  const targets = await targetsOf(client, restore, manifest, scope);
  await dropSchemas(client, [restore.stagingSchema]);
  await client.query(`CREATE SCHEMA ${ident(restore.stagingSchema)}`);
  const known = new Map<string, RowsDigest>();
  for (const batch of batchesOf(targets))
    await asTenant(client, restore.tenantId, async () => {
      await createStaged(client, batch);
      for (const target of batch) {
        for (const member of target.members) await loadMember(client, target, member, request, scope);
        await refuseForeign(client, restore.tenantId, target);
        const digest = await refuseDamaged(client, target, manifest);
        const stays = !restore.rows && target.columns.every(({ held, type }) => held === type);
        if (digest && stays) known.set(target.name, digest);
        await convertStaged(client, target, manifest, scope);
        await keepChosenRows(client, request, target);
      }
      await client.query(`SET LOCAL default_statistics_target = ${sampledRows / 300}`);
      await client.query(`ANALYZE ${batch.map(({ staged }) => staged).join(', ')}`);
    });
  const tables = await asTenant(client, restore.tenantId, () => stagedTables(client, restore, known));
  return {
    tables,
    rows: tables.reduce((sum, { rows }) => sum + rows, 0),
    bytes: bytesOf(targets),
  };
};

/**
 * Loads the chosen tables of an archive into the restore's own schema and proves that they are what the manifest says and
 * nobody else's. Live tables are not touched. Safe to repeat: it starts from an empty schema, and ends a forgotten attempt.
 * Throws ArchiveDamaged, ForeignRows, RestoreRefused (rows do not fit today's schema, or none is meant).
 */
export const stageRestore = async (client: ClientBase, request: StageRequest): Promise<Staged> => {
  const { restore, manifest } = request;
  if (manifest.tenantId !== restore.tenantId)
    throw new StepFailure(
      'ForeignRows',
      `backup ${manifest.backupId} is of tenant ${manifest.tenantId}, not of ${restore.tenantId}; nothing was restored`,
    );
  return asOnlyStager(client, restore.id, () => fill(client, request));
};
