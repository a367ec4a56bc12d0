import {
  GetObjectLockConfigurationCommand,
  PutObjectLegalHoldCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import type { Objects } from './objects.ts';

const hasObjectLock = async (s3: S3Client, bucket: string): Promise<boolean> => {
  try {
    const { ObjectLockConfiguration } = await s3.send(new GetObjectLockConfigurationCommand({ Bucket: bucket }));
    return ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled';
  } catch (error) {
    if (error instanceof S3ServiceException && error.name === 'ObjectLockConfigurationNotFoundError') return false;
    throw error;
  }
};

/**
 * Sets or lifts S3's legal hold on every object under `prefix`: while it stands nobody, the account's owner included, can
 * destroy those versions. Answers how many objects, undefined where the bucket has no Object Lock. Safe to repeat.
 */
export const setLegalHold = async (
  s3: S3Client,
  objects: Objects,
  prefix: string,
  on: boolean,
): Promise<number | undefined> => {
  if (!(await hasObjectLock(s3, objects.bucket))) return undefined;
  let count = 0;
  for await (const { key } of objects.list(prefix)) {
    await s3.send(
      new PutObjectLegalHoldCommand({
        Bucket: objects.bucket,
        Key: key,
        LegalHold: { Status: on ? 'ON' : 'OFF' },
      }),
    );
    count += 1;
  }
  return count;
};
