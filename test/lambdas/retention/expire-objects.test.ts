import { afterAll, beforeAll, expect, test } from 'vitest';
import type { World } from '../../../adapters/world.ts';
import { handler as exportWorkload } from '../../../lambdas/backup/export-workload.ts';
import { handler as expireBackups } from '../../../lambdas/retention/expire-backups.ts';
import { type OwnApps, startOwnApps } from '../backup/own-apps.ts';

let apps: OwnApps;
let runs = 0;
beforeAll(async () => {
  apps = await startOwnApps();
  for (const tenantId of ['acme', 'globex']) await apps.signUp(tenantId, 'one');
});
afterAll(() => apps.stop());

/** A backup with the Kubernetes objects of the tenant's app; of rows of its own where some are changed before. */
const backUp = async (tenantId: string, operation: string, rows: 'changed' | 'unchanged'): Promise<string> => {
  if (rows === 'changed') await apps.laptop.write(tenantId, `UPDATE users SET full_name = '${operation}'`);
  const { open, dump, seal } = apps.laptop.steps(operation);
  const slice = await open([tenantId]);
  const { failed } = await dump(slice);
  await exportWorkload.run({ operation, backups: slice.backups }, apps.world);
  await seal(slice, { failed });
  return slice.backups[0]!.backupId;
};

/** Every plan has forgotten by then what is not held, and not the newest. */
const expire = async (tenantId: string): Promise<number> => {
  const later = Object.create(apps.world, { now: { value: () => new Date(Date.now() + 86_400_000_000) } }) as World;
  runs += 1;
  const operation = `expire-${tenantId}-${runs}`;
  return (await expireBackups.run({ operation, execution: 'arn', tenantIds: [tenantId] }, later)).expired;
};

const rowsOf = (tenantId: string, id: string) => apps.world.archive.isComplete(tenantId, id);

test('the objects of a backup go with it, also of one whose rows lie under the id of an earlier one', async () => {
  const first = await backUp('acme', 'acme-first', 'changed');
  const unchanged = await backUp('acme', 'acme-unchanged', 'unchanged');
  expect(await apps.world.registry.backups.get(unchanged)).toMatchObject({ sameAs: first, objectsState: 'archived' });
  expect(await apps.keys('acme', unchanged)).toHaveLength(2);
  const newest = await backUp('acme', 'acme-newest', 'changed');
  expect(await expire('acme')).toBe(2);
  expect([await apps.keys('acme', first), await apps.keys('acme', unchanged)]).toEqual([[], []]);
  expect([await rowsOf('acme', first), await rowsOf('acme', newest)]).toEqual([false, true]);
  expect(await apps.keys('acme', newest)).toHaveLength(2);
  expect(await apps.world.registry.retention.toRemove('acme')).toEqual([]);
});

test('the objects of a held backup stay with its rows, those of a later one with the same rows go', async () => {
  const held = await backUp('globex', 'globex-held', 'changed');
  const unchanged = await backUp('globex', 'globex-unchanged', 'unchanged');
  await backUp('globex', 'globex-newest', 'changed');
  const { retention } = apps.world.registry;
  await retention.hold(held, { by: 'ada', reason: 'court order 7' });
  expect(await expire('globex')).toBe(1);
  expect(await apps.keys('globex', unchanged)).toEqual([]);
  expect([await apps.keys('globex', held), await rowsOf('globex', held)]).toEqual([
    [expect.stringContaining('manifest.json'), expect.stringContaining('objects.ndjson.gz')],
    true,
  ]);
  await retention.release(held);
  expect(await expire('globex')).toBe(1);
  expect([await apps.keys('globex', held), await rowsOf('globex', held)]).toEqual([[], false]);
});
