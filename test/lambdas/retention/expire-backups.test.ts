import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../../../adapters/world.ts';
import { plans } from '../../../domain/plans.ts';
import { handler as expireBackups } from '../../../lambdas/retention/expire-backups.ts';
import { handler as summariseExpiry } from '../../../lambdas/retention/summarise-expiry.ts';
import { type BackupLaptop, startBackupLaptop } from '../backup/backup-laptop.ts';

let laptop: BackupLaptop;
let number = 0;
let tenantId = '';
let runs = 0;
beforeAll(async () => {
  laptop = await startBackupLaptop();
});
afterAll(() => laptop.stop());
beforeEach(async () => {
  number += 1;
  tenantId = `tenant${number}`;
  await laptop.signUp(tenantId);
});

/** A backup with rows of its own, so that it has an archive of its own. */
const changed = async (): Promise<string> => {
  runs += 1;
  await laptop.write(tenantId, `UPDATE users SET full_name = 'Name ${runs}'`);
  return laptop.backUp(`back-up-${tenantId}-${runs}`, tenantId);
};
const unchanged = (): Promise<string> => {
  runs += 1;
  return laptop.backUp(`back-up-${tenantId}-${runs}`, tenantId);
};
/** The same world, so many days later. */
const daysLater = (days: number): World =>
  Object.create(laptop.world, { now: { value: () => new Date(Date.now() + days * 86_400_000) } }) as World;
const expire = (operation: string, days: number, more: object = {}) =>
  expireBackups.run({ operation, execution: 'arn', tenantIds: [tenantId], ...more }, daysLater(days));
const statusOf = async (id: string) => (await laptop.world.registry.backups.get(id))?.status;
const keys = async (id: string): Promise<number> => {
  let count = 0;
  for await (const _ of laptop.world.archive.objects.list(`t/${tenantId}/${id}/`)) count += 1;
  return count;
};
const { manualDays } = plans.starter.retention;

describe('backups that no plan keeps', () => {
  test('are deleted with their objects, record first, and the newest stays for ever', async () => {
    const [old, middle, newest] = [await changed(), await changed(), await changed()];
    const operation = `expire-${tenantId}`;
    expect(await expire(operation, manualDays - 1)).toEqual({ after: '', tenants: 1, expired: 0, busy: 0 });
    expect(await expire(operation, manualDays + 1)).toEqual({ after: '', tenants: 1, expired: 2, busy: 0 });
    for (const id of [old, middle]) {
      expect(await laptop.world.registry.backups.get(id)).toMatchObject({
        status: 'deleted',
        deletedAt: expect.any(Date),
      });
      expect(await keys(id)).toBe(0);
    }
    expect(await statusOf(newest)).toBe('sealed');
    expect(await keys(newest)).toBeGreaterThan(0);
    expect(await expire(operation, 10_000)).toMatchObject({ expired: 0 });
    const summary = { tenants: 1, expired: 2, busy: 0 };
    const ask = { operation, tenants: 1, busy: 0 };
    expect(await summariseExpiry.run(ask, laptop.world)).toEqual(summary);
    expect(await summariseExpiry.run(ask, laptop.world)).toEqual(summary);
    expect(await laptop.world.registry.operations.get(operation)).toMatchObject({
      status: 'succeeded',
      outcome: summary,
    });
    expect(await laptop.world.registry.leases.get(tenantId)).toMatchObject({ holder: null });
  });

  test('stay while a later backup points to their archive', async () => {
    const archive = await changed();
    const pointing = await unchanged();
    expect(await laptop.world.registry.backups.get(pointing)).toMatchObject({ sameAs: archive });
    expect(await expire(`expire-${tenantId}`, 1_000)).toMatchObject({ expired: 0 });
    const next = await changed();
    expect(await expire(`expire-${tenantId}`, 1_000)).toMatchObject({ expired: 2 });
    expect([await statusOf(archive), await statusOf(pointing), await statusOf(next)]).toEqual([
      'deleted',
      'deleted',
      'sealed',
    ]);
    expect(await keys(archive)).toBe(0);
  });

  test('stay under legal hold, and go when it is over', async () => {
    const held = await changed();
    await changed();
    const { retention } = laptop.world.registry;
    expect(await retention.hold(held, { by: 'ada', reason: 'court order 7' })).toMatchObject({
      holdReason: 'court order 7',
      heldBy: 'ada',
    });
    expect(await expire(`expire-${tenantId}`, 1_000)).toMatchObject({ expired: 0 });
    await expect(retention.delete(held, 'by hand')).rejects.toMatchObject({ code: '23514' });
    await retention.release(held);
    expect(await expire(`expire-${tenantId}`, 1_000)).toMatchObject({ expired: 1 });
    expect(await retention.hold(held, { by: 'ada', reason: 'too late' })).toBeUndefined();
  });

  test('stay where the later ones failed their drills', async () => {
    const good = await changed();
    const bad = await changed();
    await laptop.world.registry.drills.record({
      tenantId,
      backupId: bad,
      operation: 'd',
      outcome: 'failed',
      reason: 'broken',
    });
    expect(await expire(`expire-${tenantId}`, 1_000)).toMatchObject({ expired: 0 });
    expect(await statusOf(good)).toBe('sealed');
  });

  test('are left for tomorrow while another operation holds the tenant', async () => {
    const old = await changed();
    await changed();
    const lease = { tenantId, holder: 'a-restore' };
    await laptop.world.registry.leases.hold({ ...lease, seconds: 60 });
    expect(await expire(`expire-${tenantId}`, 1_000)).toEqual({ after: '', tenants: 1, expired: 0, busy: 1 });
    expect(await statusOf(old)).toBe('sealed');
    await laptop.world.registry.leases.release(lease);
    expect(await expire(`expire-${tenantId}`, 1_000)).toMatchObject({ expired: 1, busy: 0 });
  });
});

describe('a call that dies', () => {
  test('between record and objects is finished by the next one', async () => {
    const old = await changed();
    await changed();
    const world = daysLater(1_000);
    const dying = Object.create(world, {
      archive: {
        value: {
          ...laptop.world.archive,
          remove: () => Promise.reject(new Error('killed')),
        },
      },
    }) as World;
    const operation = `expire-${tenantId}`;
    const event = { operation, execution: 'arn', tenantIds: [tenantId] };
    await expect(expireBackups.run(event, dying)).rejects.toThrow('killed');
    expect([await statusOf(old), (await keys(old)) > 0]).toEqual(['deleted', true]);
    await laptop.world.registry.leases.releaseAll(operation);
    expect(await expireBackups.run({ ...event, operation: `${operation}-2` }, world)).toMatchObject({ expired: 0 });
    expect(await keys(old)).toBe(0);
    expect(await laptop.world.registry.retention.toRemove(tenantId)).toEqual([]);
  });
});

test('a gone tenant keeps its final archive for the days of its plan and the last one for good', async () => {
  const { open, dump, seal } = laptop.steps(`final-${tenantId}`);
  const manual = await changed();
  await laptop.write(tenantId, `UPDATE users SET full_name = 'Last'`);
  const slice = await open([tenantId], { kind: 'final', holder: `final-${tenantId}` });
  await seal(slice, { failed: (await dump(slice)).failed });
  await laptop.sql.query(`DELETE FROM tenants WHERE id = $1`, [tenantId]);
  expect(await expire(`expire-${tenantId}`, 10_000)).toMatchObject({ expired: 1 });
  expect([await statusOf(manual), await statusOf(slice.backups[0]!.backupId)]).toEqual(['deleted', 'sealed']);
});

test('tenants come page by page in the order of their ids', async () => {
  await changed();
  await laptop.signUp('zz-last');
  await laptop.backUp('back-up-zz-last', 'zz-last');
  const { retention } = laptop.world.registry;
  const first = await retention.tenants({ limit: 2 });
  const rest = await retention.tenants({ limit: 500, after: first[1]!.tenantId });
  const ids = [...first, ...rest].map((one) => one.tenantId);
  expect(ids).toEqual([...ids].sort());
  expect(ids.at(-1)).toBe('zz-last');
  expect(new Set(ids).size).toBe(ids.length);
});
