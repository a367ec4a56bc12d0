import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../../local/schedules/clock.ts';

export interface VirtualClock extends Clock {
  /** Moves time on, firing what falls due in order; after each timer the event loop turns so that its work can settle. */
  advance(milliseconds: number): Promise<void>;
  /** Times at which timers are set, soonest first. */
  pending(): number[];
}

/** A write's commit, the answer to it, and a write that follows from that take a turn of the loop each. */
const settle = async (): Promise<void> => {
  for (let count = 0; count < 3; count += 1) await turn();
};

/** Time that stands still until a test moves it. */
export const virtualClock = (start: number | string = '2026-06-01T00:00:00Z'): VirtualClock => {
  let now = typeof start === 'string' ? Date.parse(start) : start;
  const timers = new Set<{ at: number; fire: () => void }>();
  const soonest = () => [...timers].sort((one, other) => one.at - other.at)[0];
  return {
    now: () => now,
    setTimer: (at, fire) => {
      const timer = { at, fire };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    pending: () => [...timers].map(({ at }) => at).sort((one, other) => one - other),
    advance: async (milliseconds) => {
      await settle();
      const end = now + milliseconds;
      for (let timer = soonest(); timer !== undefined && timer.at <= end; timer = soonest()) {
        timers.delete(timer);
        now = Math.max(now, timer.at);
        timer.fire();
        await settle();
      }
      now = end;
      await settle();
    },
  };
};
