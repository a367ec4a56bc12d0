import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type BackupsContext, expireAutomated } from '../../../local/rds/backups.ts';
import type { Instance } from '../../../local/rds/instance.ts';
import { archiveCommand, isArchived, restoreCommand } from '../../../local/rds/log-archive.ts';
import { openPlaces } from '../../../local/rds/places.ts';
import { openRdsStore } from '../../../local/rds/store.ts';
import { temporary } from '../gateway/endpoint.ts';

const day = 86_400_000;

const walFile = (number: number): string => `00000001000000000000000${number}`;

test('retention keeps the backup that its oldest moment is restored from, and the log from there on', async () => {
  const directory = await temporary('rds-backups');
  const store = openRdsStore(directory);
  onTestFinished(() => store.close());
  const places = openPlaces(directory);
  const acme = { id: 'acme', retention: 2, status: 'available' } as Instance;
  store.instances.put('acme', acme);
  for (const [index, age] of [4.1, 3.1, 2.1, 1.1, 0.1].entries()) {
    const at = Date.now() - age * day;
    const snapshot = { id: `rds:acme-${index}`, type: 'automated' } as const;
    store.snapshots.put(snapshot.id, {
      ...snapshot,
      instance: 'acme',
      status: 'available',
      startedAt: at,
      consistentAt: at,
      firstWal: walFile(index + 1),
      of: acme,
      tags: {},
    });
    mkdirSync(places.snapshot(snapshot), { recursive: true });
    writeFileSync(join(places.log('acme'), `${walFile(index + 1)}.gz`), '');
  }
  const context = { store, places } as BackupsContext;
  const kept = () => store.snapshots.all().map(({ id }) => id);
  // While somebody restores from one of them nothing goes.
  store.instances.put('then', { ...acme, id: 'then', job: { kind: 'restore', snapshot: 'rds:acme-0' } });
  await expireAutomated(context, 'acme');
  expect(kept()).toHaveLength(5);
  store.instances.remove('then');
  await expireAutomated(context, 'acme');
  expect(kept()).toEqual(['rds:acme-2', 'rds:acme-3', 'rds:acme-4']);
  expect(readdirSync(join(directory, 'snapshots', 'automated'))).toEqual(['rds-acme-2', 'rds-acme-3', 'rds-acme-4']);
  expect(readdirSync(places.log('acme'))).toEqual([3, 4, 5].map((number) => `${walFile(number)}.gz`));
});

test('a file of the log comes back as it was from a directory with an odd name, and one that is missing is missing', async () => {
  const directory = join(await temporary('rds-log'), "it's 100% odd");
  mkdirSync(directory);
  const from = join(directory, 'original');
  const to = join(directory, 'restored');
  writeFileSync(from, Buffer.alloc(1_000_000, 'log'));
  /** What PostgreSQL does with a command before a shell gets it. */
  const run = (command: string, path: string, file: string) =>
    execFileSync(
      '/bin/sh',
      ['-c', command.replaceAll(/%[pf%]/g, (hole) => (hole === '%p' ? path : hole === '%f' ? file : '%'))],
      { env: { PATH: '/usr/bin:/bin' } },
    );
  run(archiveCommand(directory), from, walFile(1));
  expect(isArchived(directory, walFile(1))).toBe(true);
  run(restoreCommand(directory), to, walFile(1));
  expect(readFileSync(to).equals(readFileSync(from))).toBe(true);
  expect(() => run(restoreCommand(directory), to, walFile(2))).toThrow();
});
