/** Time as a parameter: a test drives it by hand, the laptop takes the system's. Milliseconds since 1970. */
export interface Clock {
  now(): number;
  /** Calls `fire` once at `at` or later, never before this call has returned; the answer cancels it. */
  setTimer(at: number, fire: () => void): () => void;
}

/** setTimeout fires at once above 2^31-1 ms (24.8 days), so a longer wait is cut into pieces of this length. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer: (at, fire) => {
    let timer: NodeJS.Timeout;
    const wait = (): void => {
      const left = at - Date.now();
      timer = left > LONGEST_TIMEOUT ? setTimeout(wait, LONGEST_TIMEOUT) : setTimeout(fire, Math.max(0, left));
    };
    wait();
    return () => clearTimeout(timer);
  },
};
