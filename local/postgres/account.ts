import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** The account that a server runs under. PostgreSQL refuses to run as root, so root hands over to `nobody`. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

const nobody: Account = { uid: 65534, gid: 65534 };

/** `nobody` when this process is root, else undefined: the server then runs as the user who started us. */
export const serverAccount = (): Account | undefined => (process.getuid?.() === 0 ? nobody : undefined);

/** True when `account` may enter the directory `path` itself (mode bits of that one directory; ACLs are not read). */
const mayEnter = (path: string, account: Account): boolean => {
  const { mode, uid, gid } = statSync(path);
  if (uid === account.uid) return (mode & 0o100) !== 0;
  if (gid === account.gid) return (mode & 0o010) !== 0;
  return (mode & 0o001) !== 0;
};

/** The topmost directory on the way to `path` (itself included when it exists) that `account` may not enter. */
export const barrier = (path: string, account: Account | undefined): string | undefined => {
  if (account === undefined) return undefined;
  const steps: string[] = [];
  for (let step = resolve(path); ; step = dirname(step)) {
    steps.unshift(step);
    if (step === dirname(step)) break;
  }
  return steps.find((step) => existsSync(step) && !mayEnter(step, account));
};
