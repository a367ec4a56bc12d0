import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { call } from '../api.ts';
import { type CloudFile, cloudFile, connectedCloud, home, projectRoot, runningCloud } from '../connection.ts';
import { CommandFailure, exitCodes } from '../exit-codes.ts';
import { globals } from '../options.ts';
import { printRecord } from '../print.ts';

const localMain = join(projectRoot, 'local', 'main.ts');

const arguments_ = (options: { port?: string }): string[] => [
  localMain,
  '--home',
  home(),
  ...(options.port ? ['--port', options.port] : []),
];

/** Starts the local cloud as a process of its own that outlives this one; resolves when it answers. */
export const startDetached = async (options: { port?: string } = {}): Promise<CloudFile> => {
  mkdirSync(home(), { recursive: true });
  const logFile = join(home(), 'cloud.log');
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(process.execPath, arguments_(options), { detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  child.unref();
  let died = false;
  child.once('exit', () => {
    died = true;
  });
  for (;;) {
    const cloud = cloudFile();
    if (cloud && cloud.pid === child.pid) return cloud;
    if (died) {
      const tail = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-8).join('\n');
      throw new CommandFailure(
        exitCodes.executionFailed,
        `the local cloud did not start:\n${tail}\n(all of it: ${logFile})`,
      );
    }
    await delay(50);
  }
};

const isGone = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};

/** Ends a running local cloud in order; resolves when its process is gone. */
export const stopCloud = async (cloud: CloudFile): Promise<void> => {
  process.kill(cloud.pid, 'SIGTERM');
  const deadline = Date.now() + 60_000;
  while (!isGone(cloud.pid)) {
    if (Date.now() > deadline)
      throw new CommandFailure(
        exitCodes.waitTimedOut,
        `process ${cloud.pid} did not end within 60 s; see ${home()}/cloud.log`,
      );
    await delay(50);
  }
};

const up = new Command('up')
  .description('starts the local cloud; with --detach in the background')
  .option('--port <port>', 'port of the AWS endpoint and of the tenants')
  .option('--detach', 'return when it is ready')
  .action(async (options: { port?: string; detach?: boolean }) => {
    const running = runningCloud();
    if (running)
      throw new CommandFailure(
        exitCodes.conflict,
        `a local cloud already runs on ${home()} (process ${running.pid}, port ${running.port}); npx tenantry down ends it`,
      );
    if (options.detach) {
      const cloud = await startDetached(options);
      console.log(`ready on port ${cloud.port}, process ${cloud.pid}`);
      return;
    }
    const child = spawn(process.execPath, arguments_(options), { stdio: 'inherit' });
    // Ctrl-C reaches the child from the terminal itself; this process only waits for its end.
    process.on('SIGINT', () => undefined);
    process.on('SIGTERM', () => child.kill('SIGTERM'));
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    process.exitCode = signal ? exitCodes.interrupted : (code ?? 1);
  });

const down = new Command('down')
  .description('ends the local cloud; everything is kept for the next start')
  .option('--erase', 'remove the data directory too')
  .action(async (options: { erase?: boolean }) => {
    const running = runningCloud();
    if (running) await stopCloud(running);
    console.error(running ? `ended process ${running.pid}` : 'no local cloud was running');
    if (options.erase && existsSync(join(home(), 'cloud.json'))) {
      rmSync(home(), { recursive: true, force: true });
      console.error(`removed ${home()}`);
    }
  });

const status = new Command('status')
  .description('what runs, and how to reach it')
  .option('--env', 'print the variables that point the aws CLI at it, for eval')
  .action(async (options: { env?: boolean }, command: Command) => {
    const cloud = connectedCloud();
    if (options.env) {
      console.log(`export AWS_ENDPOINT_URL=${cloud.endpoint}`);
      console.log(`export AWS_REGION=${cloud.region} AWS_DEFAULT_REGION=${cloud.region}`);
      console.log(`export AWS_ACCESS_KEY_ID=${cloud.accessKeyId} AWS_SECRET_ACCESS_KEY=${cloud.secretAccessKey}`);
      return;
    }
    const meta = await call<Record<string, unknown>>('GET', '/meta');
    printRecord(globals(command).output, {
      process: cloud.pid,
      endpoint: cloud.endpoint,
      tenants: `http://<tenant>.localhost:${cloud.port}`,
      postgres: `${cloud.postgres.host}:${cloud.postgres.port}`,
      data: home(),
      since: cloud.startedAt,
      ...meta,
    });
  });

export const cloudCommands = (): Command[] => [up, down, status];
