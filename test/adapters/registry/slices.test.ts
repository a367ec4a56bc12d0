import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSlices } from '../../../adapters/registry/slices.ts';
import type { Digests } from '../../../domain/backup.ts';
import { startTestRegistry, type TestRegistry } from './database.ts';

let registry: TestRegistry;
beforeAll(async () => {
  registry = await startTestRegistry();
});
afterAll(() => registry.stop());

const digests: Digests = { algorithm: 'record-v1', major: 15, tables: { 'public.users': [1, '7'] } };
const note = (id: string, sameAs: string | null) => ({
  id,
  takenAt: '2026-11-27T03:00:00.000000Z',
  rows: 1,
  bytes: 100,
  schemaFingerprint: 'f',
  digests,
  sameAs,
  manifestSha256: sameAs === null ? 'a'.repeat(64) : null,
});

test('thousands of records that point to others are sealed as fast as new ones, whatever the registry believes of its tables', async () => {
  const slices = openSlices(registry.sql);
  const tenantIds = Array.from({ length: 5_000 }, (_, place) => `tenant-${place}`);
  await registry.sql.query('ALTER TABLE backups SET (autovacuum_enabled = off)');
  const firstBegan = performance.now();
  const opened = await slices.open({ operation: 'first', tenantIds, kind: 'scheduled', cell: 'eu-1' });
  await slices.recordDumps(opened.map(({ id }) => note(id, null)));
  await slices.seal(new Map(opened.map(({ id }) => [id, 'a'.repeat(64)])));
  const first = performance.now() - firstBegan;
  // The statistics of the night before: no record of the next operation, and none that points to another.
  await registry.sql.query('ANALYZE backups');
  const next = await slices.open({ operation: 'next', tenantIds, kind: 'scheduled', cell: 'eu-1' });
  const previous = new Map((await slices.newestSealed(tenantIds)).map((one) => [one.tenantId, one]));
  expect(previous.size).toBe(5_000);
  const started = performance.now();
  await slices.recordDumps(next.map(({ id, tenantId }) => note(id, previous.get(tenantId)!.archiveId)));
  const sealed = await slices.sealPointing('next', tenantIds);
  expect(sealed).toHaveLength(5_000);
  // Compared pair by pair this took 20 times as long, and under load more than the registry's statement time-out of 15 s.
  expect(performance.now() - started).toBeLessThan(5 * first);
  const [one] = await registry.sql.query('SELECT digests, manifest_sha256 FROM backups WHERE id = $1', [next[0]!.id]);
  expect(one).toEqual({ digests, manifest_sha256: 'a'.repeat(64) });
});

test('a record that has ended takes no note and no seal', async () => {
  const slices = openSlices(registry.sql);
  const [record] = await slices.open({ operation: 'ended', tenantIds: ['acme'], kind: 'scheduled', cell: 'eu-1' });
  expect(await slices.fail([{ backupId: record!.id, reason: 'stopped' }])).toEqual(new Set([record!.id]));
  expect(await slices.recordDumps([note(record!.id, null)])).toEqual(new Set());
  expect(await slices.seal(new Map([[record!.id, 'a'.repeat(64)]]))).toEqual([]);
  expect(await slices.records('ended', ['acme'])).toMatchObject([{ status: 'failed', reason: 'stopped' }]);
});
