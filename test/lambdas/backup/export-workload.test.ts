import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { archivedObjects } from '../../../adapters/cluster/archived-objects.ts';
import type { World } from '../../../adapters/world.ts';
import { handler as exportWorkload } from '../../../lambdas/backup/export-workload.ts';
import type { BackupLaptop } from './backup-laptop.ts';
import { type OwnApps, startOwnApps } from './own-apps.ts';

let apps: OwnApps;
let laptop: BackupLaptop;
let world: World;

beforeAll(async () => {
  apps = await startOwnApps();
  ({ laptop, world } = apps);
  await apps.signUp('acme', 'one');
  await apps.signUp('globex', 'two');
  await laptop.signUp('initech');
});
afterAll(() => apps.stop());

const dumped = async (operation: string, tenantIds: readonly string[]) => {
  const { open, dump } = laptop.steps(operation);
  const slice = await open(tenantIds);
  await dump(slice);
  return slice;
};

const backupOf = async (operation: string, tenantId: string) =>
  (await laptop.world.registry.backups.ofOperation(operation)).find((backup) => backup.tenantId === tenantId)!;

describe('the Kubernetes objects of a tenant with an app of its own', () => {
  test('are in its backup beside the rows, also where those have not changed, and the record is bound to them', async () => {
    for (const operation of ['first', 'unchanged']) {
      const slice = await dumped(operation, ['acme']);
      expect(slice.ownApps).toBe(1);
      const { backups } = slice;
      expect(await exportWorkload.run({ operation, backups }, world)).toEqual({ exported: 1, missing: 0 });
      expect(await exportWorkload.run({ operation, backups }, world)).toEqual({ exported: 0, missing: 0 });
      expect((await laptop.steps(operation).seal(slice)).sealed).toMatchObject([{ objects: 'archived' }]);
    }
    const first = await backupOf('first', 'acme');
    const second = await backupOf('unchanged', 'acme');
    expect(second.sameAs).toBe(first.id);
    expect(second).toMatchObject({ status: 'sealed', objectsState: 'archived', objectsReason: null });
    const objects = await archivedObjects(world, 'acme', second.id, second.objectsSha256);
    expect(objects).toHaveLength(second.objectsCount!);
    await expect(archivedObjects(world, 'acme', second.id, 'a'.repeat(64))).rejects.toMatchObject({
      name: 'ArchiveDamaged',
    });
    await expect(
      laptop.sql.query(`UPDATE backups SET objects_reason = 'late' WHERE id = $1`, [second.id]),
    ).rejects.toThrow(/is sealed/);
  });

  test('are left to the shared app where there is no other', async () => {
    const slice = await dumped('shared', ['initech']);
    expect(slice.ownApps).toBe(0);
    expect((await laptop.steps('shared').seal(slice)).sealed[0]).not.toHaveProperty('objects');
  });

  test('that cannot be had are asked for again, then missing with the reason; the rows of all are sealed', async () => {
    apps.away.add('two');
    const slice = await dumped('away', ['acme', 'globex']);
    const step = { operation: 'away', backups: slice.backups };
    await expect(exportWorkload.run(step, world)).rejects.toMatchObject({ name: 'ClusterUnavailable' });
    apps.away.clear();
    const sealed = await laptop.steps('away').seal(slice);
    expect(sealed).toMatchObject({ count: 2, failed: 0 });
    expect(await backupOf('away', 'acme')).toMatchObject({ status: 'sealed', objectsState: 'archived' });
    const globex = await backupOf('away', 'globex');
    expect(globex).toMatchObject({ status: 'sealed', objectsState: 'missing', objectsSha256: null });
    expect(globex.objectsReason).toBe('ClusterUnavailable: cluster two does not answer');
    expect(await exportWorkload.run(step, world)).toEqual({ exported: 0, missing: 0 });
    expect(await apps.keys('globex', globex.id)).toEqual([]);
  });

  test('that are damaged before the seal are given up, and the rows are not', async () => {
    const slice = await dumped('damaged', ['acme']);
    await exportWorkload.run({ operation: 'damaged', backups: slice.backups }, world);
    const { id } = await backupOf('damaged', 'acme');
    await world.archive.objects.put(`t/acme/${id}/kubernetes/objects.ndjson.gz`, 'no gzip');
    expect((await laptop.steps('damaged').seal(slice)).sealed).toMatchObject([
      { objects: 'missing', objectsReason: expect.stringContaining('another SHA-256') },
    ]);
  });

  test('go with a backup that fails, also where its rows are those of an earlier one', async () => {
    const slice = await dumped('given-up', ['acme']);
    await exportWorkload.run({ operation: 'given-up', backups: slice.backups }, world);
    const { id } = await backupOf('given-up', 'acme');
    expect(await apps.keys('acme', id)).toHaveLength(2);
    await laptop.steps('given-up').abandon(['acme']);
    expect(await apps.keys('acme', id)).toEqual([]);
  });

  test('are taken away again when they come for a backup that has expired meanwhile', async () => {
    const slice = await dumped('expired', ['acme']);
    await exportWorkload.run({ operation: 'expired', backups: slice.backups }, world);
    await laptop.steps('expired').seal(slice);
    const { id } = await backupOf('expired', 'acme');
    const { retention, backupObjects } = world.registry;
    // A late attempt has asked what is to do before the backup was noted.
    const late = Object.create(world, {
      registry: {
        value: {
          ...world.registry,
          backupObjects: { ...backupObjects, expected: async () => [{ tenantId: 'acme', backupId: id }] },
        },
      },
    }) as World;
    await exportWorkload.run({ operation: 'expired', backups: slice.backups }, late);
    expect(await apps.keys('acme', id)).toHaveLength(2);
    await retention.delete(id, 'an-expiry');
    await world.archive.remove('acme', id);
    await exportWorkload.run({ operation: 'expired', backups: slice.backups }, late);
    expect(await apps.keys('acme', id)).toEqual([]);
  });

  test('say why the step itself failed, where it could not', async () => {
    const slice = await dumped('silent', ['globex']);
    const objectsFailure = { step: 'ExportWorkload', error: 'Runtime.ExitError', cause: '' };
    const { sealed } = await laptop.steps('silent').seal(slice, { objectsFailure });
    expect(sealed).toMatchObject([
      { objects: 'missing', objectsReason: 'ExportWorkload: its function ended without an answer' },
    ]);
  });
});
