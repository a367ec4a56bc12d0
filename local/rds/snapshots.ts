import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from 'pg';
import { copyFiles, copyResting, copyRunning, handOver } from './copy.ts';

export interface Copied {
  readonly consistentAt: number;
  readonly firstWal: string | undefined;
}

const single = async <Row extends object>(client: Client, text: string, values: unknown[] = []): Promise<Row> =>
  (await client.query<Row & Record<string, unknown>>(text, values)).rows[0]!;

/** The log from the start to the stop of the copy, without which it is not consistent, and the histories of timelines. */
const neededLog = (names: readonly string[], first: string, last: string): string[] =>
  names.filter((name) => /\.history$/.test(name) || (/^[0-9A-F]{24}$/.test(name) && name >= first && name <= last));

const writeOwned = async (path: string, content: string): Promise<void> => {
  await writeFile(path, content, { mode: 0o600 });
  await handOver(path);
};

/**
 * A base backup over SQL: there is no pg_basebackup among the programs from npm. A temporary slot keeps the log of its duration,
 * which goes into the copy, so that it starts by itself. PostgreSQL manual, 26.3.3.
 */
const copyLive = async (client: Client, data: string, copy: string, signal: AbortSignal): Promise<Copied> => {
  const slot = `rds_backup_${randomBytes(6).toString('hex')}`;
  await client.query('SELECT pg_create_physical_replication_slot($1, true, true)', [slot]);
  try {
    const { first } = await single<{ first: string }>(
      client,
      'SELECT pg_walfile_name(pg_backup_start($1, true)) AS first',
      [slot],
    );
    await copyRunning(data, copy, signal);
    const stopped = await single<{ label: string; map: string | null; last: string; at: Date }>(
      client,
      `SELECT labelfile AS label, spcmapfile AS map, pg_walfile_name(lsn) AS last, clock_timestamp() AS at
         FROM pg_backup_stop(false)`,
    );
    await writeOwned(join(copy, 'backup_label'), stopped.label);
    if (stopped.map) await writeOwned(join(copy, 'tablespace_map'), stopped.map);
    const log = join(data, 'pg_wal');
    await copyFiles(log, join(copy, 'pg_wal'), neededLog(await readdir(log), first, stopped.last));
    // The log's clock is finer than ours: the next millisecond is surely behind the end of the copy.
    return { consistentAt: stopped.at.getTime() + 1, firstWal: first };
  } finally {
    await client.query('SELECT pg_drop_replication_slot($1)', [slot]).catch(() => undefined);
  }
};

/**
 * Copies an instance's directory into a snapshot's, which appears whole or not at all. With a connection (of a superuser) the
 * server may run and be written to; without one it must be stopped.
 */
export const takeSnapshot = async (options: {
  instance: string;
  snapshot: string;
  client: Client | undefined;
  signal: AbortSignal;
}): Promise<Copied> => {
  const { instance, snapshot, client, signal } = options;
  const half = `${snapshot}.half`;
  for (const leftover of [half, snapshot]) await rm(leftover, { recursive: true, force: true });
  await mkdir(half, { recursive: true, mode: 0o711 });
  const data = join(instance, 'data');
  const copied = client
    ? await copyLive(client, data, join(half, 'data'), signal)
    : await copyResting(data, join(half, 'data'), signal).then(() => ({
        consistentAt: Date.now(),
        firstWal: undefined,
      }));
  await copyFile(join(instance, 'server.json'), join(half, 'server.json'));
  await rename(half, snapshot);
  return copied;
};

/** Lays a snapshot down as the directory of a new instance, in place of whatever an attempt before has left there. */
export const layDown = async (options: { snapshot: string; instance: string; signal: AbortSignal }): Promise<void> => {
  const { snapshot, instance, signal } = options;
  if (!existsSync(snapshot)) throw new Error(`${snapshot} is gone; the snapshot cannot be restored`);
  await rm(instance, { recursive: true, force: true });
  await mkdir(instance, { recursive: true, mode: 0o711 });
  await copyResting(join(snapshot, 'data'), join(instance, 'data'), signal);
  await copyFile(join(snapshot, 'server.json'), join(instance, 'server.json'));
};
