import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { handler as listDueTenants } from '../../../lambdas/backup/list-due-tenants.ts';
import { handler as summariseBackups } from '../../../lambdas/backup/summarise-backups.ts';
import { type BackupLaptop, startBackupLaptop } from './backup-laptop.ts';

let laptop: BackupLaptop;
beforeAll(async () => {
  laptop = await startBackupLaptop();
  for (const [tenant, plan] of [
    ['acme', 'starter'],
    ['globex', 'starter'],
    ['initech', 'pro'],
  ] as const)
    await laptop.signUp(tenant, plan);
});
afterAll(() => laptop.stop());

const list = (operation: string, more: object = {}) =>
  listDueTenants.run({ operation, execution: 'arn', ...more }, laptop.world);
const read = async (key: string) => JSON.parse((await laptop.world.archive.objects.text(key)) ?? 'null');
const slicesAt = (key: string): Promise<{ cell: string; key: string; tenants: number; large: boolean }[]> => read(key);
const summarise = (operation: string, results: unknown[]) => summariseBackups.run({ operation, results }, laptop.world);

describe('a fleet backup', () => {
  test('finds the due tenants of a plan, backs them up under one snapshot, and then nobody is due', async () => {
    const due = await list('fleet-1', { plan: 'starter' });
    expect(due).toEqual({ bucket: 'archive', key: 'fleet/fleet-1/slices.json', slices: 1, tenants: 2 });
    const [slice] = await slicesAt(due.key);
    expect(slice).toEqual({ cell: 'eu-1', key: expect.stringContaining('fleet/fleet-1/'), tenants: 2, large: false });
    expect(await read(slice!.key)).toEqual(['acme', 'globex']);
    const { open, dump, seal } = laptop.steps('fleet-1');
    const sliceKey = slice!.key;
    const opened = await open(undefined, { kind: 'scheduled', sliceKey });
    expect(opened).toEqual({ cell: 'eu-1', backups: [], count: 2, large: false, ownApps: 0, skipped: [] });
    const { failed } = await dump(opened, { sliceKey });
    const sealed = await seal(opened, { failed, closes: false, sliceKey });
    expect(sealed).toMatchObject({ count: 2, failed: 0 });
    expect(new Set(sealed.sealed.map(({ takenAt }) => takenAt)).size).toBe(1);
    const summary = { tenants: 2, sealed: 2, failed: 0 };
    expect(await summarise('fleet-1', [{ count: 2, failed: 0 }])).toEqual(summary);
    expect(await summarise('fleet-1', [{ count: 2, failed: 0 }])).toEqual(summary);
    expect(await laptop.world.registry.operations.get('fleet-1')).toMatchObject({
      kind: 'back-up-fleet',
      status: 'succeeded',
      outcome: summary,
    });
    expect(await list('fleet-2', { plan: 'starter' })).toMatchObject({ slices: 0, tenants: 0 });
    expect(await list('fleet-3')).toMatchObject({ tenants: 1 });
  });

  test('answers the list that it wrote first when it is asked twice', async () => {
    const first = await list('fleet-4', { tenantIds: ['acme', 'initech', 'nobody'] });
    expect(first).toMatchObject({ slices: 1, tenants: 2 });
    expect(await list('fleet-4', { tenantIds: ['acme'] })).toEqual(first);
  });

  test('skips a busy tenant and goes on with the others', async () => {
    await laptop.world.registry.leases.hold({ tenantId: 'globex', holder: 'a-restore', seconds: 60 });
    await list('fleet-5', { tenantIds: ['acme', 'globex', 'gone'] });
    const { open, dump, seal } = laptop.steps('fleet-5');
    const opened = await open(['acme', 'globex', 'gone'], { kind: 'scheduled' });
    expect(opened.backups.map(({ tenantId }) => tenantId)).toEqual(['acme']);
    expect(opened.skipped.toSorted((a, b) => (a.tenantId < b.tenantId ? -1 : 1))).toEqual([
      { tenantId: 'globex', reason: expect.stringContaining('a-restore') },
      { tenantId: 'gone', reason: expect.stringContaining('gone') },
    ]);
    await dump(opened);
    expect(await seal(opened, { closes: false })).toMatchObject({ count: 1, failed: 0 });
    await laptop.world.registry.leases.release({ tenantId: 'globex', holder: 'a-restore' });
  });

  test('goes on when one tenant fails, and ends failed with the count', async () => {
    await list('fleet-6', { tenantIds: ['acme', 'globex'] });
    await laptop.write('globex', `UPDATE users SET full_name = 'Changed'`);
    const { open, dump, seal } = laptop.steps('fleet-6');
    const opened = await open(['acme', 'globex'], { kind: 'scheduled' });
    const globex = opened.backups.find(({ tenantId }) => tenantId === 'globex')!;
    await laptop.world.registry.backups.fail(globex.backupId, 'an operator stopped it');
    const { failed } = await dump(opened);
    expect(failed).toEqual([{ ...globex, reason: expect.stringContaining('an operator stopped it') }]);
    expect(await seal(opened, { failed, closes: false })).toMatchObject({ count: 1, failed: 1 });
    expect(await summarise('fleet-6', [{ count: 1, failed: 1 }])).toEqual({ tenants: 2, sealed: 1, failed: 1 });
    expect(await laptop.world.registry.operations.get('fleet-6')).toMatchObject({
      status: 'failed',
      reason: '1 of 2 due tenants have no new archive; their records say why',
    });
    for (const tenantId of ['acme', 'globex'])
      expect(await laptop.world.registry.leases.get(tenantId)).toMatchObject({ holder: null });
  });

  test.each([
    ['gone', undefined],
    ['shorter than its members', 'cut'],
  ])('does not seal an archive that is %s, and seals the others', async (what, left) => {
    const operation = `fleet-lost-${what.length}`;
    for (const tenant of ['acme', 'globex']) await laptop.write(tenant, `UPDATE users SET full_name = '${operation}'`);
    const { key } = await list(operation, { tenantIds: ['acme', 'globex'] });
    const sliceKey = (await slicesAt(key))[0]!.key;
    const { open, dump, seal } = laptop.steps(operation);
    const opened = await open(undefined, { kind: 'scheduled', sliceKey });
    await dump(opened, { sliceKey });
    const { slices, backups } = laptop.world.registry;
    const globex = (await slices.records(operation, ['globex']))[0]!.id;
    const { objects } = laptop.world.archive;
    await objects.remove(`t/globex/${globex}/`);
    if (left !== undefined) await objects.put(`t/globex/${globex}/archive.tar`, left);
    expect(await seal(opened, { sliceKey, closes: false })).toMatchObject({ count: 1, failed: 1 });
    expect(await backups.get(globex)).toMatchObject({ status: 'failed', reason: expect.stringContaining('globex') });
    expect(await backups.newestSealed('acme')).toMatchObject({ operationId: operation });
  });

  test('that is tried again goes on with what is not dumped yet', async () => {
    await laptop.write('acme', `UPDATE users SET full_name = 'Before'`);
    const { key } = await list('fleet-again', { tenantIds: ['acme', 'globex'] });
    const sliceKey = (await slicesAt(key))[0]!.key;
    const { open, dump, seal } = laptop.steps('fleet-again');
    const opened = await open(undefined, { kind: 'scheduled', sliceKey });
    expect(await dump(opened, { sliceKey })).toMatchObject({ tenants: 2 });
    await laptop.write('acme', `UPDATE users SET full_name = 'After'`);
    expect(await dump(opened, { sliceKey })).toMatchObject({ tenants: 0, failed: [] });
    expect(await seal(opened, { sliceKey, closes: false })).toMatchObject({ count: 2, failed: 0 });
  });

  test('ends the records of a slice whose execution died without a word', async () => {
    await list('fleet-7', { tenantIds: ['initech', 'acme'] });
    const { open } = laptop.steps('fleet-7');
    const { backups } = await open(['initech', 'acme'], { kind: 'scheduled' });
    expect(await summarise('fleet-7', [null])).toEqual({ tenants: 2, sealed: 0, failed: 2 });
    for (const { backupId, tenantId } of backups) {
      expect(await laptop.world.registry.backups.get(backupId)).toMatchObject({
        status: 'failed',
        reason: expect.stringContaining('without an answer'),
      });
      expect(await laptop.world.registry.leases.get(tenantId)).toMatchObject({ holder: null });
    }
  });
});

test('a sealed record cannot be changed by any later step', async () => {
  const { backups } = laptop.world.registry;
  const id = await laptop.backUp('back-up-acme', 'acme');
  const sealed = await backups.get(id);
  expect(await backups.fail(id, 'no')).toBe(false);
  const other = {
    takenAt: '2026-01-01',
    rows: 0,
    bytes: 0,
    schemaFingerprint: '',
    digests: sealed!.digests!,
    sameAs: null,
  };
  await expect(backups.recordDump(id, other)).rejects.toMatchObject({ name: 'StaleOperation' });
  await expect(laptop.sql.query('UPDATE backups SET rows = 0 WHERE id = $1', [id])).rejects.toMatchObject({
    code: '23514',
  });
  expect(await backups.get(id)).toEqual(sealed);
});

test('the newest backup at a time is the one taken before it', async () => {
  const { backups } = laptop.world.registry;
  const first = await backups.get(await laptop.backUp('back-up-globex-1', 'globex'));
  const second = await backups.get(await laptop.backUp('back-up-globex-2', 'globex'));
  expect(await backups.newestSealed('globex')).toEqual(second);
  expect(await backups.newestSealed('globex', first!.takenAt!)).toEqual(first);
  expect(await backups.newestSealed('globex', '2020-01-01')).toBeUndefined();
  expect((await backups.sealed('globex')).map(({ id }) => id).slice(0, 2)).toEqual([second!.id, first!.id]);
});
