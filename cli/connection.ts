import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { reachableHome } from '../local/postgres.ts';
import { CommandFailure, exitCodes, Unreachable } from './exit-codes.ts';

/** What a running local cloud writes about itself into its data directory. */
export interface CloudFile {
  readonly pid: number;
  readonly port: number;
  readonly endpoint: string;
  readonly token: string;
  readonly region: string;
  readonly accountId: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly postgres: { readonly host: string; readonly port: number };
  readonly startedAt: string;
}

export const projectRoot = resolve(import.meta.dirname, '..');

/** The data directory: TENANTRY_HOME, else `.tenantry` in the project, or below /var/tmp where PostgreSQL could not enter that. */
export const home = (): string => resolve(process.env.TENANTRY_HOME ?? reachableHome(projectRoot));

export const cloudFile = (): CloudFile | undefined => {
  const file = join(home(), 'cloud.json');
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as CloudFile;
  } catch (error) {
    const denied = (error as NodeJS.ErrnoException).code === 'EACCES';
    throw new CommandFailure(
      denied ? exitCodes.forbidden : exitCodes.executionFailed,
      denied
        ? `${file} belongs to another user; run as that user, or set TENANTRY_HOME to a data directory of your own`
        : `${file} cannot be read (${(error as Error).message}); remove it, then start the cloud again: npm start`,
    );
  }
};

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/** The cloud file of a cloud that runs now, or undefined. */
export const runningCloud = (): CloudFile | undefined => {
  const cloud = cloudFile();
  return cloud && isAlive(cloud.pid) ? cloud : undefined;
};

/** A tenant's URL as this laptop serves it: the registry knows the name, the port is that of this run. */
export const localUrl = (url: string, port: number): string => {
  const parsed = new URL(url);
  if (!parsed.hostname.endsWith('.localhost') || parsed.port !== '') return url;
  parsed.port = String(port);
  return parsed.href.replace(/\/$/, '');
};

/** The running cloud; a clear refusal where there is none. */
export const connectedCloud = (): CloudFile => {
  const cloud = runningCloud();
  if (!cloud)
    throw new Unreachable(
      exitCodes.notFound,
      `no local cloud runs on ${home()}; start one: npm start (or npx tenantry up --detach)`,
    );
  return cloud;
};
