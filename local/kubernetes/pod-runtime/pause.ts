import { setTimeout as delay } from 'node:timers/promises';

/** Waits; false when `signal` ended the wait early. */
export const pause = async (millis: number, signal: AbortSignal): Promise<boolean> => {
  try {
    await delay(millis, undefined, { signal });
    return true;
  } catch {
    return false;
  }
};
