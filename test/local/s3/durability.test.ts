import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { afterEach, describe, expect, test } from 'vitest';
import { createS3Service } from '../../../local/services/s3.ts';
import { accountId, credentials, newDirectory, startS3 } from './laptop-s3.ts';

const Bucket = 'durable';
const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

const directoryOfTest = (): string => {
  const directory = newDirectory();
  undo.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
};

interface Running {
  readonly child: ChildProcess;
  readonly client: S3Client;
  /** Resident memory in MiB. */
  weigh(): Promise<number>;
}

const run = async (directory: string): Promise<Running> => {
  const script = join(import.meta.dirname, 's3-process.ts');
  const child = spawn(process.execPath, ['--expose-gc', script, directory], { stdio: ['pipe', 'pipe', 'inherit'] });
  undo.push(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { value: endpoint } = await lines.next();
  const client = new S3Client({ endpoint: String(endpoint), region: 'us-east-1', credentials, maxAttempts: 1 });
  undo.push(() => client.destroy());
  return {
    child,
    client,
    async weigh() {
      child.stdin.write('\n');
      return Number((await lines.next()).value);
    },
  };
};

const kill = async ({ child }: Running): Promise<void> => {
  child.kill('SIGKILL');
  await once(child, 'exit');
};

const filesOf = (directory: string): string[] =>
  readdirSync(join(directory, 'blobs'), { recursive: true, encoding: 'utf8' }).filter((name) => name.length > 2);

describe('after kill -9', () => {
  test('every acknowledged object is there, whole, and nothing else', async () => {
    const directory = directoryOfTest();
    const first = await run(directory);
    await first.client.send(new CreateBucketCommand({ Bucket }));
    const acknowledged = new Map<string, string>();
    let killed: Promise<void> | undefined;
    const write = async (worker: number): Promise<void> => {
      for (let index = 0; ; index++) {
        const Body = randomBytes(index % 4 === 0 ? 200_000 : 1_000);
        const Key = `${worker}/${index}`;
        await first.client.send(new PutObjectCommand({ Bucket, Key, Body }));
        acknowledged.set(Key, createHash('sha256').update(Body).digest('hex'));
        if (acknowledged.size >= 120) killed ??= kill(first);
      }
    };
    await Promise.allSettled([0, 1, 2, 3].map(write));
    await killed;

    const second = await startS3({ directory });
    undo.push(() => second.stop());
    for (const [Key, hash] of acknowledged) {
      const { Body } = await second.client.send(new GetObjectCommand({ Bucket, Key }));
      expect(
        createHash('sha256')
          .update(await Body!.transformToByteArray())
          .digest('hex'),
      ).toBe(hash);
    }
    const { KeyCount, Contents } = await second.client.send(new ListObjectsV2Command({ Bucket }));
    // A PUT that was under way may have been committed and not yet answered: one per worker at most.
    expect(KeyCount).toBeGreaterThanOrEqual(acknowledged.size);
    expect(KeyCount).toBeLessThanOrEqual(acknowledged.size + 4);
    expect(filesOf(directory).length).toBe(Contents!.filter(({ Size }) => Size === 200_000).length);
  });

  test('a multipart upload goes on with the parts that it had', async () => {
    const directory = directoryOfTest();
    const first = await run(directory);
    await first.client.send(new CreateBucketCommand({ Bucket }));
    const named = { Bucket, Key: 'resumed' };
    const { UploadId } = await first.client.send(new CreateMultipartUploadCommand(named));
    const parts = [randomBytes(5 * 2 ** 20), randomBytes(100)];
    await first.client.send(new UploadPartCommand({ ...named, UploadId, PartNumber: 1, Body: parts[0] }));
    await kill(first);

    const second = await startS3({ directory });
    undo.push(() => second.stop());
    await second.client.send(new UploadPartCommand({ ...named, UploadId, PartNumber: 2, Body: parts[1] }));
    const { Parts } = await second.client.send(new ListPartsCommand({ ...named, UploadId }));
    const MultipartUpload = { Parts: Parts!.map(({ PartNumber, ETag }) => ({ PartNumber, ETag })) };
    await second.client.send(new CompleteMultipartUploadCommand({ ...named, UploadId, MultipartUpload }));
    const { Body } = await second.client.send(new GetObjectCommand(named));
    expect(Buffer.from(await Body!.transformToByteArray()).equals(Buffer.concat(parts))).toBe(true);
  });
});

test('a client that hangs up in the middle leaves nothing behind', async () => {
  const directory = directoryOfTest();
  const s3 = await startS3({ directory });
  undo.push(() => s3.stop());
  await s3.client.send(new CreateBucketCommand({ Bucket }));
  const gone = new AbortController();
  const Body = Readable.from(
    (async function* () {
      for (let count = 0; count < 30; count++) yield randomBytes(2 ** 20);
      await expect.poll(() => filesOf(directory).length).toBe(1);
      gone.abort();
      yield randomBytes(10 * 2 ** 20);
    })(),
  );
  const put = new PutObjectCommand({ Bucket, Key: 'half', Body, ContentLength: 40 * 2 ** 20 });
  await expect(s3.client.send(put, { abortSignal: gone.signal })).rejects.toMatchObject({ name: 'AbortError' });
  await expect.poll(() => filesOf(directory)).toEqual([]);
  expect((await s3.client.send(new ListObjectsV2Command({ Bucket }))).KeyCount).toBe(0);
});

describe('at its start', () => {
  test('what a cut-short upload left behind is removed, what is referenced stays', async () => {
    const directory = directoryOfTest();
    const first = await startS3({ directory });
    await first.service.objects.put(Bucket, 'k', 'x').catch(() => undefined);
    await first.client.send(new CreateBucketCommand({ Bucket }));
    await first.service.objects.put(Bucket, 'k', randomBytes(100_000));
    await first.stop();
    const [kept] = filesOf(directory);
    mkdirSync(join(directory, 'blobs', 'zz'));
    writeFileSync(join(directory, 'blobs', 'zz', 'zz-left-behind'), 'half an upl');
    const second = await startS3({ directory });
    undo.push(() => second.stop());
    expect(filesOf(directory)).toEqual([kept]);
  });

  test('a directory that another process serves is refused, not swept', async () => {
    const directory = directoryOfTest();
    await run(directory);
    const open = () =>
      createS3Service({ directory, region: 'us-east-1', accountId, credentials: { lookup: () => undefined } });
    expect(open).toThrow(/is in use by another S3 process/);
  });
});

test('an upload of 200 MB and its download need less than 60 MB of memory', async () => {
  const s3 = await run(directoryOfTest());
  await s3.client.send(new CreateBucketCommand({ Bucket }));
  const mebibyte = randomBytes(2 ** 20);
  const warm = Array.from(
    { length: 8 },
    (_, index) => new PutObjectCommand({ Bucket, Key: `${index}`, Body: mebibyte }),
  );
  await Promise.all(warm.map((command) => s3.client.send(command)));
  const before = await s3.weigh();
  const Body = Readable.from(
    (function* () {
      for (let count = 0; count < 200; count++) yield mebibyte;
    })(),
  );
  await new Upload({ client: s3.client, params: { Bucket, Key: 'big', Body }, partSize: 8 * 2 ** 20 }).done();
  const afterUpload = await s3.weigh();
  const { Body: stream } = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'big' }));
  let size = 0;
  for await (const data of stream as Readable) size += (data as Buffer).length;
  const afterDownload = await s3.weigh();
  expect(size).toBe(200 * 2 ** 20);
  expect(Math.max(afterUpload, afterDownload) - before).toBeLessThan(60);
});
