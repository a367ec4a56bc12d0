import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { type Mutant, mutants } from './mutants.ts';

/**
 * `npm run test:mutants [-- part of a name]`: takes one guard after another out of a copy of the project and runs the tests that
 * have to notice. A mutant that no test notices makes the run fail. Seconds each; nothing is changed in the project itself.
 */
const root = resolve(import.meta.dirname, '../..');
const [wanted = ''] = process.argv.slice(2);

const files = (): string[] => {
  const { stdout } = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  return stdout.split('\0').filter((name) => name !== '');
};

const copyProject = (): string => {
  const copy = mkdtempSync(join(tmpdir(), 'tenantry-mutants-'));
  for (const file of files()) {
    mkdirSync(join(copy, dirname(file)), { recursive: true });
    cpSync(join(root, file), join(copy, file));
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
};

/** The mutated text; throws when the guard is not found exactly once: then the mutant is out of date. */
const mutate = (text: string, { name, file, find, replace }: Mutant): string => {
  const places = text.split(find).length - 1;
  if (places !== 1)
    throw new Error(`mutant "${name}": ${file} has its text ${places} times; bring the mutant up to date`);
  return text.replace(find, () => replace);
};

/** Whether the tests notice: vitest fails with 1, and with anything else it did not run. */
const isNoticed = (copy: string, { tests }: Mutant): boolean => {
  const run = spawnSync(join(copy, 'node_modules', '.bin', 'vitest'), ['run', '--bail', '1', ...tests], {
    cwd: copy,
    encoding: 'utf8',
    env: { ...process.env, CI: '' },
  });
  if (run.status !== 0 && run.status !== 1)
    throw new Error(`vitest ended with ${run.status}: ${run.stderr.slice(-2_000)}`);
  if (!/Tests .*(passed|failed)/.test(run.stdout)) throw new Error(`vitest ran no test: ${run.stdout.slice(-2_000)}`);
  return run.status === 1;
};

const copy = copyProject();
let survivors = 0;
try {
  for (const mutant of mutants.filter(({ name }) => name.includes(wanted))) {
    const path = join(copy, mutant.file);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, mutate(text, mutant));
    const started = performance.now();
    const noticed = isNoticed(copy, mutant);
    writeFileSync(path, text);
    if (!noticed) survivors += 1;
    const seconds = ((performance.now() - started) / 1_000).toFixed(0);
    console.log(`${noticed ? 'noticed ' : 'SURVIVED'}  ${seconds.padStart(3)} s  ${mutant.name}`);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
if (survivors > 0) {
  console.error(`${survivors} guards can be removed without a test that fails`);
  process.exitCode = 1;
}
