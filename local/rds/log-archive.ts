import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** A path as one word of a command in which PostgreSQL replaces `%` and a shell reads the rest. */
const shellWord = (path: string): string => `'${path.replaceAll("'", "'\\''").replaceAll('%', '%%')}'`;

/**
 * Archives a finished file of the log, 16 MiB, compressed: one that was switched early is nearly empty and takes 16 KiB. Under
 * its name it is whole; a repeat after a crash writes the same again.
 */
export const archiveCommand = (directory: string): string => {
  const to = shellWord(directory);
  return `gzip -1 -c < "%p" > ${to}/%f.half && mv ${to}/%f.half ${to}/%f.gz`;
};

/** Brings an archived file back; fails when there is none, which tells PostgreSQL that the log ends here. */
export const restoreCommand = (directory: string): string => {
  const from = `${shellWord(directory)}/%f.gz`;
  return `test -f ${from} && gzip -dc < ${from} > "%p"`;
};

export const isArchived = (directory: string, file: string): boolean => existsSync(join(directory, `${file}.gz`));

/** Removes what no restore needs: files before the first one of the oldest snapshot. The timeline, 8 digits, does not count. */
export const pruneArchive = async (directory: string, firstNeeded: string): Promise<void> => {
  for (const name of await readdir(directory))
    if (/^[0-9A-F]{24}\b/.test(name) && name.slice(8, 24) < firstNeeded.slice(8))
      await rm(join(directory, name), { force: true });
};
