import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface AppOptions {
  /** Path of the app's program. It listens on port 0 of 127.0.0.1 and tells its port by `process.send({ port })`. */
  readonly entry: string;
  /** Its whole environment but for PATH and PORT: nothing of ours reaches it. */
  readonly env: Readonly<Record<string, string>>;
  /** Gets its output, line by line, and what became of it. */
  readonly log: (line: string) => void;
}

export interface HostedApp {
  /** Where it listens now; undefined while it is down. */
  port(): number | undefined;
  pid(): number | undefined;
  /** Resolves when it listens (again). */
  listening(): Promise<number>;
  /** SIGTERM, SIGKILL after 5 s; resolves when it is gone. Safe to call twice. */
  stop(): Promise<void>;
}

/** Pause before a restart: doubled by every death within 10 s of its start, from 100 ms to 5 s. */
const pauses = { first: 100, longest: 5_000, healthy: 10_000 } as const;

const patience = 5_000;

/**
 * Runs the hosted app as a child process and keeps it running. Resolves when it listens for the first time; throws with its last
 * words when it dies before that, since a wrong environment does not heal by itself.
 */
export const startApp = async ({ entry, env, log }: AppOptions): Promise<HostedApp> => {
  let child: ChildProcess | undefined;
  let port: number | undefined;
  let pause: number = pauses.first;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let waiting: ((port: number) => void)[] = [];
  const lastWords: string[] = [];

  const listen = (line: string): void => {
    lastWords.push(line);
    if (lastWords.length > 20) lastWords.shift();
    log(line);
  };

  const run = (): ChildProcess => {
    const started = performance.now();
    const process_ = fork(entry, [], {
      env: { PATH: process.env.PATH ?? '', PORT: '0', ...env },
      execArgv: [],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    child = process_;
    for (const stream of [process_.stdout, process_.stderr])
      if (stream) createInterface({ input: stream }).on('line', listen);
    process_.on('message', (message: { port?: unknown }) => {
      if (typeof message.port !== 'number') return;
      port = message.port;
      for (const tell of waiting) tell(port);
      waiting = [];
    });
    process_.once('error', (error) => listen(error.message));
    process_.once('exit', (code, signal) => {
      port = undefined;
      child = undefined;
      if (stopped) return;
      pause = performance.now() - started > pauses.healthy ? pauses.first : Math.min(pause * 2, pauses.longest);
      log(`the app ended (${signal ?? `exit ${code}`}); it is started again in ${pause} ms`);
      timer = setTimeout(run, pause);
    });
    return process_;
  };

  const listening = (): Promise<number> =>
    port === undefined ? new Promise((tell) => waiting.push(tell)) : Promise.resolve(port);

  const stop = async (): Promise<void> => {
    stopped = true;
    clearTimeout(timer);
    const going = child;
    if (!going) return;
    const gone = once(going, 'exit');
    going.kill('SIGTERM');
    const last = setTimeout(() => going.kill('SIGKILL'), patience);
    await gone;
    clearTimeout(last);
  };

  const first = run();
  const died = once(first, 'exit').then(([code, signal]: unknown[]) => ({ code, signal }));
  const outcome = await Promise.race([listening(), died]);
  if (typeof outcome === 'object') {
    await stop();
    throw new Error(
      `The app ${entry} ended before it listened (${String(outcome.signal ?? `exit ${String(outcome.code)}`)}): ${lastWords.join('\n') || 'it said nothing'}`,
    );
  }
  return { port: () => port, pid: () => child?.pid, listening, stop };
};
