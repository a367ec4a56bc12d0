import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { templateDatabase } from '../../../adapters/pool/template.ts';
import { handler as chooseDrills } from '../../../lambdas/drill/choose-drills.ts';
import { drillSlicesSchema } from '../../../lambdas/drill/drill-list.ts';
import { handler as drillRestore } from '../../../lambdas/drill/drill-restore.ts';
import { handler as summariseDrills } from '../../../lambdas/drill/summarise-drills.ts';
import { type BackupLaptop, startBackupLaptop } from '../backup/backup-laptop.ts';

let laptop: BackupLaptop;
const backups: Record<string, string> = {};
let backUps = 0;
const backUp = async (tenantId: string): Promise<string> => {
  backUps += 1;
  backups[tenantId] = await laptop.backUp(`back-up-${tenantId}-${backUps}`, tenantId);
  return backups[tenantId];
};

beforeAll(async () => {
  laptop = await startBackupLaptop();
  for (const tenant of ['acme', 'globex', 'initech']) {
    await laptop.signUp(tenant);
    await backUp(tenant);
  }
});
afterAll(() => laptop.stop());

const choose = (operation: string, asked: object = {}) =>
  chooseDrills.run({ operation, execution: 'arn', ...asked }, laptop.world);
const slicesAt = async (key: string) =>
  drillSlicesSchema.parse(JSON.parse((await laptop.world.archive.objects.text(key)) ?? 'null'));
/** The steps of one run, as the machine calls them. */
const run = async (operation: string, asked: object = {}) => {
  const { key } = await choose(operation, asked);
  const slices = await slicesAt(key);
  for (const slice of slices) await drillRestore.run({ operation, ...slice }, laptop.world);
  return { slices, summary: await summariseDrills.run({ operation }, laptop.world) };
};
const chosen = ({ slices }: Awaited<ReturnType<typeof run>>): string[] =>
  slices.flatMap((slice) => slice.backups.map(({ tenantId }) => tenantId)).sort();
/** Flips a bit in the middle of the tenant's first member; answers how to flip it back. */
const damage = async (tenantId: string): Promise<() => Promise<void>> => {
  const { archive } = laptop.world;
  const { members } = await archive.manifest(tenantId, backups[tenantId]!);
  const { object, offset, length } = members[0]!;
  const key = `t/${tenantId}/${backups[tenantId]!}/${object}`;
  const whole = (await archive.objects.bytes(key))!;
  const broken = Buffer.from(whole);
  const place = offset + (length >> 1);
  broken.writeUInt8(broken.readUInt8(place) ^ 1, place);
  await archive.objects.put(key, broken);
  return () => archive.objects.put(key, whole);
};
const scratchDatabases = () => laptop.sql.query(`SELECT datname FROM pg_database WHERE datname LIKE 'tn\\_drill%'`);

describe('a run of drills', () => {
  test('restores the newest archive of every tenant, says so on the records and leaves nothing behind', async () => {
    const { slices, summary } = await run('drill-1', { all: true });
    // Two workers: a slice each.
    expect(slices.map((slice) => slice.backups.length)).toEqual([2, 1]);
    expect(summary).toEqual({ drilled: 3, passed: 3, failed: 0, refused: 0, missed: 0, failure: '', failures: [] });
    for (const id of Object.values(backups))
      expect(await laptop.world.registry.backups.get(id)).toMatchObject({
        status: 'sealed',
        drillOutcome: 'passed',
        drilledAt: expect.any(Date),
        drillReason: null,
      });
    expect(await laptop.world.registry.operations.get('drill-1')).toMatchObject({
      kind: 'drill-restores',
      status: 'succeeded',
      outcome: summary,
    });
    expect(await scratchDatabases()).toEqual([]);
    for (const tenant of Object.keys(backups))
      expect((await laptop.world.registry.leases.get(tenant))?.holder ?? null).toBeNull();
  });

  test('of a sample takes the longest undrilled first and nothing twice in a row', async () => {
    expect(chosen(await run('sample-0', { sample: 3 }))).toEqual([]);
    // A run that found nothing to try is the last run all the same: the next one tries again.
    expect(chosen(await run('sample-1', { sample: 1 }))).toEqual([expect.any(String)]);
    const rest = await run('sample-2', { sample: 2 });
    const last = await run('sample-3', { sample: 3 });
    const [first] = (await laptop.world.registry.drills.ofOperation('sample-1')).map(({ tenantId }) => tenantId);
    expect([...chosen(rest), first].sort()).toEqual(['acme', 'globex', 'initech']);
    // Whoever was in the run before is left out, though the sample has room.
    expect(chosen(last)).toEqual([first]);
  });

  test('tries a backup that points to an older archive by that archive', async () => {
    const archive = backups.acme!;
    const pointing = await backUp('acme');
    expect(await laptop.world.registry.backups.get(pointing)).toMatchObject({ sameAs: archive });
    const { slices, summary } = await run('drill-pointing', { tenantId: 'acme', backupId: pointing });
    expect(slices).toMatchObject([{ backups: [{ tenantId: 'acme', backupId: archive }] }]);
    expect(summary).toMatchObject({ passed: 1 });
    const { drilledAt } = (await laptop.world.registry.backups.get(pointing))!;
    expect(drilledAt).toEqual((await laptop.world.registry.backups.get(archive))!.drilledAt);
    backups.acme = archive;
  });

  test('is told by name when there is nothing to try', async () => {
    await expect(choose('nobody', { tenantId: 'nobody' })).rejects.toMatchObject({ name: 'BackupNotFound' });
    await expect(choose('no-backup', { backupId: 'b-none' })).rejects.toMatchObject({ name: 'BackupNotFound' });
    await expect(choose('foreign', { tenantId: 'acme', backupId: backups.globex })).rejects.toMatchObject({
      name: 'InvalidStepInput',
    });
  });

  test('answers the list that it wrote first, and goes on with what has no result yet', async () => {
    const first = await choose('again', { all: true });
    expect(await choose('again', { tenantIds: ['acme'] })).toEqual(first);
    const [slice] = await slicesAt(first.key);
    const [one] = slice!.backups;
    await laptop.world.registry.drills.record({
      ...one!,
      operation: 'again',
      outcome: 'failed',
      reason: 'first attempt',
    });
    expect(await drillRestore.run({ operation: 'again', ...slice }, laptop.world)).toEqual({
      passed: 1,
      failed: 1,
      refused: 0,
    });
    const counts = { drilled: 3, passed: 1, failed: 1, missed: 1 };
    expect(await summariseDrills.run({ operation: 'again' }, laptop.world)).toMatchObject(counts);
    expect(await summariseDrills.run({ operation: 'again' }, laptop.world)).toMatchObject(counts);
    expect(await laptop.world.registry.operations.get('again')).toMatchObject({
      status: 'failed',
      error: 'RestoreDrillsFailed',
    });
  });

  test('does not call failed what is deleted while it is read', async () => {
    const id = await backUp('initech');
    await laptop.write('initech', `UPDATE users SET full_name = 'Changed'`);
    await backUp('initech');
    const { key } = await choose('deleted', { backupId: id });
    const [slice] = await slicesAt(key);
    expect(
      await laptop.world.registry.drills.record({
        tenantId: 'initech',
        backupId: 'b-none',
        operation: 'deleted',
        outcome: 'failed',
        reason: 'gone',
      }),
    ).toBe(false);
    const archive = slice!.backups[0]!.backupId;
    await laptop.sql.query(`UPDATE backups SET status = 'deleted', deleted_at = now() WHERE same_as = $1`, [archive]);
    await laptop.sql.query(`UPDATE backups SET status = 'deleted', deleted_at = now() WHERE id = $1`, [archive]);
    expect(await drillRestore.run({ operation: 'deleted', ...slice }, laptop.world)).toEqual({
      passed: 0,
      failed: 0,
      refused: 0,
    });
  });
});

describe('an archive that cannot be restored', () => {
  test('fails its drill alone, names the reason, and is never pointed to again', async () => {
    const mend = await damage('globex');
    const { summary } = await run('drill-damaged', { all: true });
    expect(summary).toMatchObject({
      drilled: 3,
      passed: 2,
      failed: 1,
      failure: expect.stringMatching(/1 of 3 archives/),
    });
    expect(summary.failures).toEqual([
      {
        tenantId: 'globex',
        backupId: backups.globex,
        takenAt: expect.any(String),
        reason: expect.stringMatching(/^ArchiveDamaged: .*archive\.tar/),
      },
    ]);
    expect(await laptop.world.registry.backups.get(backups.globex!)).toMatchObject({
      drillOutcome: 'failed',
      drillReason: expect.stringMatching(/ArchiveDamaged/),
    });
    expect(await scratchDatabases()).toEqual([]);
    const damaged = backups.globex!;
    const next = await backUp('globex');
    expect(await laptop.world.registry.backups.get(next)).toMatchObject({ sameAs: null, drillOutcome: null });
    await mend();
    expect((await run('drill-mended', { backupId: damaged })).summary).toMatchObject({ passed: 1 });
  });

  test('is refused, not failed, where its schema version has no template', async () => {
    const { schemaFingerprint } = (await laptop.world.registry.backups.get(backups.acme!))!;
    const template = templateDatabase(schemaFingerprint!);
    await laptop.sql.query(`ALTER DATABASE ${template} RENAME TO hidden`);
    try {
      const { summary } = await run('drill-drifted', { tenantId: 'acme' });
      expect(summary).toMatchObject({ passed: 0, refused: 1, failed: 0, failure: expect.stringMatching(/none of 1/) });
      expect(await laptop.world.registry.backups.get(backups.acme!)).toMatchObject({
        drillOutcome: 'refused',
        drillReason: expect.stringMatching(/cell eu-1 has no template database of schema version/),
      });
    } finally {
      await laptop.sql.query(`ALTER DATABASE hidden RENAME TO ${template}`);
    }
  });
});

describe('a sealed record', () => {
  test('takes a drill and a hold and nothing else', async () => {
    const id = backups.acme!;
    for (const change of [
      'rows = 0',
      `manifest_sha256 = repeat('0', 64)`,
      `archive_id = id, taken_at = now()`,
      `status = 'open'`,
    ])
      await expect(laptop.sql.query(`UPDATE backups SET ${change} WHERE id = $1`, [id]), change).rejects.toMatchObject({
        code: '23514',
      });
    await laptop.sql.query(`UPDATE backups SET held_at = now(), held_by = 'ada', hold_reason = 'court' WHERE id = $1`, [
      id,
    ]);
    await expect(laptop.sql.query(`UPDATE backups SET status = 'deleted' WHERE id = $1`, [id])).rejects.toMatchObject({
      code: '23514',
      message: expect.stringMatching(/legal hold/),
    });
    await laptop.sql.query(`UPDATE backups SET held_at = NULL, held_by = NULL, hold_reason = NULL WHERE id = $1`, [id]);
  });
});
