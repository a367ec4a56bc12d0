import { isApiError } from '../api-client.ts';

export interface Queue {
  /** Has the key reconciled; one that waits already is not queued twice, one at work is done again afterwards. */
  add(key: string): void;
  addAfter(key: string, millis: number): void;
  /** Resolves when nothing is at work any more; what waits is forgotten. */
  close(): Promise<void>;
}

export interface QueueOptions {
  readonly name: string;
  /** Brings the world to what the object asks for; answers after how many milliseconds it wants to look again, if at all. */
  readonly reconcile: (key: string) => Promise<number | undefined>;
  readonly log: (line: string) => void;
}

/** Keys at work at once: two cores serve all clusters of a laptop. */
const workers = 4;

/** Pause before a failed key is tried again: doubled by every failure. */
const pauses = { first: 20, longest: 10_000 } as const;

/** A work queue as controllers have them: a key is at work at most once, failures wait with a growing pause. */
export const createQueue = ({ name, reconcile, log }: QueueOptions): Queue => {
  const waiting = new Set<string>();
  const working = new Map<string, Promise<void>>();
  const timers = new Map<string, { timer: NodeJS.Timeout; due: number }>();
  const failures = new Map<string, number>();
  let closed = false;

  const addAfter = (key: string, millis: number): void => {
    const due = performance.now() + millis;
    const known = timers.get(key);
    if (closed || (known && known.due <= due)) return;
    clearTimeout(known?.timer);
    const timer = setTimeout(
      () => {
        timers.delete(key);
        add(key);
      },
      // setTimeout's largest delay; a key that is looked at too early is merely looked at again.
      Math.min(millis, 2 ** 31 - 1),
    );
    timers.set(key, { timer, due });
  };

  const work = async (key: string): Promise<void> => {
    try {
      const again = await reconcile(key);
      failures.delete(key);
      if (again !== undefined) addAfter(key, again);
    } catch (error) {
      if (closed) return;
      const count = failures.get(key) ?? 0;
      failures.set(key, count + 1);
      // A conflict is the ordinary way to learn that the object has changed meanwhile.
      if (!isApiError(error, 404, 409))
        log(`${name} ${key}: ${error instanceof Error ? error.message : String(error)}`);
      addAfter(key, Math.min(pauses.first * 2 ** count, pauses.longest));
    }
  };

  const next = (): void => {
    for (const key of waiting) {
      if (working.size >= workers) return;
      if (working.has(key)) continue;
      waiting.delete(key);
      // Not at once: a key that is added while it is worked on must be found among those at work.
      const begun = Promise.resolve().then(() => work(key));
      const done = begun.finally(() => {
        working.delete(key);
        next();
      });
      working.set(key, done);
    }
  };

  const add = (key: string): void => {
    if (closed) return;
    waiting.add(key);
    next();
  };

  return {
    add,
    addAfter,
    close: async () => {
      closed = true;
      waiting.clear();
      for (const { timer } of timers.values()) clearTimeout(timer);
      await Promise.all(working.values());
    },
  };
};
