import { fork } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface ProcessOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** The container's environment. PATH is added, PORT is 0 and HOST, where it is set, loopback: pods of a laptop share one network. */
  readonly env: Readonly<Record<string, string>>;
  readonly log: (line: string) => void;
}

export interface Exit {
  /** 128 + the signal's number for a process that a signal ended, as container runtimes say it. */
  readonly exitCode: number;
  readonly signal: number | undefined;
  readonly lastWords: string;
}

export interface ContainerProcess {
  readonly pid: number | undefined;
  /** Where it listens; undefined before it said so, from `stop()` on, and after its end. */
  port(): number | undefined;
  /** Resolves when it first tells a port; never for a program that does not. */
  readonly listening: Promise<number>;
  readonly ended: Promise<Exit>;
  /** SIGTERM, SIGKILL after `graceMillis`; resolves when it is gone. A second call may only shorten the grace. */
  stop(graceMillis: number): Promise<void>;
}

const leash = join(import.meta.dirname, 'leash.ts');

/** Runs an image's program as a child process that tells its port by `process.send({ port })`. */
export const startProcess = ({ program, args, env, log }: ProcessOptions): ContainerProcess => {
  const lastWords: string[] = [];
  const listen = (line: string): void => {
    lastWords.push(line);
    if (lastWords.length > 20) lastWords.shift();
    log(line);
  };
  const child = fork(program, args, {
    env: { ...env, ...(env.HOST !== undefined && { HOST: '127.0.0.1' }), PATH: process.env.PATH ?? '', PORT: '0' },
    execArgv: ['--import', leash],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  for (const stream of [child.stdout, child.stderr]) if (stream) createInterface({ input: stream }).on('line', listen);

  let port: number | undefined;
  let gone = false;
  let stopping = false;
  const listening = new Promise<number>((tell) => {
    child.on('message', (message: { port?: unknown }) => {
      if (typeof message?.port !== 'number' || stopping) return;
      port = message.port;
      tell(port);
    });
  });
  const ended = new Promise<Exit>((tell) => {
    const end = (exitCode: number, signal: number | undefined): void => {
      gone = true;
      port = undefined;
      tell({ exitCode, signal, lastWords: lastWords.join('\n') });
    };
    child.once('error', (error) => {
      listen(error.message);
      if (child.pid === undefined) end(128, undefined);
    });
    child.once('exit', (code, name) => {
      const signal = name === null ? undefined : constants.signals[name];
      end(code ?? 128 + (signal ?? 0), signal);
    });
  });

  return {
    pid: child.pid,
    port: () => port,
    listening,
    ended,
    stop: async (graceMillis) => {
      port = undefined;
      if (gone || child.pid === undefined) return;
      const exit = once(child, 'exit');
      if (!stopping) child.kill('SIGTERM');
      stopping = true;
      const last = setTimeout(() => child.kill('SIGKILL'), graceMillis);
      await exit;
      clearTimeout(last);
    },
  };
};
