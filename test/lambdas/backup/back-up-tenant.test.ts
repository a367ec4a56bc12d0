import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type BackupLaptop, startBackupLaptop } from './backup-laptop.ts';

let laptop: BackupLaptop;
beforeAll(async () => {
  laptop = await startBackupLaptop();
});
afterAll(() => laptop.stop());

let number = 0;
let tenantId = '';
let operation = '';
beforeEach(async () => {
  number += 1;
  tenantId = `tenant${number}`;
  operation = `back-up-${tenantId}`;
  await laptop.signUp(tenantId);
});

const backups = () => laptop.world.registry.backups;
const leaseOf = async () => (await laptop.world.registry.leases.get(tenantId))?.holder;
const keysOf = async (id: string): Promise<string[]> => {
  const keys: string[] = [];
  for await (const { key } of laptop.world.archive.objects.list(`t/${tenantId}/${id}/`)) keys.push(key);
  return keys;
};

describe('a backup that is started by hand', () => {
  test.each([
    ['point-in-time', 'kind is what recover-point-in-time alone says of its archives'],
    ['safety', 'kind is what an operation alone says, which names itself as holder'],
    ['final', 'kind is what an operation alone says, which names itself as holder'],
  ])('may not say that it is of kind %s, and leaves no record of one', async (kind, why) => {
    await expect(laptop.steps(operation).open([tenantId], { kind })).rejects.toMatchObject({
      name: 'InvalidStepInput',
      message: expect.stringContaining(why),
    });
    expect(await backups().ofOperation(operation)).toEqual([]);
  });
});

describe('a backup of one tenant', () => {
  test('ends sealed, with its operation succeeded, its lease free and its archive whole', async () => {
    const { open, dump, seal } = laptop.steps(operation);
    const slice = await open([tenantId], { reason: 'before the upgrade' });
    expect(slice).toEqual({
      cell: 'eu-1',
      backups: [{ tenantId, backupId: expect.stringMatching(/^b-[0-9a-f]{12}$/) }],
      count: 1,
      large: false,
      ownApps: 0,
      skipped: [],
    });
    const dumped = await dump(slice);
    expect(dumped).toMatchObject({ failed: [], tenants: 1, rows: 3, unchanged: 0 });
    const sealed = await seal(slice);
    const { backupId } = slice.backups[0]!;
    expect(sealed).toMatchObject({ sealed: [{ tenantId, backupId, rows: 3 }], count: 1, failed: 0 });
    expect(await backups().newestSealed(tenantId)).toMatchObject({
      id: backupId,
      archiveId: backupId,
      sameAs: null,
      cell: 'eu-1',
    });
    expect(await laptop.world.archive.manifest(tenantId, backupId)).toMatchObject({
      operation,
      kind: 'manual',
      isolation: 'pooled',
    });
    expect(await laptop.world.registry.operations.get(operation)).toMatchObject({
      status: 'succeeded',
      kind: 'back-up-tenant',
    });
    expect(await leaseOf()).toBeNull();
  });

  test('whose every step is delivered twice ends the same, with one archive', async () => {
    const { open, dump, seal } = laptop.steps(operation);
    const slice = await open([tenantId]);
    expect(await open([tenantId])).toEqual(slice);
    await dump(slice);
    await laptop.write(tenantId, `UPDATE users SET full_name = 'Later'`);
    await dump(slice);
    const first = await seal(slice);
    expect(await seal(slice)).toEqual(first);
    const { backupId } = slice.backups[0]!;
    expect(await keysOf(backupId)).toHaveLength(1);
    expect(first.sealed[0]?.takenAt).toBe((await laptop.world.archive.manifest(tenantId, backupId)).takenAt);
  });

  test('has no late step: a dump after the end changes nothing, an opening is stale', async () => {
    await laptop.backUp(operation, tenantId);
    const { open, dump } = laptop.steps(operation);
    const [sealed] = await backups().sealed(tenantId);
    await expect(open([tenantId])).rejects.toMatchObject({ name: 'StaleOperation' });
    await dump({
      cell: 'eu-1',
      backups: [{ tenantId, backupId: sealed!.id }],
      count: 1,
      ownApps: 0,
      large: false,
      skipped: [],
    });
    expect(await backups().sealed(tenantId)).toEqual([sealed]);
  });

  test('of an unchanged tenant points to the archive that there is', async () => {
    const first = await laptop.backUp(operation, tenantId);
    const second = await laptop.backUp(`${operation}-2`, tenantId);
    const third = await laptop.backUp(`${operation}-3`, tenantId);
    expect(await backups().get(third)).toMatchObject({ status: 'sealed', sameAs: first, archiveId: first });
    expect([await keysOf(second), await keysOf(third)]).toEqual([[], []]);
    await laptop.write(tenantId, `UPDATE users SET full_name = 'Changed'`);
    const fourth = await laptop.backUp(`${operation}-4`, tenantId);
    expect(await backups().get(fourth)).toMatchObject({ sameAs: null, archiveId: fourth });
  });

  test('waits for whoever holds the tenant', async () => {
    await laptop.world.registry.leases.hold({ tenantId, holder: 'somebody', seconds: 60 });
    await expect(laptop.steps(operation).open([tenantId])).rejects.toMatchObject({ name: 'TenantBusy' });
    await laptop.world.registry.leases.release({ tenantId, holder: 'somebody' });
    await laptop.steps(operation).open([tenantId]);
  });

  test('that a restore asks for uses the restore’s lease and leaves it', async () => {
    await laptop.world.registry.leases.hold({ tenantId, holder: 'restore-1', seconds: 60 });
    const { open, dump, seal } = laptop.steps(operation);
    const slice = await open([tenantId], { holder: 'restore-1', kind: 'safety' });
    await dump(slice, { holder: 'restore-1' });
    await seal(slice, { holder: 'restore-1' });
    expect(await leaseOf()).toBe('restore-1');
    expect(await laptop.world.registry.operations.get(operation)).toMatchObject({
      parent: 'restore-1',
      status: 'succeeded',
    });
  });

  test.each([
    ['TenantNotFound', 'nobody'],
    ['TenantNotReady', 'half-made'],
  ])('is refused with %s for %s', async (name, id) => {
    await laptop.sql.query(
      `INSERT INTO tenants (id, status, plan, claimed_by, changed_by) VALUES ('half-made', 'provisioning', 'starter', 'x', 'x')
       ON CONFLICT DO NOTHING`,
    );
    await expect(laptop.steps(operation).open([id])).rejects.toMatchObject({ name });
  });

  test('names the field of an input that it cannot take', async () => {
    await expect(laptop.steps(operation).open([tenantId], { kind: 'nightly' })).rejects.toMatchObject({
      name: 'InvalidStepInput',
      message: expect.stringMatching(/kind.*nightly/),
    });
  });
});

describe('a seal', () => {
  const dumped = async () => {
    const { open, dump } = laptop.steps(operation);
    const slice = await open([tenantId]);
    await dump(slice);
    return { slice, id: slice.backups[0]!.backupId };
  };

  test('is refused when the manifest is gone, and the backup does not exist for a restore', async () => {
    const { slice, id } = await dumped();
    await laptop.world.archive.objects.remove(`t/${tenantId}/${id}/archive.tar`);
    await expect(laptop.steps(operation).seal(slice)).rejects.toMatchObject({ name: 'BackupIncomplete' });
    expect(await backups().newestSealed(tenantId)).toBeUndefined();
  });

  test('is refused when an object is shorter than its members', async () => {
    const { slice, id } = await dumped();
    const key = (await keysOf(id)).find((one) => one.endsWith('archive.tar'))!;
    await laptop.world.archive.objects.put(key, 'cut');
    await expect(laptop.steps(operation).seal(slice)).rejects.toMatchObject({ name: 'BackupIncomplete' });
  });

  test('is refused when the manifest is of other rows than were recorded', async () => {
    const { slice, id } = await dumped();
    const manifest = await laptop.world.archive.manifest(tenantId, id);
    const members = manifest.members.map((member) => ({ ...member, digest: '1' }));
    await laptop.world.archive.remove(tenantId, id);
    await laptop.world.archive.complete({ ...manifest, members });
    await expect(laptop.steps(operation).seal(slice)).rejects.toMatchObject({ name: 'BackupIncomplete' });
  });

  test('of a backup that was never dumped is refused', async () => {
    const { open, seal } = laptop.steps(operation);
    await expect(seal(await open([tenantId]))).rejects.toMatchObject({ name: 'BackupIncomplete' });
  });
});

describe('a backup that is abandoned', () => {
  test('leaves no object, a record with the reason, a free lease and a failed operation', async () => {
    const { open, dump, abandon } = laptop.steps(operation);
    const slice = await open([tenantId]);
    await dump(slice);
    const answer = { reason: 'it broke', failedStep: 'DumpDatabase', error: 'Boom', sealed: 0 };
    expect(await abandon([tenantId])).toEqual(answer);
    const { backupId } = slice.backups[0]!;
    expect(await backups().get(backupId)).toMatchObject({ status: 'failed', reason: 'it broke' });
    expect(await keysOf(backupId)).toEqual([]);
    expect(await leaseOf()).toBeNull();
    expect(await laptop.world.registry.operations.get(operation)).toMatchObject({
      status: 'failed',
      reason: 'it broke',
    });
    expect(await abandon([tenantId])).toEqual(answer);
  });

  test('takes no note of a dump that is late', async () => {
    const { open, dump, abandon } = laptop.steps(operation);
    const slice = await open([tenantId]);
    await abandon([tenantId]);
    await expect(dump(slice)).rejects.toMatchObject({ name: 'StaleOperation' });
    expect(await backups().get(slice.backups[0]!.backupId)).toMatchObject({ status: 'failed' });
  });

  test('does not touch the archive that an unchanged backup pointed to', async () => {
    const first = await laptop.backUp(operation, tenantId);
    const { open, dump, abandon } = laptop.steps(`${operation}-2`);
    await dump(await open([tenantId]));
    await abandon([tenantId]);
    await laptop.world.archive.inspect(await laptop.world.archive.manifest(tenantId, first));
    expect(await backups().newestSealed(tenantId)).toMatchObject({ id: first });
  });

  test('before it was opened, even without a tenant id, is recorded', async () => {
    const { abandon } = laptop.steps(operation);
    await abandon([null as unknown as string]);
    expect(await laptop.world.registry.operations.get(operation)).toMatchObject({ status: 'failed', tenantId: null });
  });
});
