import { constants } from 'node:fs';
import { chmod, chown, copyFile, lstat, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { serverAccount } from '../postgres/account.ts';

/**
 * What a copy of a running server leaves out (PostgreSQL manual, 26.3.3 "Making a Base Backup Using the Low Level API"): files
 * of this very process, slots (a copy that held one would keep log for nobody), the log itself and what is rebuilt at start.
 */
const emptied = new Set([
  'pg_wal',
  'pg_replslot',
  'pg_dynshmem',
  'pg_notify',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
]);
const skipped = /^(postmaster\.(pid|opts)|backup_label(\.old)?|tablespace_map(\.old)?|pg_internal\.init)$|^pgsql_tmp/;

const isGone = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** Gives a copied file or directory to the server's account: PostgreSQL refuses data that is another's. */
export const handOver = async (path: string): Promise<void> => {
  const account = serverAccount();
  if (account) await chown(path, account.uid, account.gid);
};

const copyOne = async (from: string, to: string): Promise<void> => {
  await copyFile(from, to, constants.COPYFILE_FICLONE);
  await handOver(to);
};

interface Copying {
  /** True for names that stay behind; `top` is set for those directly in the data directory. */
  readonly leave: (name: string, top: boolean) => 'whole' | 'content' | undefined;
  readonly signal: AbortSignal;
}

const copyTree = async (from: string, to: string, copying: Copying, top: boolean): Promise<void> => {
  copying.signal.throwIfAborted();
  await mkdir(to, { mode: 0o700, recursive: true });
  await chmod(to, 0o700);
  await handOver(to);
  const entries = await readdir(from, { withFileTypes: true });
  await Promise.all(
    entries.map(async (entry) => {
      const left = copying.leave(entry.name, top);
      if (left === 'whole' || !(entry.isDirectory() || entry.isFile())) return;
      const [source, target] = [join(from, entry.name), join(to, entry.name)];
      try {
        if (entry.isFile()) await copyOne(source, target);
        else if (left === 'content') await handOver((await mkdir(target, { mode: 0o700, recursive: true })) ?? target);
        else await copyTree(source, target, copying, false);
      } catch (error) {
        // A running server drops files while they are copied; its log says so again to whoever restores.
        if (!isGone(error) || (await lstat(source).catch(() => undefined))) throw error;
      }
    }),
  );
};

/** Copies the data directory of a running server between `pg_backup_start` and `pg_backup_stop`. */
export const copyRunning = (from: string, to: string, signal: AbortSignal): Promise<void> =>
  copyTree(
    from,
    to,
    {
      signal,
      leave: (name, top) => (skipped.test(name) ? 'whole' : top && emptied.has(name) ? 'content' : undefined),
    },
    true,
  );

/** Copies the data directory of a stopped server, or a finished snapshot: everything, but not its slots. */
export const copyResting = (from: string, to: string, signal: AbortSignal): Promise<void> =>
  copyTree(
    from,
    to,
    {
      signal,
      leave: (name, top) =>
        /^postmaster\.(pid|opts)$/.test(name) ? 'whole' : top && name === 'pg_replslot' ? 'content' : undefined,
    },
    true,
  );

/** Copies the named files of one directory into another that exists. */
export const copyFiles = async (from: string, to: string, names: readonly string[]): Promise<void> => {
  for (const name of names) await copyOne(join(from, name), join(to, name));
};
