import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, lstatSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findBinaries } from '../../../local/postgres/binaries.ts';

const asRoot = process.getuid?.() === 0;

const temporary = async (): Promise<string> => {
  const directory = await mkdtemp(join(tmpdir(), 'tenantry-postgres-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
};

test('library links that npm left out are made again', async () => {
  const directory = await temporary();
  chmodSync(directory, 0o755);
  const found = findBinaries(directory, undefined);
  const native = join(found.postgres, '..', '..');
  const copy = join(directory, 'package', 'native');
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  for (const name of readdirSync(join(copy, 'lib'))) {
    const path = join(copy, 'lib', name);
    if (lstatSync(path).isSymbolicLink()) rmSync(path);
  }
  const postgres = join(copy, 'bin', 'postgres');
  expect(() => execFileSync(postgres, ['--version'], { stdio: 'pipe' })).toThrow();
  expect(findBinaries(directory, undefined, copy)).toEqual({
    postgres,
    initdb: join(copy, 'bin', 'initdb'),
    environment: {},
  });
  expect(execFileSync(postgres, ['--version'], { encoding: 'utf8' })).toContain('PostgreSQL');
});

test.runIf(asRoot)('library links find another place when node_modules cannot be written', async () => {
  const directory = await temporary();
  chmodSync(directory, 0o755);
  const native = join(directory, 'package', 'native');
  cpSync(join(findBinaries(directory, undefined).postgres, '..', '..'), native, {
    recursive: true,
    verbatimSymlinks: true,
  });
  for (const name of readdirSync(join(native, 'lib'))) {
    const path = join(native, 'lib', name);
    if (lstatSync(path).isSymbolicLink()) rmSync(path);
  }
  const home = join(directory, 'home');
  mkdirSync(home, { mode: 0o777 });
  chmodSync(home, 0o777);
  const program = `
    const { findBinaries } = await import(${JSON.stringify(new URL('../../../local/postgres/binaries.ts', import.meta.url).href)});
    const { postgres, environment } = findBinaries(${JSON.stringify(home)}, undefined, ${JSON.stringify(native)});
    const { execFileSync } = await import('node:child_process');
    process.stdout.write(execFileSync(postgres, ['--version'], { encoding: 'utf8', env: environment }));`;
  const nobody = { uid: 65534, gid: 65534 };
  const run = () =>
    execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8', ...nobody });
  expect(run()).toContain('PostgreSQL');
  expect(run()).toContain('PostgreSQL');
  expect(
    readdirSync(join(native, 'lib')).filter((name) => lstatSync(join(native, 'lib', name)).isSymbolicLink()),
  ).toEqual([]);
});

test.runIf(asRoot)('binaries that nobody cannot reach are copied next to the data, once', async () => {
  const directory = await temporary();
  chmodSync(directory, 0o755);
  const closed = join(directory, 'closed');
  const native = join(findBinaries(directory, undefined).postgres, '..', '..');
  cpSync(native, join(closed, 'native'), { recursive: true, verbatimSymlinks: true });
  chmodSync(closed, 0o700);
  const account = { uid: 65534, gid: 65534 };
  const found = findBinaries(directory, account, join(closed, 'native'));
  expect(found.postgres.startsWith(closed)).toBe(false);
  expect(execFileSync(found.postgres, ['--version'], { encoding: 'utf8', ...account })).toContain('PostgreSQL');
  const made = statSync(found.postgres).ino;
  expect(statSync(findBinaries(directory, account, join(closed, 'native')).postgres).ino).toBe(made);
});
