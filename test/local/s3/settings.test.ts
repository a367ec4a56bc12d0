import {
  CreateBucketCommand,
  DeleteBucketLifecycleCommand,
  DeleteBucketPolicyCommand,
  GetBucketAclCommand,
  GetBucketCorsCommand,
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketNotificationConfigurationCommand,
  GetBucketPolicyCommand,
  GetBucketTaggingCommand,
  GetObjectCommand,
  GetPublicAccessBlockCommand,
  PutBucketCorsCommand,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketPolicyCommand,
  PutBucketTaggingCommand,
  PutBucketWebsiteCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  PutPublicAccessBlockCommand,
  SelectObjectContentCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LaptopS3, startS3 } from './laptop-s3.ts';

const Bucket = 'settings';
let s3: LaptopS3;
beforeAll(async () => {
  s3 = await startS3();
  await s3.client.send(new CreateBucketCommand({ Bucket }));
});
afterAll(() => s3.remove());

describe('a setting of a bucket', () => {
  test('comes back as it was put, and is absent once deleted', async () => {
    const Rules = [{ ID: 'x', Status: 'Enabled' as const, Filter: { Prefix: 'tenants/' }, Expiration: { Days: 7 } }];
    const get = () => s3.client.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
    await expect(get()).rejects.toMatchObject({ name: 'NoSuchLifecycleConfiguration' });
    await s3.client.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules } }));
    expect((await get()).Rules).toEqual(Rules);
    await s3.client.send(new DeleteBucketLifecycleCommand({ Bucket }));
    await expect(get()).rejects.toMatchObject({ name: 'NoSuchLifecycleConfiguration' });
  });

  test('that is a policy is JSON', async () => {
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [] });
    await s3.client.send(new PutBucketPolicyCommand({ Bucket, Policy }));
    expect((await s3.client.send(new GetBucketPolicyCommand({ Bucket }))).Policy).toBe(Policy);
    const broken = s3.client.send(new PutBucketPolicyCommand({ Bucket, Policy: '{' }));
    await expect(broken).rejects.toMatchObject({ name: 'MalformedPolicy' });
    await s3.client.send(new DeleteBucketPolicyCommand({ Bucket }));
    await expect(s3.client.send(new GetBucketPolicyCommand({ Bucket }))).rejects.toMatchObject({
      name: 'NoSuchBucketPolicy',
    });
  });

  test('for tags, rules of origin and notifications comes back', async () => {
    const TagSet = [{ Key: 'a', Value: '<b>' }];
    await s3.client.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }));
    expect((await s3.client.send(new GetBucketTaggingCommand({ Bucket }))).TagSet).toEqual(TagSet);
    const CORSRules = [{ AllowedMethods: ['GET'], AllowedOrigins: ['*'] }];
    await s3.client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } }));
    expect((await s3.client.send(new GetBucketCorsCommand({ Bucket }))).CORSRules).toEqual(CORSRules);
    const NotificationConfiguration = { EventBridgeConfiguration: {} };
    await s3.client.send(new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration }));
    const told = await s3.client.send(new GetBucketNotificationConfigurationCommand({ Bucket }));
    expect(told.EventBridgeConfiguration).toEqual({});
  });

  test('for encryption becomes the default of objects', async () => {
    const encryption = async () => {
      const told = await s3.client.send(new GetBucketEncryptionCommand({ Bucket }));
      return told.ServerSideEncryptionConfiguration?.Rules?.[0]?.ApplyServerSideEncryptionByDefault;
    };
    expect(await encryption()).toEqual({ SSEAlgorithm: 'AES256' });
    const usual = { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: 'alias/archive' } as const;
    const Rules = [{ ApplyServerSideEncryptionByDefault: usual }];
    await s3.client.send(new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration: { Rules } }));
    expect(await encryption()).toEqual(usual);
    const { ServerSideEncryption, SSEKMSKeyId } = await s3.client.send(
      new PutObjectCommand({ Bucket, Key: 'k', Body: 'x' }),
    );
    expect([ServerSideEncryption, SSEKMSKeyId]).toEqual(['aws:kms', 'alias/archive']);
  });

  test('for public access is closed by default', async () => {
    const get = () => s3.client.send(new GetPublicAccessBlockCommand({ Bucket }));
    expect((await get()).PublicAccessBlockConfiguration?.BlockPublicAcls).toBe(true);
    const PublicAccessBlockConfiguration = { BlockPublicAcls: false };
    await s3.client.send(new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration }));
    expect((await get()).PublicAccessBlockConfiguration).toEqual({ BlockPublicAcls: false });
  });
});

describe('a request that this S3 does not know', () => {
  test('is refused by name and changes nothing', async () => {
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'kept', Body: 'bytes' }));
    const select = {
      Bucket,
      Key: 'kept',
      Expression: 'SELECT 1',
      ExpressionType: 'SQL',
      InputSerialization: { CSV: {} },
      OutputSerialization: { CSV: {} },
    } as const;
    for (const [request, name] of [
      [
        () => s3.client.send(new PutObjectAclCommand({ Bucket, Key: 'kept', ACL: 'private' })),
        'PUT /{bucket}/{key}?acl',
      ],
      [() => s3.client.send(new GetBucketAclCommand({ Bucket })), 'GET /{bucket}?acl'],
      [
        () => s3.client.send(new PutBucketWebsiteCommand({ Bucket, WebsiteConfiguration: {} })),
        'PUT /{bucket}?website',
      ],
      [() => s3.client.send(new SelectObjectContentCommand(select)), 'POST /{bucket}/{key}?select'],
    ] as const) {
      await expect(request()).rejects.toMatchObject({
        name: 'NotImplemented',
        message: expect.stringContaining(name),
        $metadata: { httpStatusCode: 501 },
      });
    }
    const found = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'kept' }));
    expect(await found.Body?.transformToString()).toBe('bytes');
  });
});
