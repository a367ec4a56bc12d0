import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { type FunctionDefinition, payloadLimit } from './definition.ts';
import type { ChildMessage, FunctionError, InvokeMessage } from './messages.ts';
import type { Reaper } from './reaper.ts';

export type Outcome =
  | { readonly kind: 'result'; readonly payload: string }
  | { readonly kind: 'error'; readonly error: FunctionError }
  /** The process ended before the handler saw the event: another process may have it. */
  | { readonly kind: 'unstarted' };

export interface Order {
  readonly id: string;
  readonly event: string;
  readonly functionArn: string;
  /** Called with every line that the handler writes while the order runs. */
  readonly onLine?: (line: string) => void;
}

/** One child process: runs one event at a time, and no event once it has ended. */
export interface Sandbox {
  readonly definition: FunctionDefinition;
  /** Fulfilled when the handler is loaded; with the error when it could not be. Never rejects. */
  readonly loaded: Promise<FunctionError | undefined>;
  /** Fulfilled when process and channel are gone. */
  readonly ended: Promise<void>;
  isAlive(): boolean;
  run(order: Order): Promise<Outcome>;
  /** SIGKILL to the process and to every program that it started. */
  kill(): void;
}

export interface SandboxOptions {
  readonly bootstrap: string;
  readonly environment: Record<string, string>;
  readonly workingDirectory: string;
  readonly reaper: Reaper;
  /** Milliseconds for loading the handler. */
  readonly loadLimit: number;
  readonly log: (functionName: string, line: string) => void;
}

const seconds = (value: number): string => value.toFixed(2);

const timedOut = (id: string, timeout: number): FunctionError => ({
  errorType: 'Sandbox.Timedout',
  errorMessage: `${new Date().toISOString()} ${id} Task timed out after ${seconds(timeout)} seconds`,
});

/** AWS's wording of the ends of a process: killed (out of memory), a code, or a clean exit in mid-flight. */
const exitError = (id: string, { exitCode, signalCode }: ChildProcess): FunctionError => {
  const reason = signalCode
    ? `signal: ${signalCode === 'SIGKILL' ? 'killed' : signalCode === 'SIGABRT' ? 'aborted' : signalCode}`
    : `exit status ${exitCode}`;
  const how = exitCode === 0 ? 'Runtime exited without providing a reason' : `Runtime exited with error: ${reason}`;
  return { errorType: 'Runtime.ExitError', errorMessage: `RequestId: ${id} Error: ${how}` };
};

const killGroup = (child: ChildProcess): void => {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The group is gone already.
  }
};

/** The last words may lie in the channel still when the process has ended: both must be over. */
const wholeEnd = async (child: ChildProcess): Promise<void> => {
  const spawned = child.pid !== undefined;
  if (!spawned) return;
  await Promise.all([once(child, 'exit'), once(child, 'disconnect')]);
};

export const openSandbox = (definition: FunctionDefinition, options: SandboxOptions): Sandbox => {
  const { bootstrap, environment, workingDirectory, reaper, loadLimit, log } = options;
  const child = fork(bootstrap, [definition.file, definition.handler], {
    cwd: workingDirectory,
    env: environment,
    execArgv: [`--max-old-space-size=${definition.memory}`],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'advanced',
    // A process group of its own: killing it takes the programs that the handler started, and Ctrl-C in the terminal
    // does not reach it before we have closed in order.
    detached: true,
  });
  let alive = child.pid !== undefined;
  let onLine: Order['onLine'];
  let settle: ((outcome: Outcome | 'ended') => void) | undefined;
  let started = false;

  const readLines = (stream: Readable | null): void => {
    if (!stream) return;
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
      onLine?.(line);
      log(definition.name, line);
    });
  };
  readLines(child.stdout);
  readLines(child.stderr);
  child.on('error', () => {});
  if (child.pid !== undefined) reaper.watch(child.pid);

  const ended = wholeEnd(child).then(() => {
    alive = false;
    killGroup(child);
    if (child.pid !== undefined) reaper.forget(child.pid);
    settle?.('ended');
  });

  const loaded = new Promise<FunctionError | undefined>((resolve) => {
    const limit = setTimeout(() => {
      const errorMessage = `${definition.name} did not load within ${seconds(loadLimit / 1000)} seconds`;
      resolve({ errorType: 'Sandbox.Timedout', errorMessage });
      killGroup(child);
    }, loadLimit);
    const done = (error: FunctionError | undefined): void => {
      clearTimeout(limit);
      resolve(error);
    };
    child.on('message', (message: ChildMessage) => {
      if (message.kind === 'ready') done(undefined);
      if (message.kind === 'init-error') done(message.error);
    });
    void ended.then(() => {
      const errorMessage = `${definition.name} ended while it was loading (${child.signalCode ?? `exit status ${child.exitCode}`})`;
      done({ errorType: 'Runtime.ExitError', errorMessage });
    });
  });

  child.on('message', (message: ChildMessage) => {
    if (message.kind === 'started') started = true;
    if (message.kind === 'result') settle?.({ kind: 'result', payload: message.payload });
    if (message.kind === 'error') settle?.({ kind: 'error', error: message.error });
  });

  const run = async (order: Order): Promise<Outcome> => {
    const { id, event, functionArn } = order;
    const deadline = Date.now() + definition.timeout * 1000;
    const message: InvokeMessage = { id, event, deadline, functionArn, responseLimit: payloadLimit };
    started = false;
    onLine = order.onLine;
    const outcome = await new Promise<Outcome>((resolve) => {
      const limit = setTimeout(() => {
        killGroup(child);
        alive = false;
        resolve({ kind: 'error', error: timedOut(id, definition.timeout) });
      }, definition.timeout * 1000);
      settle = (result) => {
        clearTimeout(limit);
        if (result !== 'ended') return resolve(result);
        resolve(started ? { kind: 'error', error: exitError(id, child) } : { kind: 'unstarted' });
      };
      if (!alive) return settle('ended');
      // A failed send means a dead process, whose end settles the order.
      child.send(message, () => {});
    });
    settle = undefined;
    // The lines of this order lie in the pipe before its answer lies in the channel; one turn of the loop reads them.
    if (order.onLine) await new Promise((resolve) => setImmediate(resolve));
    onLine = undefined;
    return outcome;
  };

  return {
    definition,
    loaded,
    ended,
    isAlive: () => alive,
    run,
    kill: () => {
      alive = false;
      killGroup(child);
    },
  };
};
