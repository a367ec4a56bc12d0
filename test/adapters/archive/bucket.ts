import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { type Archive, openArchive } from '../../../adapters/archive/archive.ts';
import { startS3 } from '../../local/s3/laptop-s3.ts';

export interface TestBucket {
  readonly archive: Archive;
  /** The same bucket for a process that has read nothing of it yet. */
  anew(): Archive;
  /** Flips one bit of an object, as a failing disk would. */
  flipBit(key: string, byte: number): Promise<void>;
  /** Cuts an object off after so many bytes. */
  truncate(key: string, length: number): Promise<void>;
  stop(): Promise<void>;
}

/** An archive bucket in the laptop's S3, behind HTTP and signatures. */
export const openTestBucket = async (): Promise<TestBucket> => {
  const s3 = await startS3({ fsync: false });
  const client = s3.connect({ forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: 'archive' }));
  const archive = openArchive({ bucket: 'archive', s3: client });
  const bytesOf = async (key: string): Promise<Buffer> => {
    const bytes = await archive.objects.bytes(key);
    if (!bytes) throw new Error(`no object ${key} to damage`);
    return bytes;
  };
  return {
    archive,
    anew: () => openArchive({ bucket: 'archive', s3: client }),
    flipBit: async (key, byte) => {
      const bytes = await bytesOf(key);
      bytes.writeUInt8(bytes.readUInt8(byte) ^ 1, byte);
      await archive.objects.put(key, bytes);
    },
    truncate: async (key, length) => archive.objects.put(key, (await bytesOf(key)).subarray(0, length)),
    stop: () => s3.remove(),
  };
};
