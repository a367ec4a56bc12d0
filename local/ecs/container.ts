import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Reaper } from '../lambda/reaper.ts';

export interface ContainerOptions {
  /** Bundled program that the container's image stands for. */
  readonly file: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  /** MiB: the limit of the old heap generation, as for a function. */
  readonly memory: number;
  readonly log: (line: string) => void;
  readonly reaper: Reaper;
}

/** How a container ended: Docker's exit code, 128 + the signal's number where one ended it. */
export interface ContainerEnd {
  readonly exitCode: number;
}

export interface Container {
  /** Undefined where the program could not be started. */
  readonly pid: number | undefined;
  readonly ended: Promise<ContainerEnd>;
  /** SIGTERM to the program, SIGKILL to all that it started when it is still there after `seconds`. */
  stop(seconds: number): void;
  kill(): void;
}

const signalNumbers: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGABRT: 6, SIGKILL: 9, SIGTERM: 15 };

const signalGroup = (child: ChildProcess, signal: NodeJS.Signals): void => {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone already.
  }
};

/** Runs a container's program as a process of its own: its environment, its memory, its process group, nothing of ours. */
export const startContainer = (options: ContainerOptions): Container => {
  const { file, environment, workingDirectory, memory, log, reaper } = options;
  const child = spawn(process.execPath, [`--max-old-space-size=${memory}`, file], {
    cwd: workingDirectory,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own: stopping takes the programs that it started, and Ctrl-C in the terminal does not reach it.
    detached: true,
  });
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', log);
  let timer: NodeJS.Timeout | undefined;
  const { pid } = child;
  if (pid !== undefined) reaper.watch(pid);
  // 125 is Docker's own code for a container that could not be started.
  const ended = (pid === undefined ? once(child, 'error').then(() => [125, null]) : once(child, 'exit')).then(
    ([code, signal]: unknown[]): ContainerEnd => {
      clearTimeout(timer);
      signalGroup(child, 'SIGKILL');
      if (pid !== undefined) reaper.forget(pid);
      return { exitCode: typeof code === 'number' ? code : 128 + (signalNumbers[String(signal)] ?? 0) };
    },
  );
  return {
    pid,
    ended,
    stop: (seconds) => {
      if (pid === undefined || timer) return;
      child.kill('SIGTERM');
      timer = setTimeout(() => signalGroup(child, 'SIGKILL'), seconds * 1_000);
    },
    kill: () => signalGroup(child, 'SIGKILL'),
  };
};
