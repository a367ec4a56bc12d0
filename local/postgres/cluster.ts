import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Account } from './account.ts';
import type { Binaries } from './binaries.ts';

/** `server.json` beside the data: the superuser's login and the port of the last start. */
export interface ServerFile {
  readonly username: string;
  readonly password: string;
  readonly port?: number;
}

export const readServerFile = (directory: string): ServerFile | undefined => {
  const file = join(directory, 'server.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as ServerFile) : undefined;
};

export const writeServerFile = (directory: string, content: ServerFile): void => {
  const file = join(directory, 'server.json');
  writeFileSync(`${file}.new`, JSON.stringify(content), { mode: 0o600 });
  renameSync(`${file}.new`, file);
};

const run = promisify(execFile);

interface ClusterOptions {
  readonly durable: boolean;
  /** Name of the superuser. */
  readonly superuser: string;
}

/**
 * initdb into a side directory that is renamed at the end: a half-made cluster is never taken for a whole one. It takes 0.7 s
 * or more, in which the caller's event loop must go on: everybody's requests pass through it.
 */
export const initialise = async (
  directory: string,
  binaries: Binaries,
  account: Account | undefined,
  { durable, superuser: username }: ClusterOptions,
): Promise<void> => {
  // After kill -9 of an earlier life its initdb still writes for a second: each has a place of its own.
  const attempt = randomBytes(4).toString('hex');
  const half = join(directory, `data.new-${attempt}`);
  const passwordFile = join(directory, `initdb-password-${attempt}`);
  const superuser = { username, password: randomBytes(24).toString('base64url') };
  for (const name of readdirSync(directory).filter((entry) => /^(data\.new|initdb-password)/.test(entry)))
    await rm(join(directory, name), { recursive: true, force: true }).catch(() => undefined);
  mkdirSync(half, { mode: 0o700 });
  writeFileSync(passwordFile, superuser.password, { mode: 0o600 });
  if (account) {
    chownSync(half, account.uid, account.gid);
    chownSync(passwordFile, account.uid, account.gid);
  }
  const args = [
    '-D',
    half,
    '-U',
    superuser.username,
    '--pwfile',
    passwordFile,
    '-A',
    'scram-sha-256',
    '-E',
    'UTF8',
    '--locale=C',
  ];
  try {
    await run(binaries.initdb, durable ? args : [...args, '--no-sync'], {
      ...account,
      cwd: directory,
      env: { PATH: process.env.PATH, ...binaries.environment },
    });
  } catch (cause) {
    const { stdout = '', stderr = '', message } = cause as Error & { stdout?: string; stderr?: string };
    const said = `${stderr}${stdout}`.trim() || message;
    // Containers run under numbers that have no name; PostgreSQL wants one.
    const fix = /could not look up effective user ID/.test(said) ? ' Give that number a line in /etc/passwd.' : '';
    throw new Error(`initdb of ${half} failed: ${said}${fix}`, { cause });
  } finally {
    rmSync(passwordFile, { force: true });
  }
  writeServerFile(directory, superuser);
  renameSync(half, join(directory, 'data'));
};

/** Throws when the programs do not run here, or are of another major version than the data. */
export const checkVersion = (data: string, binaries: Binaries): void => {
  const made = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim();
  const told = spawnSync(binaries.postgres, ['--version'], { env: { ...binaries.environment }, encoding: 'utf8' });
  const version = /(\d+)(?:\.\d+|[a-z])/.exec(told.stdout)?.[1];
  if (told.error === undefined && told.status === 0 && version === made) return;
  throw new Error(
    told.error || told.status !== 0
      ? `${binaries.postgres} does not run: ${told.error?.message ?? told.stderr.trim()}`
      : `${data} was made by PostgreSQL ${made}, but ${binaries.postgres} is version ${version}. Set TENANTRY_PG_BIN to a PostgreSQL ${made}, or remove the directory to start empty.`,
  );
};
