import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { SFNClient } from '@aws-sdk/client-sfn';
import pg from 'pg';
import { root } from '../../cloud.ts';
import { listKeys } from './stage.ts';
import type { Sight } from './world.ts';

/** One life of the local cloud, as `npx tenantry up` starts it, and what a test sees of it from outside. */
export interface Life {
  readonly sight: Sight;
  readonly states: SFNClient;
  /** The line in which it says what goes on from its last life. */
  readonly greeting: string;
  /** kill -9: no handler of its own runs any more. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export const newHome = async (): Promise<string> => {
  const home = await mkdtemp(join(tmpdir(), 'tenantry-crash-'));
  // As root PostgreSQL runs as another user, who has to pass through here.
  await chmod(home, 0o711);
  return home;
};

export const removeHome = (home: string): Promise<void> => rm(home, { recursive: true, force: true, maxRetries: 5 });

const greeted = (child: ChildProcess): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = '';
    let errors = '';
    child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('Next ')) resolve(text);
    });
    child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
      errors = (errors + chunk).slice(-4_000);
    });
    child.once('exit', (code) => reject(new Error(`the cloud ended with ${code} before it was up: ${errors}`)));
  });

/** Starts the cloud on its data directory and resolves when it answers. */
export const startLife = async (home: string): Promise<Life> => {
  const child = spawn(process.execPath, [join(root, 'local', 'main.ts'), '--home', home], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const greeting = await greeted(child);
  const read = async <T>(file: string): Promise<T> => JSON.parse(await readFile(join(home, file), 'utf8')) as T;
  const cloud = await read<{
    endpoint: string;
    region: string;
    accountId: string;
    accessKeyId: string;
    secretAccessKey: string;
  }>('cloud.json');
  const { username, password, port } = await read<{ username: string; password: string; port: number }>(
    'postgres/server.json',
  );
  const client = { endpoint: cloud.endpoint, region: cloud.region, credentials: cloud };
  const states = new SFNClient(client);
  const s3 = new S3Client({ ...client, forcePathStyle: true });
  const open = (database: string): pg.Pool => {
    const pool = new pg.Pool({ host: '127.0.0.1', port, database, user: username, password, max: 2 });
    pool.on('error', () => undefined);
    return pool;
  };
  const [control, pool] = [open('control'), open('pool')];
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    await Promise.all([control.end(), pool.end()]);
    for (const sdk of [states, s3]) sdk.destroy();
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  };
  return {
    states,
    greeting,
    sight: {
      control,
      pool,
      keys: listKeys(s3),
      laptop: {
        states,
        machineArn: (name) => `arn:aws:states:${cloud.region}:${cloud.accountId}:stateMachine:tenantry-${name}`,
      },
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
  };
};
