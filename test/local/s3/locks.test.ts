import {
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  GetObjectLegalHoldCommand,
  GetObjectLockConfigurationCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectLockConfigurationCommand,
  PutObjectRetentionCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LaptopS3, startS3 } from './laptop-s3.ts';

const Bucket = 'locked';
const day = 86_400_000;
const inDays = (days: number): Date => new Date(Math.floor(Date.now() / 1000) * 1000 + days * day);
let s3: LaptopS3;
beforeAll(async () => {
  s3 = await startS3();
  await s3.client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
});
afterAll(() => s3.remove());

const put = async (Key: string, more = {}): Promise<string> =>
  (await s3.client.send(new PutObjectCommand({ Bucket, Key, Body: 'x', ...more }))).VersionId!;
const drop = (Key: string, VersionId?: string, more = {}) =>
  s3.client.send(new DeleteObjectCommand({ Bucket, Key, VersionId, ...more }));
const retain = (Key: string, VersionId: string, Mode: 'GOVERNANCE' | 'COMPLIANCE', until: Date, more = {}) =>
  s3.client.send(
    new PutObjectRetentionCommand({ Bucket, Key, VersionId, Retention: { Mode, RetainUntilDate: until }, ...more }),
  );
const denied = { name: 'AccessDenied' };

describe('a locked version', () => {
  test('in COMPLIANCE mode cannot be deleted, shortened or weakened by anyone; it can be lengthened', async () => {
    const id = await put('c', { ObjectLockMode: 'COMPLIANCE', ObjectLockRetainUntilDate: inDays(2) });
    const bypass = { BypassGovernanceRetention: true };
    await expect(drop('c', id, bypass)).rejects.toMatchObject(denied);
    await expect(retain('c', id, 'COMPLIANCE', inDays(1), bypass)).rejects.toMatchObject(denied);
    await expect(retain('c', id, 'GOVERNANCE', inDays(3), bypass)).rejects.toMatchObject(denied);
    await retain('c', id, 'COMPLIANCE', inDays(3));
    const { Retention } = await s3.client.send(new GetObjectRetentionCommand({ Bucket, Key: 'c', VersionId: id }));
    expect(Retention).toEqual({ Mode: 'COMPLIANCE', RetainUntilDate: inDays(3) });
  });

  test('in GOVERNANCE mode yields to those who say so', async () => {
    const id = await put('g', { ObjectLockMode: 'GOVERNANCE', ObjectLockRetainUntilDate: inDays(2) });
    await expect(drop('g', id)).rejects.toMatchObject(denied);
    await expect(retain('g', id, 'GOVERNANCE', inDays(1))).rejects.toMatchObject(denied);
    await retain('g', id, 'GOVERNANCE', inDays(1), { BypassGovernanceRetention: true });
    await drop('g', id, { BypassGovernanceRetention: true });
    await expect(s3.client.send(new GetObjectCommand({ Bucket, Key: 'g', VersionId: id }))).rejects.toMatchObject({
      name: 'NoSuchVersion',
    });
  });

  test('under legal hold stays until the hold is lifted', async () => {
    const id = await put('h', { ObjectLockLegalHoldStatus: 'ON' });
    const head = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'h' }));
    expect(head.ObjectLockLegalHoldStatus).toBe('ON');
    await expect(drop('h', id, { BypassGovernanceRetention: true })).rejects.toMatchObject(denied);
    const many = await s3.client.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: 'h', VersionId: id }, { Key: 'free' }] } }),
    );
    expect(many.Errors?.map(({ Key, Code }) => [Key, Code])).toEqual([['h', 'AccessDenied']]);
    expect(many.Deleted?.map(({ Key }) => Key)).toEqual(['free']);
    await s3.client.send(new PutObjectLegalHoldCommand({ Bucket, Key: 'h', LegalHold: { Status: 'OFF' } }));
    const { LegalHold } = await s3.client.send(new GetObjectLegalHoldCommand({ Bucket, Key: 'h' }));
    expect(LegalHold?.Status).toBe('OFF');
    await drop('h', id);
  });

  test('is covered, not destroyed, by an overwrite or a delete without version', async () => {
    const id = await put('o', { ObjectLockMode: 'COMPLIANCE', ObjectLockRetainUntilDate: inDays(1) });
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'o', Body: 'other' }));
    await drop('o');
    const listed = await s3.client.send(new ListObjectVersionsCommand({ Bucket, Prefix: 'o' }));
    expect(listed.Versions?.map(({ VersionId }) => VersionId)).toContain(id);
  });
});

describe('a bucket with Object Lock', () => {
  test('gives new versions its rule', async () => {
    const ObjectLockConfiguration = {
      ObjectLockEnabled: 'Enabled' as const,
      Rule: { DefaultRetention: { Mode: 'GOVERNANCE' as const, Days: 3 } },
    };
    await s3.client.send(new CreateBucketCommand({ Bucket: 'ruled', ObjectLockEnabledForBucket: true }));
    await s3.client.send(new PutObjectLockConfigurationCommand({ Bucket: 'ruled', ObjectLockConfiguration }));
    const told = await s3.client.send(new GetObjectLockConfigurationCommand({ Bucket: 'ruled' }));
    expect(told.ObjectLockConfiguration).toEqual(ObjectLockConfiguration);
    await s3.client.send(new PutObjectCommand({ Bucket: 'ruled', Key: 'k', Body: 'x' }));
    const head = await s3.client.send(new HeadObjectCommand({ Bucket: 'ruled', Key: 'k' }));
    expect(head.ObjectLockMode).toBe('GOVERNANCE');
    const left = head.ObjectLockRetainUntilDate!.getTime() - Date.now();
    expect(left).toBeGreaterThan(3 * day - 60_000);
    expect(left).toBeLessThanOrEqual(3 * day);
  });

  test('has versions and cannot suspend them', async () => {
    const VersioningConfiguration = { Status: 'Suspended' } as const;
    const suspended = s3.client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
    await expect(suspended).rejects.toMatchObject({ name: 'InvalidBucketState' });
  });

  test('must exist before objects are locked', async () => {
    await s3.client.send(new CreateBucketCommand({ Bucket: 'plain' }));
    const put = new PutObjectCommand({
      ...{ Bucket: 'plain', Key: 'k', Body: 'x' },
      ...{ ObjectLockMode: 'COMPLIANCE', ObjectLockRetainUntilDate: inDays(1) },
    });
    await expect(s3.client.send(put)).rejects.toMatchObject({ name: 'InvalidRequest' });
    const get = s3.client.send(new GetObjectLockConfigurationCommand({ Bucket: 'plain' }));
    await expect(get).rejects.toMatchObject({ name: 'ObjectLockConfigurationNotFoundError' });
  });
});
