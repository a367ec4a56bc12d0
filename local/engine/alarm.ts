import { Aborted } from './failure.ts';
import type { Scope } from './scope.ts';

/** setTimeout takes 31 bits of milliseconds, 24.8 days; Wait may last a year. */
const longest = 2 ** 31 - 1;

/** Rings once, not before the absolute time `at` (milliseconds since 1970). Answers how to silence it. */
export const alarm = (at: number, ring: () => void): (() => void) => {
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    const left = at - Date.now();
    timer = left <= 0 ? setTimeout(ring, 0) : setTimeout(arm, Math.min(left, longest));
  };
  arm();
  return () => clearTimeout(timer);
};

/** Resolves at the absolute time `at`; rejects with Aborted when the scope ends before. */
export const sleepUntil = (at: number, scope: Scope): Promise<void> =>
  new Promise((resolve, reject) => {
    const stop = scope.onAbort(() => {
      silence();
      reject(new Aborted());
    });
    const silence = alarm(at, () => {
      stop();
      resolve();
    });
  });
