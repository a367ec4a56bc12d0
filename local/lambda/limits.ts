import { availableParallelism, totalmem } from 'node:os';

export interface PoolLimits {
  /** Child processes at once; a warm one takes 80 to 90 MB (measured). */
  readonly processes: number;
  /** MiB: the sum of the memory that the running functions declare. */
  readonly memory: number;
  /** Processes that load at once. Loading is bound by the processor: more at once makes each slower, none sooner. */
  readonly starts: number;
  /** Milliseconds that an invocation waits for a busy process before one more is loaded, which costs more than many short ones. */
  readonly patience: number;
  /** Milliseconds that a process is idle before a function that has some already may have its place. */
  readonly spare: number;
  /** Invocations that wait for one function before further ones are refused. */
  readonly queue: number;
  /** Milliseconds that a process without work is kept. */
  readonly idle: number;
  /** Milliseconds for loading a handler. AWS gives 10 s; a laptop under load is slower than AWS. */
  readonly load: number;
}

export const defaultLimits = (): PoolLimits => ({
  processes: Math.min(32, availableParallelism() * 8),
  memory: Math.floor(totalmem() / 2 ** 20 / 2),
  starts: Math.max(2, availableParallelism()),
  patience: 400,
  spare: 5_000,
  queue: 10_000,
  idle: 300_000,
  load: 30_000,
});

/** Seconds that a process is used: its temporary credentials last an hour longer. */
export const processLifetime = 36_000;
export const credentialLifetime = processLifetime + 3_600;
