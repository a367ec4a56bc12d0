import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { taskEntry } from '../domain/task-steps.ts';

const root = resolve(import.meta.dirname, '..');

/** Room -> what its files may import: other rooms, and packages (null: any). */
const law: Readonly<
  Record<
    string,
    {
      rooms: readonly string[];
      packages: readonly RegExp[] | null;
      /** Folders of rooms that may not be imported as a whole. */
      folders?: readonly string[];
      /** Files at the root that may be imported. */
      files?: readonly string[];
    }
  >
> = {
  domain: { rooms: [], packages: [/^zod$/], files: ['tenantry.config.ts'] },
  adapters: { rooms: ['domain'], packages: [/^@aws-sdk\//, /^@smithy\//, /^pg/, /^node:/, /^zod$/, /^js-yaml$/] },
  lambdas: {
    rooms: ['domain', 'adapters'],
    packages: [
      /^@middy\//,
      /^@aws-lambda-powertools\//,
      /^zod$/,
      /^hono/,
      /^node:/,
      /^pg$/,
      /^aws-lambda$/,
      /^@aws-sdk\//,
    ],
  },
  lib: { rooms: ['domain'], packages: [/^aws-cdk-lib/, /^constructs$/, /^cdk-nag$/, /^node:/] },
  'app-kit': { rooms: ['domain'], packages: [/^pg$/, /^node:/, /^zod$/, /^@aws-sdk\/client-secrets-manager$/] },
  'sample-app': { rooms: ['app-kit'], packages: [/^hono/, /^@hono\//, /^node:/, /^pg/, /^zod$/] },
  local: { rooms: ['domain'], packages: null },
  cli: { rooms: ['domain', 'local'], folders: ['adapters/catalog'], packages: [/^commander$/, /^node:/] },
  'state-machines': { rooms: ['domain', 'local'], packages: null },
};

const filesOf = (room: string): string[] =>
  readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(root, room, file));

const importsOf = (file: string): string[] =>
  [
    ...readFileSync(file, 'utf8').matchAll(
      /^(?:(?:import|export) .*|\}) from '([^']+)';$|^import '([^']+)';$|\bimport\('([^']+)'\)/gm,
    ),
  ].map(([, from, bare, dynamic]) => (from ?? bare ?? dynamic)!);

const roomOf = (file: string): string => relative(root, file).split('/')[0]!;

for (const [room, allowed] of Object.entries(law)) {
  test(`${room} imports only what the law of the house allows`, () => {
    const files = filesOf(room);
    expect(files.length).toBeGreaterThan(0);
    const broken = files.flatMap((file) =>
      importsOf(file)
        .filter((name) => {
          if (!name.startsWith('.'))
            return allowed.packages !== null && !allowed.packages.some((rule) => rule.test(name));
          const path = resolve(dirname(file), name);
          const target = roomOf(path);
          if (allowed.folders?.includes(relative(root, dirname(path)))) return false;
          if (allowed.files?.includes(relative(root, path))) return false;
          return target !== room && !allowed.rooms.includes(target);
        })
        .map((name) => `${relative(root, file)} imports ${name}`),
    );
    expect(broken).toEqual([]);
  });
}

test('the configuration imports the definition of its form and nothing else', () => {
  expect(importsOf(join(root, 'tenantry.config.ts'))).toEqual(['./domain/configuration.ts']);
});

test('a workflow of the lambdas imports no other workflow, only its own folder and step.ts', () => {
  // The program that runs steps as container tasks is no workflow: it names the steps that it runs.
  const runner = join(root, taskEntry);
  const workflows = filesOf('lambdas').filter((file) => file !== runner);
  const broken = workflows.flatMap((file) =>
    importsOf(file)
      .filter((name) => name.startsWith('.'))
      .map((name) => relative(join(root, 'lambdas'), resolve(dirname(file), name)))
      .filter((target) => !target.startsWith('..') && target !== 'step.ts')
      .filter((target) => {
        const own = relative(join(root, 'lambdas'), file);
        const folder = own.includes('/') ? own.split('/')[0] : own.replace(/\.ts$/, '');
        return target.split('/')[0] !== folder;
      })
      .map((target) => `${relative(root, file)} imports lambdas/${target}`),
  );
  expect(broken).toEqual([]);
});

test('no room is called utils, helpers, common or misc, and nothing is exported by default', () => {
  const all = Object.keys(law).flatMap(filesOf);
  expect(all.filter((file) => /(^|\/)(utils?|helpers?|common|misc)(\/|\.ts$)/.test(relative(root, file)))).toEqual([]);
  expect(all.filter((file) => /^export default /m.test(readFileSync(file, 'utf8')))).toEqual([]);
});
