import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { bundleHandlers } from '../../../local/lambda/bundle.ts';
import { temporary } from '../gateway/endpoint.ts';

const project = async (): Promise<{ root: string; outDirectory: string; entries: string[] }> => {
  const root = await temporary('bundle');
  await writeFile(join(root, 'shared.ts'), 'export const shared: string = "common ground";');
  await writeFile(join(root, 'old.cjs'), 'module.exports = { separator: require("node:path").sep };');
  await writeFile(join(root, 'schema.sql'), 'SELECT 1;');
  await writeFile(
    join(root, 'first.ts'),
    `import { shared } from './shared.ts'; import sql from './schema.sql'; import old from './old.cjs';
     export const handler = async () => [shared, sql, old.separator];`,
  );
  await writeFile(
    join(root, 'second.ts'),
    `import { shared } from './shared.ts'; export const handler = async () => shared;`,
  );
  return { root, outDirectory: join(root, 'out'), entries: ['first.ts', 'second.ts'] };
};

const load = async (file: string | undefined): Promise<unknown> =>
  ((await import(pathToFileURL(file!).href)) as { handler: () => unknown }).handler();

test('handlers run from their bundles and share chunks, with SQL as text and CommonJS inside', async () => {
  const request = await project();
  const files = await bundleHandlers(request);
  expect(await load(files.get('first.ts'))).toEqual(['common ground', 'SELECT 1;', '/']);
  expect(await load(files.get('second.ts'))).toBe('common ground');
  const chunks = await readdir(join(dirname(files.get('first.ts')!), 'chunks'));
  expect(chunks.filter((name) => name.endsWith('.mjs'))).toHaveLength(1);
  expect(existsSync(`${files.get('first.ts')}.map`)).toBe(true);
});

test('a second call answers from the first one while nothing changed, also after a mere touch', async () => {
  const request = await project();
  const files = await bundleHandlers(request);
  await utimes(join(request.root, 'shared.ts'), new Date(), new Date(1_000));
  expect(await bundleHandlers(request)).toEqual(files);
});

test('a change of an imported file, of the entries or of the lock file builds again', async () => {
  const request = await project();
  const first = await bundleHandlers(request);
  await writeFile(join(request.root, 'shared.ts'), 'export const shared: string = "uncommon soil";');
  const second = await bundleHandlers(request);
  expect(await load(second.get('second.ts'))).toBe('uncommon soil');
  await writeFile(join(request.root, 'package-lock.json'), '{}');
  const third = await bundleHandlers(request);
  const fourth = await bundleHandlers({ ...request, entries: ['second.ts'] });
  expect(new Set([first, second, third, fourth].map((files) => files.get('second.ts'))).size).toBe(4);
});

test('builds that are neither recent nor among the newest five are removed', async () => {
  const request = await project();
  for (let build = 0; build < 8; build += 1) {
    await mkdir(join(request.outDirectory, `build-${build}`), { recursive: true });
    await utimes(join(request.outDirectory, `build-${build}`), build, build);
  }
  await mkdir(join(request.outDirectory, 'build-recent'));
  await bundleHandlers(request);
  const kept = (await readdir(request.outDirectory)).filter((name) => /^build-(\d|recent)$/.test(name));
  expect(kept.sort()).toEqual(['build-5', 'build-6', 'build-7', 'build-recent']);
});

test('a lost output or a damaged record builds again', async () => {
  const request = await project();
  const first = await bundleHandlers(request);
  await rm(first.get('first.ts')!);
  const second = await bundleHandlers(request);
  expect(await load(second.get('first.ts'))).toContain('common ground');
  const record = join(request.outDirectory, 'bundle.json');
  await writeFile(record, (await readFile(record, 'utf8')).slice(0, 40));
  const third = await bundleHandlers(request);
  expect(third.get('first.ts')).not.toBe(second.get('first.ts'));
});

test('a handler that does not compile is refused with its place', async () => {
  const request = await project();
  await writeFile(join(request.root, 'second.ts'), 'export const handler = ');
  await expect(bundleHandlers(request)).rejects.toThrow('second.ts:1');
});
