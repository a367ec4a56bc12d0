import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { credentials } from '../test/local/s3/laptop-s3.ts';
import type { BenchRow } from './row.ts';

const Bucket = 'bench';
const megabytes = 200;
const smallPuts = 2000;
const inParallel = 4;
const chunk = randomBytes(1_000_000);

const bytes = (): Readable =>
  Readable.from(
    (function* () {
      for (let count = 0; count < megabytes; count++) yield chunk;
    })(),
  );

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
};

const rate = (count: number, elapsed: number): number => Math.round(count / elapsed);

/** A process of its own, so that client and server have a core each, as a Lambda child and the laptop have. */
const startServer = async (directory: string) => {
  const script = join(import.meta.dirname, '..', 'test', 'local', 's3', 's3-process.ts');
  const child = spawn(process.execPath, ['--expose-gc', script, directory], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const endpoint = String((await lines.next()).value);
  return {
    endpoint,
    async weigh() {
      child.stdin.write('\n');
      return Number((await lines.next()).value);
    },
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
};

const putSmall = async (client: S3Client, count: number): Promise<void> => {
  const Body = chunk.subarray(0, 4096);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) await client.send(new PutObjectCommand({ Bucket, Key: `small/${next++}`, Body }));
  };
  await Promise.all(Array.from({ length: inParallel }, work));
};

/** The laptop S3 through the unmodified SDK: one large upload and download, many small writes, memory. */
export const benchS3 = async (): Promise<BenchRow[]> => {
  const directory = mkdtempSync(join(tmpdir(), 'bench-s3-'));
  const server = await startServer(directory);
  const client = new S3Client({ endpoint: server.endpoint, region: 'us-east-1', credentials });
  try {
    await client.send(new CreateBucketCommand({ Bucket }));
    await putSmall(client, 300);
    const before = await server.weigh();
    const small = await seconds(() => putSmall(client, smallPuts));
    const params = { Bucket, Key: 'large', Body: bytes() };
    const up = await seconds(() => new Upload({ client, params, partSize: 8 * 2 ** 20 }).done());
    const down = await seconds(async () => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: 'large' }));
      for await (const _ of Body as Readable);
    });
    const grown = Math.round((await server.weigh()) - before);
    const plain = await seconds(() =>
      pipeline(bytes(), createWriteStream(join(directory, 'yardstick'), { flush: true })),
    );
    const yardstick = {
      name: 'the same bytes through an fs stream, synced',
      value: rate(megabytes, plain),
      unit: 'MB/s',
    };
    return [
      { name: 's3.put_mb_s', value: rate(megabytes, up), unit: 'MB/s', yardstick },
      { name: 's3.get_mb_s', value: rate(megabytes, down), unit: 'MB/s' },
      {
        name: 's3.small_puts_s',
        value: rate(smallPuts, small),
        unit: 'PUT/s (4 KiB, 4 in parallel)',
        goal: '>= 600',
        met: smallPuts / small >= 600,
      },
      { name: 's3.memory_growth_mb', value: grown, unit: 'MiB', goal: '< 60', met: grown < 60 },
    ];
  } finally {
    client.destroy();
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
};
