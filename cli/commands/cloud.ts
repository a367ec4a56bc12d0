import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { call } from '../api.ts';
import { type CloudFile, cloudFile, connectedCloud, home, isAlive, projectRoot, runningCloud } from '../connection.ts';
import { CommandFailure, exitCodes } from '../exit-codes.ts';
import { globals, wholeNumber } from '../options.ts';
import { requireFreePort } from '../ports.ts';
import { instant, printRecord } from '../print.ts';
import { lockStart } from '../start-lock.ts';

const localMain = join(projectRoot, 'local', 'main.ts');

export interface StartOptions {
  readonly port?: number;
}

const argumentsOf = ({ port }: StartOptions): string[] => [
  localMain,
  '--home',
  home(),
  ...(port === undefined ? [] : ['--port', String(port)]),
];

/** Checks what would stop a start, then holds the data directory for this process. Answers the release. */
const prepareStart = async ({ port }: StartOptions): Promise<() => void> => {
  mkdirSync(home(), { recursive: true });
  const release = lockStart();
  try {
    const running = runningCloud();
    if (running)
      throw new CommandFailure(
        exitCodes.conflict,
        `a local cloud already runs on ${home()} (process ${running.pid}, port ${running.port}); npx tenantry down ends it`,
      );
    const wanted = port ?? cloudFile()?.port;
    if (wanted !== undefined) await requireFreePort(wanted);
    return release;
  } catch (error) {
    release();
    throw error;
  }
};

/** A first start takes 5 s here, 11 s with both cores busy; a start that is silent for this long will not come. */
const startWithin = 180_000;

/** The last lines of the log that this start wrote. */
const tailOf = (logFile: string, from: number): string =>
  readFileSync(logFile).subarray(from).toString('utf8').trimEnd().split('\n').slice(-8).join('\n');

/** Starts the local cloud as a process of its own that outlives this one; resolves when it answers. */
export const startDetached = async (options: StartOptions = {}): Promise<CloudFile> => {
  const release = await prepareStart(options);
  try {
    const logFile = join(home(), 'cloud.log');
    const log = openSync(logFile, 'a', 0o600);
    const from = fstatSync(log).size;
    const child = spawn(process.execPath, argumentsOf(options), { detached: true, stdio: ['ignore', log, log] });
    closeSync(log);
    child.unref();
    let died = false;
    child.once('exit', () => {
      died = true;
    });
    const deadline = Date.now() + startWithin;
    for (;;) {
      const cloud = cloudFile();
      if (cloud && cloud.pid === child.pid) return cloud;
      if (died || Date.now() > deadline) {
        child.kill('SIGTERM');
        throw new CommandFailure(
          exitCodes.executionFailed,
          `the local cloud did not start${died ? '' : ` within ${startWithin / 1000} s`}:\n${tailOf(logFile, from)}\n(all of it: ${logFile})`,
        );
      }
      await delay(50);
    }
  } finally {
    release();
  }
};

const isNoProcess = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ESRCH';

/** Resolves when the process is gone. Throws CommandFailure waitTimedOut after 60 s. */
export const awaitGone = async (pid: number): Promise<void> => {
  const deadline = Date.now() + 60_000;
  while (isAlive(pid)) {
    if (Date.now() > deadline)
      throw new CommandFailure(
        exitCodes.waitTimedOut,
        `process ${pid} did not end within 60 s; see ${home()}/cloud.log`,
      );
    await delay(20);
  }
};

/** Ends a running local cloud in order; resolves when its process is gone. */
export const stopCloud = async (cloud: CloudFile): Promise<void> => {
  try {
    process.kill(cloud.pid, 'SIGTERM');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPERM')
      throw new CommandFailure(
        exitCodes.forbidden,
        `process ${cloud.pid} belongs to another user; end the cloud as that user`,
      );
    if (!isNoProcess(error)) throw error;
  }
  await awaitGone(cloud.pid);
};

const up = new Command('up')
  .description('starts the local cloud; with --detach in the background')
  .option(
    '--port <port>',
    'port of the AWS endpoint and of the tenants; else that of the last start',
    wholeNumber(1, 65_535),
  )
  .option('--detach', 'return when it is ready')
  .action(async (options: StartOptions & { detach?: boolean }, command: Command) => {
    if (options.detach) {
      const cloud = await startDetached(options);
      const { pid, port, endpoint } = cloud;
      if (globals(command).output === 'json')
        console.log(JSON.stringify({ process: pid, port, endpoint, data: home() }, null, 2));
      else console.log(`ready on port ${port}, process ${pid}; end it: npx tenantry down`);
      return;
    }
    const release = await prepareStart(options);
    const child = spawn(process.execPath, argumentsOf(options), { stdio: 'inherit' });
    // Ctrl-C reaches the child from the terminal itself; this process only waits for its end.
    process.on('SIGINT', () => undefined);
    process.on('SIGTERM', () => child.kill('SIGTERM'));
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    release();
    process.exitCode = signal ? exitCodes.interrupted : (code ?? 1);
  });

const down = new Command('down')
  .description('ends the local cloud; everything is kept for the next start')
  .option('--erase', 'remove the data directory too')
  .action(async (options: { erase?: boolean }) => {
    const running = runningCloud();
    if (running) await stopCloud(running);
    console.error(running ? `ended process ${running.pid}` : `no local cloud was running on ${home()}`);
    if (!options.erase) return;
    // Only what a cloud has made: TENANTRY_HOME may name any directory by mistake.
    if (existsSync(join(home(), 'cloud.json')) || existsSync(join(home(), 'postgres', 'data'))) {
      rmSync(home(), { recursive: true, force: true });
      console.error(`removed ${home()}`);
    } else console.error(`${home()} holds no data of a local cloud; nothing was removed`);
  });

interface Meta {
  readonly cells: readonly { readonly id: string; readonly used: number; readonly capacity: number }[];
  readonly plans: Readonly<Record<string, unknown>>;
}

const status = new Command('status')
  .description('what runs, and how to reach it')
  .option('--env', 'print the variables that point the aws CLI at it, for eval')
  .action(async (options: { env?: boolean }, command: Command) => {
    const cloud = connectedCloud();
    if (options.env) {
      console.log(`export AWS_ENDPOINT_URL=${cloud.endpoint}`);
      console.log(`export AWS_REGION=${cloud.region} AWS_DEFAULT_REGION=${cloud.region}`);
      console.log(`export AWS_ACCESS_KEY_ID=${cloud.accessKeyId} AWS_SECRET_ACCESS_KEY=${cloud.secretAccessKey}`);
      // Version 1 overrides the variable for this service with a name of its own (awscli 1.45, overridesslcommonname.py).
      console.log(
        '# aws CLI version 1 reads no AWS_ENDPOINT_URL for sqs: aws sqs --endpoint-url "$AWS_ENDPOINT_URL" ...',
      );
      return;
    }
    const meta = await call<Meta>('GET', '/meta');
    const about = {
      process: cloud.pid,
      endpoint: cloud.endpoint,
      tenants: `http://<tenant>.localhost:${cloud.port}`,
      postgres: `${cloud.postgres.host}:${cloud.postgres.port}`,
      data: home(),
      since: cloud.startedAt,
    };
    printRecord(
      globals(command).output,
      { ...about, ...meta },
      {
        ...about,
        since: instant(cloud.startedAt),
        log: join(home(), 'cloud.log'),
        cells: meta.cells.map(({ id, used, capacity }) => `${id} ${used} of ${capacity} tenants`).join(', '),
        plans: Object.keys(meta.plans).join(', '),
        'aws CLI': 'eval "$(npx tenantry status --env)"',
      },
    );
  });

export const cloudCommands = (): Command[] => [up, down, status];
