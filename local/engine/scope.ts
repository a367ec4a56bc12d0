import { Aborted } from './failure.ts';

/**
 * How long a frame may act. Ends for all frames below at once when a sibling fails, the execution is stopped or times out,
 * or the engine closes. An own type, not AbortSignal: a Map of 10,000 iterations makes as many scopes, and AbortSignal.any
 * costs a registry entry for each.
 */
export interface Scope {
  readonly aborted: boolean;
  /** The engine is closing: nothing failed, so nested executions go on in the next life. */
  readonly closing: boolean;
  child(): Scope;
  abort(closing?: boolean): void;
  /** Calls `listener` when the scope ends, at once when it has. Answers how to stop listening. */
  onAbort(listener: () => void): () => void;
  /** Throws Aborted when the scope has ended: comes before every write that follows an await. */
  check(): void;
}

export const openScope = (parent?: Scope): Scope => {
  const listeners = new Set<() => void>();
  let ended = false;
  let closes = false;
  const scope: Scope = {
    get aborted() {
      return ended;
    },
    get closing() {
      return closes;
    },
    child: () => openScope(scope),
    abort: (closing = false) => {
      if (ended) return;
      ended = true;
      closes = closing;
      unlink();
      const called = [...listeners];
      listeners.clear();
      for (const listener of called) listener();
    },
    onAbort: (listener) => {
      if (ended) {
        listener();
        return () => {};
      }
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    check: () => {
      if (ended) throw new Aborted();
    },
  };
  const unlink = parent ? parent.onAbort(() => scope.abort(parent.closing)) : () => {};
  return scope;
};

/** Resolves as `work` does, unless the scope ends first: then it rejects with Aborted and `work` is left to itself. */
export const within = <T>(scope: Scope, work: Promise<T>): Promise<T> =>
  new Promise<T>((resolve, reject) => {
    const stop = scope.onAbort(() => reject(new Aborted()));
    work.then(
      (value) => {
        stop();
        resolve(value);
      },
      (error) => {
        stop();
        reject(error);
      },
    );
  });
