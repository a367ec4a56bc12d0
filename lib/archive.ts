import { BlockPublicAccess, Bucket, BucketEncryption, ObjectLockRetention, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { Duration, RemovalPolicy } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import type { Parameters } from './parameters.ts';

/** The bucket of archives and its access log: versioned, encrypted, closed to the public, TLS only, kept when the stack goes. */
export const createArchive = (scope: Construct, { objectLock, lockDays }: Parameters): Bucket => {
  const closed = {
    encryption: BucketEncryption.S3_MANAGED,
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    enforceSSL: true,
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    removalPolicy: RemovalPolicy.RETAIN,
  };
  const accessLog = new Bucket(scope, 'ArchiveAccessLog', {
    ...closed,
    lifecycleRules: [{ expiration: Duration.days(365) }],
  });
  return new Bucket(scope, 'Archive', {
    ...closed,
    versioned: true,
    serverAccessLogsBucket: accessLog,
    ...(objectLock
      ? { objectLockEnabled: true, objectLockDefaultRetention: ObjectLockRetention.compliance(Duration.days(lockDays)) }
      : {}),
    lifecycleRules: [
      // expire-backups leaves delete markers and no function may destroy a version: what was deleted by mistake, or by somebody
      // who got hold of a function, can be brought back for 30 days. Locked versions outlive this rule until their lock ends.
      {
        abortIncompleteMultipartUploadAfter: Duration.days(2),
        noncurrentVersionExpiration: Duration.days(30),
        expiredObjectDeleteMarker: true,
      },
      // The list of due tenants of one fleet run: read once, within the hour.
      { prefix: 'fleet/', expiration: Duration.days(2) },
    ],
  });
};
