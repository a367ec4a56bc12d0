import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { createS3Service, type S3Options, type S3Service } from '../../../local/services/s3.ts';

export const credentials = { accessKeyId: 'AKIALAPTOPSTEST00000', secretAccessKey: 'secret/of+the/test' };
export const accountId = '000000000000';

export interface LaptopS3 {
  readonly directory: string;
  readonly endpoint: string;
  readonly service: S3Service;
  readonly client: S3Client;
  connect(config?: S3ClientConfig): S3Client;
  /** Stops the server and answers; the directory stays for another start. */
  stop(): Promise<void>;
  /** Stops and removes the directory. */
  remove(): Promise<void>;
}

export const newDirectory = (): string => mkdtempSync(join(tmpdir(), 'laptop-s3-'));

/** Serves S3 on a free port of the loopback, as the gateway does: a bare HTTP server in front of the service. */
export const startS3 = async (options: Partial<S3Options> = {}): Promise<LaptopS3> => {
  const directory = options.directory ?? newDirectory();
  const known = { ...credentials, principalArn: `arn:aws:iam::${accountId}:root` };
  const service = createS3Service({
    region: 'us-east-1',
    accountId,
    credentials: { lookup: (id) => (id === known.accessKeyId ? known : undefined) },
    ...options,
    directory,
  });
  const server = createServer((request, response) => {
    const gone = new AbortController();
    request.once('close', () => gone.abort());
    void service.handle(request, response, { requestId: randomUUID(), endpoint: '', signal: gone.signal });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const clients: S3Client[] = [];
  const connect = (config: S3ClientConfig = {}): S3Client => {
    const client = new S3Client({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1, ...config });
    clients.push(client);
    return client;
  };
  let stopped: Promise<void> | undefined;
  const stopNow = async (): Promise<void> => {
    for (const client of clients) client.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await service.close();
  };
  const stop = (): Promise<void> => (stopped ??= stopNow());
  return {
    directory,
    endpoint,
    service,
    client: connect(),
    connect,
    stop,
    async remove() {
      await stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
};
