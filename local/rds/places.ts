import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { serverAccount } from '../postgres/account.ts';
import type { Snapshot } from './store.ts';

/** Where instances, their archived log and their snapshots lie below the service's directory. */
export interface Places {
  /** Directory of an instance's server, as `startPostgres` takes it. */
  instance(id: string): string;
  /** Archived log of an instance; the server writes there itself. Made when it is missing. */
  log(id: string): string;
  snapshot(snapshot: Pick<Snapshot, 'id' | 'type'>): string;
}

/** Makes a directory that the server's account owns and nobody else enters. */
export const ownedDirectory = (path: string): string => {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const account = serverAccount();
  if (account) chownSync(path, account.uid, account.gid);
  return path;
};

export const openPlaces = (directory: string): Places => {
  const below = (...names: string[]): string => {
    const path = join(directory, ...names.slice(0, -1));
    mkdirSync(path, { recursive: true });
    // Another account than ours may have to pass through to its own directories, as `startPostgres` has it.
    if (serverAccount()) for (const step of [directory, path]) chmodSync(step, 0o711);
    return join(path, names.at(-1)!);
  };
  return {
    instance: (id) => below('instances', id),
    log: (id) => ownedDirectory(below('log', id)),
    // Automated ones have a colon in their name (`rds:acme-...`), which no manual one may have.
    snapshot: ({ id, type }) => below('snapshots', type, id.replace(':', '-')),
  };
};
