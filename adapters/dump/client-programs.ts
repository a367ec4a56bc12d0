import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** pg_dump and pg_restore of one installation. */
export interface ClientPrograms {
  readonly dump: string;
  readonly restore: string;
  readonly major: number;
}

const majorOf = async (program: string): Promise<number | undefined> => {
  try {
    await access(program, constants.X_OK);
    const { stdout } = await run(program, ['--version'], { env: {}, timeout: 10_000 });
    const major = /(\d+)(?:\.\d+|\w*)/.exec(stdout.replace(/^[^(]*\([^)]*\)/, ''))?.[1];
    return major === undefined ? undefined : Number(major);
  } catch {
    return undefined;
  }
};

/**
 * The first pg_dump that may dump a server of that major version (its own must not be older), in the directory
 * TENANTRY_PG_BIN, or else on the PATH. Undefined when there is none: then archives have no toc.dat.
 */
export const findClientPrograms = async (
  serverMajor: number,
  env: NodeJS.ProcessEnv = process.env,
): Promise<ClientPrograms | undefined> => {
  const directories = env.TENANTRY_PG_BIN ? [env.TENANTRY_PG_BIN] : (env.PATH ?? '').split(delimiter).filter(Boolean);
  for (const directory of directories) {
    const [dump, restore] = [join(directory, 'pg_dump'), join(directory, 'pg_restore')];
    const [major, restoreMajor] = await Promise.all([majorOf(dump), majorOf(restore)]);
    if (major !== undefined && major >= serverMajor && restoreMajor === major) return { dump, restore, major };
  }
  return undefined;
};

/** Runs a program with arguments as a list and nothing of our environment but what is given; throws with its own words. */
export const runProgram = async (
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<string> => {
  try {
    const { stdout } = await run(program, [...args], {
      env: { ...env, LC_ALL: 'C' },
      maxBuffer: 64 * 1024 * 1024,
      ...(signal ? { signal } : {}),
    });
    return stdout;
  } catch (error) {
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    throw new Error(`${program} failed: ${stderr || String(error)}`, { cause: error });
  }
};
