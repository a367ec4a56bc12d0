import type pg from 'pg';
import type { BrokenReference } from '../../domain/restore-report.ts';
import { leavesOf, type Scope, tableName } from '../../domain/scope.ts';
import { readColumns, type StoredColumn } from '../catalog/read-columns.ts';
import { type DigestAlgorithm, digestLeaf, exactText, quickDigest } from '../dump/digest.ts';
import { identPath } from '../postgres/identifier.ts';
import { findBroken } from '../restore/references.ts';
import { awaitBarrier, awaitCaughtUp } from './catch-up.ts';
import type { MoveRequest } from './copy.ts';
import { raiseFence, reopen } from './fence.ts';
import { enterStep } from './record.ts';
import { freezeSchemas } from './schema.ts';
import { endSessions, openSession, withSessions } from './side.ts';

export interface VerifiedTable {
  /** `schema.table` of the table or leaf. */
  readonly table: string;
  readonly sourceRows: number;
  readonly targetRows: number;
  readonly equal: boolean;
}

export interface Verification {
  readonly equal: boolean;
  readonly algorithm: DigestAlgorithm;
  readonly rows: number;
  readonly tables: readonly VerifiedTable[];
  /** Rows of the copy that refer to rows which are not there; PostgreSQL checks no key while it replicates. */
  readonly orphans: readonly BrokenReference[];
  readonly ms: number;
}

/** Opens the snapshot that a comparison reads, and keeps it: one message, whose last statement takes it. */
export const holdSnapshot = async (client: pg.ClientBase): Promise<void> => {
  await client.query(
    `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${exactText}; SET LOCAL row_security = off; SELECT FROM tenantry.barriers LIMIT 1`,
  );
};

export interface Comparison {
  /** The columns of every leaf, read before the fence. */
  readonly scope: Scope;
  readonly columns: ReadonlyMap<string, readonly StoredColumn[]>;
  readonly algorithm: DigestAlgorithm;
}

const majorOf = async (client: pg.ClientBase): Promise<number> => {
  const { rows } = await client.query<{ number: string }>(`SELECT current_setting('server_version_num') AS number`);
  return Math.floor(Number(rows[0]?.number) / 10_000);
};

/**
 * What will be compared, and how: internal hashes hold within one major version only. The schemas stay as they are while the
 * sessions last. FenceTimeout, MoveRefused (schemas that differ).
 */
export const planComparison = async (
  source: pg.ClientBase,
  target: pg.ClientBase,
  tenantId: string,
): Promise<Comparison> => {
  const scope = await freezeSchemas({ source, target }, tenantId);
  const columns = await readColumns(source, scope.tables.flatMap(leavesOf));
  const same = (await majorOf(source)) === (await majorOf(target));
  return { scope, columns, algorithm: same ? quickDigest : 'text-v1' };
};

/** Rows and digest of one tenant in one leaf, in the snapshot that the client holds. */
const look = async (
  client: pg.ClientBase,
  { path, columns }: { path: string; columns: readonly StoredColumn[] },
  tenantId: string,
  algorithm: DigestAlgorithm,
): Promise<{ rows: number; digest: string }> => {
  const [found] = await digestLeaf(client, { path, columns }, [tenantId], algorithm);
  return { rows: found?.rows ?? 0, digest: found?.digest ?? '0' };
};

/**
 * Exact counts and digests of every table and leaf, and every foreign key of the copy, in two snapshots that are held. Reads
 * both sides at once; ends neither snapshot.
 */
export const compareHeld = async (
  { source, target }: { readonly source: pg.ClientBase; readonly target: pg.ClientBase },
  tenantId: string,
  { scope, columns, algorithm }: Comparison,
  signal?: AbortSignal,
): Promise<Verification> => {
  const start = performance.now();
  const tables: VerifiedTable[] = [];
  for (const path of scope.tables.flatMap(leavesOf)) {
    signal?.throwIfAborted();
    const leaf = { path, columns: columns.get(path) ?? [] };
    const [a, b] = await Promise.all([
      look(source, leaf, tenantId, algorithm),
      look(target, leaf, tenantId, algorithm),
    ]);
    tables.push({
      table: path,
      sourceRows: a.rows,
      targetRows: b.rows,
      equal: a.rows === b.rows && a.digest === b.digest,
    });
  }
  const all = scope.tables.map(tableName);
  const orphans = await findBroken(target, {
    scope,
    tenantId,
    restored: all,
    gaining: all,
    losing: all,
    relation: identPath,
  });
  return {
    equal: tables.every(({ equal }) => equal) && orphans.length === 0,
    algorithm,
    rows: tables.reduce((sum, { sourceRows }) => sum + sourceRows, 0),
    tables,
    orphans,
    ms: Math.round(performance.now() - start),
  };
};

/** What differs, as one sentence for an operator. */
export const describeDifferences = ({ tables, orphans }: Verification): string =>
  [
    ...tables
      .filter(({ equal }) => !equal)
      .map(
        ({ table, sourceRows, targetRows }) =>
          `${table} has ${sourceRows} rows on the source and ${targetRows} on the target`,
      ),
    ...orphans.map(({ table, key, rows }) => `${rows} rows of ${table} refer to nothing (${key})`),
  ].join('; ');

/** Milliseconds for the barrier of the second fence: the way back has had time to catch up. */
const barrierMs = 2_000;
const fenceMs = 10_000;
const catchUpMs = 60_000;

/**
 * The comparison of a switch whose held snapshot was lost with its process: a second short fence, this time on the target,
 * whose barrier travels over the way back; both snapshots are taken inside it, the comparison follows while the tenant writes.
 * MoveRefused unless `startWayBack` ran; FenceTimeout when the way back is behind or a long transaction is open.
 */
export const verifyCopy = (request: MoveRequest): Promise<Verification> =>
  withSessions(request, request.move, async (sessions) => {
    const { move, signal } = request;
    await enterStep(sessions, move, 'verifyCopy');
    const plan = await planComparison(sessions.source, sessions.target, move.tenantId);
    await awaitCaughtUp({ publisher: sessions.target, subscriber: sessions.source }, move, 'back', catchUpMs, signal);
    const held = await Promise.all([openSession(request.source), openSession(request.target)]);
    const [source, target] = held;
    try {
      const epoch = await raiseFence(sessions.target, { move, phase: 'switched', deadlineMs: fenceMs });
      try {
        await awaitBarrier(sessions.source, move, epoch, barrierMs);
        await Promise.all([holdSnapshot(source), holdSnapshot(target)]);
      } finally {
        await reopen(sessions.target, move, epoch);
      }
      return await compareHeld({ source, target }, move.tenantId, plan, signal);
    } finally {
      await endSessions(held);
    }
  });
