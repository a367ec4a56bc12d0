import type { Readable } from 'node:stream';
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';

export interface StoredObject {
  readonly key: string;
  readonly size: number;
}

/** The archive bucket. Absence is an answer (undefined), any other failure is thrown as the SDK throws it. */
export interface Objects {
  readonly bucket: string;
  text(key: string): Promise<string | undefined>;
  bytes(key: string): Promise<Buffer | undefined>;
  /** Bytes `offset` to `offset + length - 1`; fewer where the object is shorter. */
  range(key: string, offset: number, length: number): Promise<Readable | undefined>;
  /** At most the first `length` bytes, and how many the object has. */
  head(key: string, length: number): Promise<{ readonly bytes: Buffer; readonly size: number } | undefined>;
  /** Bytes of the object, undefined where there is none. */
  size(key: string): Promise<number | undefined>;
  put(key: string, body: string | Uint8Array, contentType?: string): Promise<void>;
  /** Writes only where no object is yet; false where one is. The check is S3's (If-None-Match), so two writers cannot both win. */
  putNew(key: string, body: string | Uint8Array, contentType?: string): Promise<boolean>;
  /** Multipart: 5 MiB parts (S3's least), two under way, so at most 15 MiB are held; 10,000 parts hold 48 GiB. */
  upload(key: string, body: Readable): Promise<void>;
  list(prefix: string): AsyncIterable<StoredObject>;
  /** Deletes everything under `prefix`; how many objects that were. Safe to repeat. */
  remove(prefix: string): Promise<number>;
}

const isAbsent = (error: unknown): boolean =>
  error instanceof NoSuchKey ||
  error instanceof NotFound ||
  (error instanceof S3ServiceException && (error.name === 'InvalidRange' || error.$metadata.httpStatusCode === 404));

const orUndefined = async <Result>(reading: Promise<Result>): Promise<Result | undefined> => {
  try {
    return await reading;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
};

/** 412: an object is there. 409: another conditional write of the same key is under way, and one of them wins. */
const isTaken = (error: unknown): boolean =>
  error instanceof S3ServiceException &&
  (error.$metadata.httpStatusCode === 412 || error.$metadata.httpStatusCode === 409);

export const openObjects = (s3: S3Client, bucket: string): Objects => {
  const get = async (key: string, range?: string) =>
    (await orUndefined(s3.send(new GetObjectCommand({ Bucket: bucket, Key: key, Range: range }))))?.Body;

  async function* list(prefix: string): AsyncGenerator<StoredObject> {
    let token: string | undefined;
    do {
      const page = await s3.send(
        new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token }),
      );
      for (const { Key, Size } of page.Contents ?? []) if (Key !== undefined) yield { key: Key, size: Size ?? 0 };
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }

  const deleteAll = async (keys: readonly string[]): Promise<void> => {
    const { Errors } = await s3.send(
      new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: keys.map((Key) => ({ Key })), Quiet: true } }),
    );
    const first = Errors?.[0];
    if (first) throw new Error(`S3 did not delete ${first.Key} of bucket ${bucket}: ${first.Code} ${first.Message}`);
  };

  return {
    bucket,
    text: async (key) => (await get(key))?.transformToString(),
    bytes: async (key) => {
      const body = await (await get(key))?.transformToByteArray();
      return body && Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    },
    range: async (key, offset, length) =>
      (await get(key, `bytes=${offset}-${offset + length - 1}`)) as Readable | undefined,
    head: async (key, length) => {
      const found = await orUndefined(
        s3.send(new GetObjectCommand({ Bucket: bucket, Key: key, Range: `bytes=0-${length - 1}` })),
      );
      const body = await found?.Body?.transformToByteArray();
      if (!found || !body) return undefined;
      const size = Number(/\/(\d+)$/.exec(found.ContentRange ?? '')?.[1] ?? body.byteLength);
      return { bytes: Buffer.from(body.buffer, body.byteOffset, body.byteLength), size };
    },
    size: async (key) =>
      (await orUndefined(s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))))?.ContentLength,
    put: async (key, body, contentType) => {
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentType: contentType }));
    },
    putNew: async (key, body, contentType) => {
      try {
        await s3.send(
          new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentType: contentType, IfNoneMatch: '*' }),
        );
        return true;
      } catch (error) {
        if (isTaken(error)) return false;
        throw error;
      }
    },
    upload: async (key, body) => {
      const upload = new Upload({
        client: s3,
        params: { Bucket: bucket, Key: key, Body: body },
        partSize: 5 * 1024 * 1024,
        queueSize: 2,
      });
      await upload.done();
    },
    list,
    remove: async (prefix) => {
      let removed = 0;
      let batch: string[] = [];
      for await (const { key } of list(prefix)) {
        batch.push(key);
        removed += 1;
        // DeleteObjects takes 1,000 keys.
        if (batch.length === 1_000) await deleteAll(batch.splice(0));
      }
      if (batch.length > 0) await deleteAll(batch);
      batch = [];
      return removed;
    },
  };
};
