import {
  GetObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { GetScheduleCommand, SchedulerClient } from '@aws-sdk/client-scheduler';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { drillSchedule, expirySchedule } from '../../domain/deployment.ts';
import { startTestCloud, type TestCloud } from '../cloud.ts';
import { terminal } from './terminal.ts';

interface Drill {
  readonly tenantId: string;
  readonly backupId: string;
  readonly outcome: string;
  readonly reason: string | null;
}

interface Backup {
  readonly id: string;
  readonly status: string;
  readonly drillOutcome: string | null;
  readonly drillReason: string | null;
  readonly heldAt: string | null;
  readonly holdReason: string | null;
}

let laptop: TestCloud;
let tenantry: ReturnType<typeof terminal>;
let s3: S3Client;
const backups = async (tenant: string): Promise<Backup[]> =>
  (await tenantry.json<{ items: Backup[] }>(['backup', 'list', tenant])).items;

beforeAll(async () => {
  laptop = await startTestCloud({ log: () => undefined });
  tenantry = terminal(laptop.home);
  const { endpoint, region, credentials } = laptop.cloud;
  s3 = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  for (const tenantId of ['acme', 'globex']) {
    expect(await laptop.run('provision-tenant', { tenantId, plan: 'starter' })).toMatchObject({ status: 'SUCCEEDED' });
    expect(await laptop.run('back-up-tenant', { tenantId })).toMatchObject({ status: 'SUCCEEDED' });
  }
}, 120_000);
afterAll(async () => {
  s3.destroy();
  await laptop.close();
});

/** Flips every bit of the last kilobyte of members, as a disk that dies would. */
const damage = async (tenant: string, backup: string): Promise<void> => {
  const Bucket = 'tenantry-archive';
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: `t/${tenant}/${backup}/` }));
  const Key = Contents.map((one) => one.Key!).find((key) => key.endsWith('archive.tar'))!;
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
  const bytes = Buffer.from(await Body!.transformToByteArray());
  // The last 1,024 bytes end the tar; a member lies before them.
  for (let place = bytes.length - 1_536; place < bytes.length - 1_024; place += 1) bytes[place]! ^= 0xff;
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: bytes }));
};

describe('tenantry drill', { timeout: 60_000 }, () => {
  test('of all tenants shows its steps, restores every archive, and the list of backups says so', async () => {
    const ended = await tenantry.run('drill', '--all');
    expect(ended).toMatchObject({ code: 0, stdout: '' });
    expect(ended.stderr).toMatch(/ok {4}ChooseDrills[\s\S]*ok {4}DrillRestore[\s\S]*ok {4}SummariseDrills/);
    expect(ended.stderr).toContain('2 of 2 archives were restored and are what their manifests say');
    expect((await tenantry.run('backup', 'list', 'acme')).stdout).toMatch(/DRILL[\s\S]* passed \d{4}-\d\d-\d\d/);
    const { items } = await tenantry.json<{ items: Drill[] }>(['drill', 'list']);
    expect(items.map(({ tenantId, outcome }) => [tenantId, outcome]).sort()).toEqual([
      ['acme', 'passed'],
      ['globex', 'passed'],
    ]);
  });

  test('of an archive that was damaged fails, says why on the record and on the bus', async () => {
    const [backup] = await backups('globex');
    await damage('globex', backup!.id);
    const ended = await tenantry.run('drill', 'globex');
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('1 cannot be restored');
    expect(ended.stdout).toMatch(/globex .*failed.*ArchiveDamaged/);
    expect((await backups('globex'))[0]).toMatchObject({
      drillOutcome: 'failed',
      drillReason: expect.stringMatching(/ArchiveDamaged/),
    });
    const [failed] = await laptop.eventually<{ detail: { backupId: string; reason: string } }>(
      "SELECT detail FROM events WHERE detail_type = 'RestoreDrillFailed' AND tenant_id = 'globex'",
    );
    expect(failed!.detail).toMatchObject({ backupId: backup!.id, reason: expect.stringMatching(/ArchiveDamaged/) });
    const [done] = await laptop.eventually<{ detail: object }>(
      "SELECT detail FROM events WHERE detail_type = 'RestoresDrilled' AND detail ->> 'outcome' = 'failed'",
    );
    expect(done!.detail).toMatchObject({ drilled: 1, failed: 1, passed: 0 });
    // What is unchanged is written anew, not pointed to.
    expect(await tenantry.run('backup', 'create', 'globex')).toMatchObject({ code: 0 });
    expect(await tenantry.run('drill', 'globex')).toMatchObject({ code: 0 });
  });

  test.each([
    [['nobody'], 4, /nobody has no sealed backup/],
    [['acme', '--all'], 2, /give one of/],
    [['--sample', '0'], 2, /whole number/],
    [['--backup', 'b-none'], 4, /b-none is no sealed backup/],
  ])('%j ends with exit code %i', async (words, code, message) => {
    const ended = await tenantry.run('drill', ...words);
    expect(ended.code).toBe(code);
    expect(ended.stderr).toMatch(message);
  });
});

describe('tenantry backup hold', { timeout: 60_000 }, () => {
  test('keeps an archive that its plan does not keep, until it is released', async () => {
    const [old] = await backups('acme');
    const pool = await laptop.admin('pool');
    await pool.query(`SET session_replication_role = replica; UPDATE users SET full_name = 'Changed'`);
    expect(await tenantry.run('backup', 'create', 'acme')).toMatchObject({ code: 0 });
    // Without this the old one is the last that a drill restored, and stays for that.
    expect(await tenantry.run('drill', 'acme')).toMatchObject({ code: 0 });
    const control = await laptop.admin('control');
    // A sealed backup cannot be changed while its trigger looks.
    await control.query('SET session_replication_role = replica');
    await control.query(`UPDATE backups SET taken_at = now() - interval '500 days' WHERE id = $1`, [old!.id]);
    await control.query('RESET session_replication_role');

    const held = await tenantry.run('backup', 'hold', old!.id, '--reason', 'court order 7');
    expect(held).toMatchObject({ code: 0, stdout: expect.stringMatching(/court order 7[\s\S]*no Object Lock/) });
    expect(await tenantry.run('backup', 'hold', old!.id)).toMatchObject({ code: 2 });
    expect(await laptop.run('expire-backups', { tenantIds: ['acme'] })).toMatchObject({ status: 'SUCCEEDED' });
    expect((await backups('acme')).map(({ status }) => status)).toEqual(['sealed', 'sealed']);

    expect(await tenantry.run('backup', 'release', old!.id, '--reason', 'case closed')).toMatchObject({ code: 0 });
    const { output } = await laptop.run('expire-backups', {});
    expect(JSON.parse(output!)).toMatchObject({ expired: 1, busy: 0 });
    expect((await backups('acme')).find(({ id }) => id === old!.id)).toMatchObject({ status: 'deleted' });
    const { body } = await laptop.api<{ items: { action: string; phase: string; reason: string }[] }>(
      'GET',
      '/audit?tenant=acme',
    );
    expect(
      body.items.filter(({ action, phase }) => /^backup\.(hold|release)$/.test(action) && phase === 'after'),
    ).toMatchObject([
      { action: 'backup.hold', reason: 'court order 7' },
      { action: 'backup.release', reason: 'case closed' },
    ]);
    expect(await tenantry.run('backup', 'hold', old!.id, '--reason', 'too late')).toMatchObject({ code: 5 });
    const { Versions = [] } = await s3.send(
      new ListObjectVersionsCommand({
        Bucket: 'tenantry-archive',
        Prefix: `t/acme/${old!.id}/`,
      }),
    );
    // Deleted is not destroyed: the versions lie behind delete markers.
    expect(Versions.length).toBeGreaterThan(0);
    expect(Versions.filter(({ IsLatest }) => IsLatest)).toEqual([]);
  });
});

test('the night has its drills and its retention', async () => {
  const { endpoint, region, credentials } = laptop.cloud;
  const scheduler = new SchedulerClient({ endpoint, region, credentials });
  for (const [machine, expression] of [
    ['drill-restores', drillSchedule],
    ['expire-backups', expirySchedule],
  ] as const)
    expect(await scheduler.send(new GetScheduleCommand({ Name: `tenantry-${machine}` }))).toMatchObject({
      ScheduleExpression: expression,
      State: 'ENABLED',
      Target: { Arn: laptop.machineArn(machine), Input: '{}' },
    });
  scheduler.destroy();
});
