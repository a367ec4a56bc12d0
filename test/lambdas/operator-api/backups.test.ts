import {
  DeleteObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectLockConfigurationCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { workloadObjects } from '../../../domain/workload/workload.ts';
import { handler as exportWorkload } from '../../../lambdas/backup/export-workload.ts';
import { operatorApi } from '../../../lambdas/operator-api/app.ts';
import { startTestClusters, type TestClusters } from '../../adapters/cluster/control-plane.ts';
import { aWorkload } from '../../domain/workload/any-workload.ts';
import { type BackupLaptop, startBackupLaptop } from '../backup/backup-laptop.ts';

const Bucket = 'archive';
let laptop: BackupLaptop;
let api: ReturnType<typeof operatorApi>;
let s3: S3Client;
let clusters: TestClusters;
let archive = '';
let pointing = '';
beforeAll(async () => {
  laptop = await startBackupLaptop();
  api = operatorApi(() => laptop.world);
  // Endpoint and keys are those of the process, as for every handler.
  s3 = new S3Client({ forcePathStyle: true });
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
  await laptop.signUp('acme');
  clusters = await startTestClusters();
  const cluster = clusters.cluster('one');
  Object.defineProperty(laptop.world, 'findCluster', { value: async () => cluster });
  await laptop.world.registry.clusters.upsert({ id: 'one', cell: 'eu-1', region: 'eu-central-1', capacity: 50 });
  await laptop.signUp('globex');
  const namespace = 't-globex-0a1b2c';
  await cluster.apply(workloadObjects({ ...aWorkload({}, 'globex'), namespace }));
  await laptop.sql.query(
    `UPDATE placements SET tier = 'namespace', cluster_id = 'one', namespace = $1 WHERE tenant_id = 'globex'`,
    [namespace],
  );
  archive = await laptop.backUp('back-up-1', 'acme');
  pointing = await laptop.backUp('back-up-2', 'acme');
});
afterAll(async () => {
  s3.destroy();
  await Promise.all([laptop.stop(), clusters.stop()]);
});

const post = async (path: string, body: object = {}) => {
  const response = await api.request(`/api/v1${path}`, {
    method: 'POST',
    headers: { 'x-tenantry-actor': 'ada' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

const get = async (path: string) => {
  const response = await api.request(`/api/v1${path}`);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

/** A backup of a tenant with an app of its own, its Kubernetes objects with it. */
const ofOwnApp = async (operation: string): Promise<string> => {
  const { open, dump, seal } = laptop.steps(operation);
  const slice = await open(['globex']);
  const { failed } = await dump(slice);
  await exportWorkload.run({ operation, backups: slice.backups }, laptop.world);
  await seal(slice, { failed });
  return slice.backups[0]!.backupId;
};

/** Tries to destroy every version under a prefix for good; how many S3 refused. */
const refusals = async (Prefix = `t/acme/${archive}/`): Promise<number> => {
  const { Versions = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket, Prefix }));
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

  test('locks the Kubernetes objects of a backup that has the rows of another one, and lets them go with it', async () => {
    const first = await ofOwnApp('own-1');
    const second = await ofOwnApp('own-2');
    const prefix = `t/globex/${second}/kubernetes/`;
    // Only its objects are its own: its rows are those of the first.
    expect(await laptop.world.registry.backups.get(second)).toMatchObject({ sameAs: first, objectsState: 'archived' });
    const held = await post(`/backups/${second}/hold`, { reason: 'court order 9' });
    expect(held.body.lockedObjects).toBeGreaterThanOrEqual(4);
    expect(await refusals(prefix)).toBe(2);
    expect(await post(`/backups/${second}/release`)).toMatchObject({ status: 200, body: { heldAt: null } });
    expect(await refusals(prefix)).toBe(0);
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

describe('the Kubernetes objects of a backup', () => {
  test('are listed by kind and name', async () => {
    const id = await ofOwnApp('own-3');
    const { status, body } = await get(`/backups/${id}/objects`);
    expect(status).toBe(200);
    const items = body.items as object[];
    expect(items[0]).toEqual({ apiVersion: 'v1', kind: 'Namespace', name: 't-globex-0a1b2c' });
    expect(items).toContainEqual({ apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' });
    expect(items).toHaveLength((await laptop.world.registry.backups.get(id))!.objectsCount!);
  });

  test('of one without any are not found, and why', async () => {
    const { status, body } = await get(`/backups/${archive}/objects`);
    expect({ status, code: body.code }).toEqual({ status: 404, code: 'backup-without-objects' });
    expect(body.detail).toContain('shared one');
  });
});
