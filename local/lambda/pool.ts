import { ServiceError } from '../gateway/service.ts';
import type { FunctionDefinition } from './definition.ts';
import {
  concurrencyOf,
  failOldest,
  growsAt,
  hasProcess,
  type IdleSandbox,
  type Job,
  type Lane,
  newLane,
  noteDuration,
  waitingSince,
} from './lane.ts';
import { type PoolLimits, processLifetime } from './limits.ts';
import type { Order, Outcome, Sandbox } from './sandbox.ts';

export type Settled = Exclude<Outcome, { kind: 'unstarted' }>;

export interface Pool {
  /** Makes a function known, or replaces it: processes of the old definition take no further event. */
  define(definition: FunctionDefinition): void;
  find(name: string): FunctionDefinition | undefined;
  list(): FunctionDefinition[];
  /** Free reserved concurrency, for callers that are refused rather than queued. */
  hasRoom(name: string): boolean;
  /**
   * Runs the function once; waits for a process as long as it takes. Rejects with the signal's reason when it aborts
   * (the process is killed), and with ServiceError when the queue is full or the pool closes.
   */
  submit(name: string, order: Order, signal?: AbortSignal): Promise<Settled>;
  readonly processes: number;
  close(): Promise<void>;
}

const queueFull = (name: string, length: number): ServiceError =>
  new ServiceError('TooManyRequestsException', `${length} invocations of ${name} wait already; call it more slowly.`, {
    status: 429,
    members: { Type: 'User', Reason: 'ConcurrentInvocationLimitExceeded' },
  });

const closedError = (): ServiceError =>
  new ServiceError('ServiceException', 'The local AWS is shutting down; call again once it is up.', { status: 500 });

const exhausted = (name: string): Settled => ({
  kind: 'error',
  error: { errorType: 'Runtime.ExitError', errorMessage: `${name}: three processes ended before they took the event` },
});

/**
 * Warm child processes for many functions under common limits. Who waits longest gets the next place; a place is taken
 * first from processes without work, longest idle first, and from a busy function only when another one has none. A function
 * that has a process already takes no place of one that worked a moment ago: the two would take it from each other in turns.
 */
export const createPool = (limits: PoolLimits, open: (definition: FunctionDefinition) => Sandbox): Pool => {
  const lanes = new Map<string, Lane>();
  /** Every process that has not ended yet, with the time it was started. */
  const live = new Map<Sandbox, number>();
  /** Those of them that are killed: their place is as good as free. */
  const leaving = new Set<Sandbox>();
  let closed = false;
  /** Wakes the pool when somebody has waited long enough for a further process. */
  let patience: NodeJS.Timeout | undefined;

  const memoryOf = (sandboxes: Iterable<Sandbox>): number => {
    let sum = 0;
    for (const { definition } of sandboxes) sum += definition.memory;
    return sum;
  };
  const fits = (memory: number, places: number, used: number): boolean =>
    places === 0 || (places < limits.processes && used + memory <= limits.memory);
  const fitsNow = (memory: number): boolean => fits(memory, live.size, memoryOf(live.keys()));
  const fitsSoon = (memory: number): boolean =>
    fits(memory, live.size - leaving.size, memoryOf(live.keys()) - memoryOf(leaving));

  const end = (sandbox: Sandbox): void => {
    leaving.add(sandbox);
    sandbox.kill();
  };
  const takeIdle = (lane: Lane, entry: IdleSandbox): void => {
    clearTimeout(entry.timer);
    lane.idle.splice(lane.idle.indexOf(entry), 1);
  };
  /** Ends the process that is idle longest, `idleFor` milliseconds at least. */
  const evictOne = (idleFor: number): boolean => {
    const latest = Date.now() - idleFor;
    const idle = [...lanes.values()].flatMap((lane) =>
      lane.idle.filter(({ since }) => since <= latest).map((entry) => ({ lane, entry })),
    );
    const oldest = idle.reduce<(typeof idle)[number] | undefined>(
      (best, next) => (best && best.entry.since <= next.entry.since ? best : next),
      undefined,
    );
    if (!oldest) return false;
    takeIdle(oldest.lane, oldest.entry);
    end(oldest.entry.sandbox);
    return true;
  };

  const isUsable = (lane: Lane, sandbox: Sandbox): boolean =>
    sandbox.isAlive() &&
    sandbox.definition === lane.definition &&
    Date.now() - (live.get(sandbox) ?? 0) < processLifetime * 1000;

  /** Another function waits longer than this one, has no process at all, and can get none: it takes this one's place. */
  const mustYield = (lane: Lane): boolean =>
    [...lanes.values()].some(
      (other) =>
        other !== lane &&
        !hasProcess(other) &&
        waitingSince(other) < waitingSince(lane) &&
        !fitsSoon(other.definition.memory),
    );

  const park = (lane: Lane, sandbox: Sandbox): void => {
    if (!isUsable(lane, sandbox) || mustYield(lane)) {
      end(sandbox);
      return;
    }
    const entry: IdleSandbox = {
      sandbox,
      since: Date.now(),
      timer: setTimeout(() => {
        takeIdle(lane, entry);
        end(sandbox);
      }, limits.idle).unref(),
    };
    lane.idle.push(entry);
  };

  const serve = async (lane: Lane, sandbox: Sandbox, job: Job): Promise<void> => {
    lane.busy.add(job);
    job.sandbox = sandbox;
    job.begunAt = performance.now();
    const outcome = await sandbox.run(job.order);
    noteDuration(lane, performance.now() - job.begunAt);
    lane.busy.delete(job);
    job.sandbox = undefined;
    if (outcome.kind !== 'unstarted') job.settle(outcome);
    else if (job.losses >= 2) job.settle(exhausted(lane.definition.name));
    else if (!job.over) {
      job.losses += 1;
      lane.waiting.unshift(job);
    }
    park(lane, sandbox);
    pump();
  };

  const start = async (lane: Lane): Promise<void> => {
    lane.starting += 1;
    const sandbox = open(lane.definition);
    live.set(sandbox, Date.now());
    void sandbox.ended.then(() => {
      live.delete(sandbox);
      leaving.delete(sandbox);
      const entry = lane.idle.find((idle) => idle.sandbox === sandbox);
      if (entry) takeIdle(lane, entry);
      pump();
    });
    const error = await sandbox.loaded;
    lane.starting -= 1;
    lane.grownAt = performance.now();
    if (error && !closed) failOldest(lane, error);
    if (error) end(sandbox);
    else park(lane, sandbox);
    pump();
  };

  const assign = (lane: Lane): void => {
    while (lane.waiting.length > 0 && lane.idle.length > 0) {
      const entry = lane.idle.at(-1)!;
      takeIdle(lane, entry);
      if (!isUsable(lane, entry.sandbox)) end(entry.sandbox);
      else void serve(lane, entry.sandbox, lane.waiting.shift()!);
    }
  };

  const startingCount = (): number => [...lanes.values()].reduce((sum, lane) => sum + lane.starting, 0);

  const pump = (): void => {
    if (closed) return;
    for (const lane of lanes.values()) assign(lane);
    clearTimeout(patience);
    while (startingCount() < limits.starts) {
      const now = performance.now();
      const due = [...lanes.values()].map((lane) => ({ lane, at: growsAt(lane, limits.patience) }));
      const lane = due
        .filter(({ at }) => at <= now)
        .map((each) => each.lane)
        .sort((a, b) => waitingSince(a) - waitingSince(b))[0];
      if (!lane) {
        const next = Math.min(...due.map(({ at }) => at));
        if (next < Number.POSITIVE_INFINITY) patience = setTimeout(pump, next - now);
        return;
      }
      const { memory } = lane.definition;
      if (fitsNow(memory)) void start(lane);
      else if (fitsSoon(memory) || !evictOne(hasProcess(lane) ? limits.spare : 0)) return;
    }
  };

  const enqueue = (lane: Lane, order: Order, signal: AbortSignal | undefined): Promise<Settled> =>
    new Promise((resolve, reject) => {
      const abort = (): void => {
        const index = lane.waiting.indexOf(job);
        if (index >= 0) lane.waiting.splice(index, 1);
        if (job.sandbox) end(job.sandbox);
        job.reject(signal?.reason);
      };
      const settled = (): void => {
        job.over = true;
        signal?.removeEventListener('abort', abort);
      };
      const job: Job = {
        order,
        since: performance.now(),
        begunAt: 0,
        losses: 0,
        sandbox: undefined,
        over: false,
        settle: (outcome) => {
          settled();
          resolve(outcome);
        },
        reject: (reason) => {
          settled();
          reject(reason as Error);
        },
      };
      signal?.addEventListener('abort', abort);
      lane.waiting.push(job);
      pump();
    });

  return {
    define(definition) {
      const lane = lanes.get(definition.name);
      if (!lane) {
        lanes.set(definition.name, newLane(definition));
        return;
      }
      lane.definition = definition;
      for (const entry of [...lane.idle]) {
        takeIdle(lane, entry);
        end(entry.sandbox);
      }
    },
    find: (name) => lanes.get(name)?.definition,
    list: () => [...lanes.values()].map(({ definition }) => definition),
    hasRoom: (name) => {
      const lane = lanes.get(name);
      return lane !== undefined && lane.busy.size + lane.waiting.length < concurrencyOf(lane);
    },
    async submit(name, order, signal) {
      const lane = lanes.get(name);
      if (!lane) throw new ServiceError('ResourceNotFoundException', `There is no function ${name}.`, { status: 404 });
      if (closed) throw closedError();
      signal?.throwIfAborted();
      if (lane.waiting.length >= limits.queue) throw queueFull(name, lane.waiting.length);
      return enqueue(lane, order, signal);
    },
    get processes() {
      return live.size;
    },
    async close() {
      closed = true;
      clearTimeout(patience);
      for (const lane of lanes.values()) {
        for (const job of [...lane.waiting.splice(0), ...lane.busy]) job.reject(closedError());
        for (const entry of [...lane.idle]) takeIdle(lane, entry);
      }
      const ending = [...live.keys()].map((sandbox) => sandbox.ended);
      for (const sandbox of live.keys()) end(sandbox);
      await Promise.all(ending);
    },
  };
};
