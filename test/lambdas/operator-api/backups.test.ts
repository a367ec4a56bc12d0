import {
  DeleteObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectLockConfigurationCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { operatorApi } from '../../../lambdas/operator-api/app.ts';
import { type BackupLaptop, startBackupLaptop } from '../backup/backup-laptop.ts';

const Bucket = 'archive';
let laptop: BackupLaptop;
let api: ReturnType<typeof operatorApi>;
let s3: S3Client;
let archive = '';
let pointing = '';
beforeAll(async () => {
  laptop = await startBackupLaptop();
  api = operatorApi(() => laptop.world);
  // Endpoint and keys are those of the process, as for every handler.
  s3 = new S3Client({ forcePathStyle: true });
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
  await laptop.signUp('acme');
  archive = await laptop.backUp('back-up-1', 'acme');
  pointing = await laptop.backUp('back-up-2', 'acme');
});
afterAll(async () => {
  s3.destroy();
  await laptop.stop();
});

const post = async (path: string, body: object = {}) => {
  const response = await api.request(`/api/v1${path}`, {
    method: 'POST',
    headers: { 'x-tenantry-actor': 'ada' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

/** Tries to destroy every version of the archive for good; how many S3 refused. */
const refusals = async (): Promise<number> => {
  const { Versions = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket, Prefix: `t/acme/${archive}/` }));
  expect(Versions.length).toBeGreaterThan(0);
  let refused = 0;
  for (const { Key, VersionId } of Versions)
    await s3.send(new DeleteObjectCommand({ Bucket, Key, VersionId })).catch((error: Error) => {
      expect(error.name).toBe('AccessDenied');
      refused += 1;
    });
  return refused;
};

describe('a legal hold', () => {
  test('in a bucket without Object Lock is on the record alone, and says so', async () => {
    expect(await post(`/backups/${archive}/hold`, { reason: 'court order 7' })).toMatchObject({
      status: 200,
      body: { id: archive, heldBy: 'ada', holdReason: 'court order 7', lockedObjects: null },
    });
    expect(await post(`/backups/${archive}/release`)).toMatchObject({ status: 200, body: { heldAt: null } });
  });

  test('locks the archive in S3 until the last backup that has it is released', async () => {
    await s3.send(
      new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled' } }),
    );
    // Both have one archive: the second points to it.
    const first = await post(`/backups/${archive}/hold`, { reason: 'court order 7' });
    expect(first.body.lockedObjects).toBeGreaterThan(0);
    expect(await post(`/backups/${pointing}/hold`, { reason: 'court order 8' })).toMatchObject({ status: 200 });
    expect(await refusals()).toBe(first.body.lockedObjects);
    expect(await post(`/backups/${archive}/release`, { reason: 'settled' })).toMatchObject({ status: 200 });
    expect(await refusals()).toBe(first.body.lockedObjects);
    expect(await post(`/backups/${pointing}/release`)).toMatchObject({ status: 200 });
    expect(await post(`/backups/${pointing}/release`)).toMatchObject({ status: 200, body: { heldAt: null } });
    expect(await refusals()).toBe(0);
  });

  test.each([
    ['without a reason', () => post(`/backups/${archive}/hold`), 400, 'invalid-request'],
    ['of an unknown backup', () => post('/backups/b-none/hold', { reason: 'x' }), 404, 'backup-not-found'],
    ['of an unknown backup, released', () => post('/backups/b-none/release'), 404, 'backup-not-found'],
  ])('%s is refused', async (_what, ask, status, code) => {
    expect(await ask()).toMatchObject({ status, body: { code } });
  });

  test('of a backup that was never sealed is refused', async () => {
    const { open } = laptop.steps('back-up-3');
    const { backups } = await open(['acme']);
    expect(await post(`/backups/${backups[0]!.backupId}/hold`, { reason: 'x' })).toMatchObject({
      status: 409,
      body: { code: 'backup-not-sealed' },
    });
  });
});
