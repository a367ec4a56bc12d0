import { randomUUID } from 'node:crypto';
import type { Delivery } from '../events/deliveries.ts';
import { eventTime } from '../events/envelope.ts';
import type { GroupCommit } from '../queues/group-commit.ts';
import type { Clock } from './clock.ts';
import { missedFire } from './expression.ts';
import { invocationOf } from './invocation.ts';
import type { NextFire, Schedule, ScheduleStore } from './schedule-store.ts';

export interface Firing {
  /** Sets the timers of all schedules; what was missed and still counts fires once. */
  start(): void;
  /** Works out and sets the next time of a schedule that was created or changed; to be called inside a write. */
  plan(schedule: Schedule): void;
  forget(schedule: Schedule): void;
  close(): void;
}

interface FiringOptions {
  readonly store: ScheduleStore;
  readonly writer: GroupCommit;
  readonly clock: Clock;
  readonly deliver: (delivery: Delivery) => void;
  readonly place: { readonly region: string; readonly accountId: string };
  readonly report: (line: string) => void;
}

/**
 * Fires schedules. The invocation is journaled in the commit that moves the schedule on to its next time, so a time fires
 * exactly once into the journal, whatever kills the process; from there it is delivered at least once.
 */
export const openFiring = ({ store, writer, clock, deliver, place, report }: FiringOptions): Firing => {
  const timers = new Map<string, () => void>();
  let started = false;

  const forget = (schedule: Schedule): void => {
    timers.get(schedule.arn)?.();
    timers.delete(schedule.arn);
  };

  const arm = (schedule: Schedule, next: NextFire | undefined): void => {
    forget(schedule);
    if (next === undefined || !started) return;
    const fire = (): void => {
      writer
        .write(() => fireOnce(schedule, next))
        .catch((error) => report(`${schedule.arn} did not fire: ${String(error)}`));
    };
    timers.set(schedule.arn, clock.setTimer(next.fireAt, fire));
  };

  const setNext = (schedule: Schedule, next: NextFire | undefined): void => {
    store.saveNext(schedule, next);
    arm(schedule, next);
  };

  /** The first time after `after` within the schedule's dates, and a moment by chance in its flexible window. */
  const nextOf = ({ body, recurrence }: Schedule, after: number): NextFire | undefined => {
    const isOnce = recurrence.kind === 'at';
    const from = isOnce || body.startDate === undefined ? after : Math.max(after, body.startDate - 1);
    const at = recurrence.next(from);
    if (at === undefined || (!isOnce && body.endDate !== undefined && at > body.endDate)) return undefined;
    const minutes =
      body.FlexibleTimeWindow?.Mode === 'FLEXIBLE' ? (body.FlexibleTimeWindow.MaximumWindowInMinutes ?? 0) : 0;
    return { at, fireAt: at + Math.floor(Math.random() * minutes * 60_000) };
  };

  const fireOnce = (schedule: Schedule, { at }: NextFire): void => {
    const current = store.find(schedule.group, schedule.name);
    if (current === undefined) return;
    const now = clock.now();
    deliver(invocationOf(schedule, { scheduledTime: eventTime(at), executionId: randomUUID(), now, ...place }));
    const next = nextOf(schedule, Math.max(at, now));
    if (next === undefined && schedule.body.ActionAfterCompletion === 'DELETE') {
      forget(schedule);
      store.remove(schedule);
    } else setNext(schedule, next);
  };

  return {
    start: () => {
      started = true;
      for (const schedule of store.list()) {
        const stored = store.next(schedule);
        if (stored === undefined) continue;
        const now = clock.now();
        if (stored.fireAt > now) {
          arm(schedule, stored);
          continue;
        }
        const missed = missedFire(schedule.recurrence, stored.at, now);
        if (missed !== undefined) arm(schedule, { at: missed, fireAt: now });
        else void writer.write(() => setNext(schedule, nextOf(schedule, now)));
      }
    },
    plan: (schedule) => {
      if (schedule.body.State === 'DISABLED') return setNext(schedule, undefined);
      const from = schedule.body.modifiedAt;
      // A rate without StartDate is due at once; a single time that is over already is too: it would never come else.
      const next = nextOf(schedule, schedule.recurrence.kind === 'cron' ? from : from - 1);
      const isPast = next === undefined && schedule.recurrence.kind === 'at';
      setNext(schedule, isPast ? { at: schedule.recurrence.next(-1) ?? from, fireAt: from } : next);
    },
    forget,
    close: () => {
      for (const cancel of timers.values()) cancel();
    },
  };
};
