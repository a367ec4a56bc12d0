import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { home, isAlive } from './connection.ts';
import { CommandFailure, exitCodes } from './exit-codes.ts';

const create = (file: string): boolean => {
  try {
    const descriptor = openSync(file, 'wx', 0o600);
    writeSync(descriptor, String(process.pid));
    closeSync(descriptor);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  }
};

const holderOf = (file: string): number => {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return 0;
  }
};

/**
 * Lets one process at a time start a cloud on the data directory: two would make the same PostgreSQL cluster and break each
 * other (seen: both failed in initdb). Answers the release. What a killed `up` left is taken over.
 * @throws CommandFailure conflict, naming the process that starts one.
 */
export const lockStart = (): (() => void) => {
  const file = join(home(), 'up.lock');
  if (!create(file)) {
    const holder = holderOf(file);
    if (holder > 0 && holder !== process.pid && isAlive(holder))
      throw new CommandFailure(
        exitCodes.conflict,
        `process ${holder} starts a local cloud on ${home()} already; look in a few seconds: npx tenantry status`,
      );
    rmSync(file, { force: true });
    if (!create(file))
      throw new CommandFailure(exitCodes.conflict, `another process starts a local cloud on ${home()} already`);
  }
  return () => rmSync(file, { force: true });
};
