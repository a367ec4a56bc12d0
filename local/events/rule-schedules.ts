import { randomUUID } from 'node:crypto';
import type { GroupCommit } from '../queues/group-commit.ts';
import type { Clock } from '../schedules/clock.ts';
import { missedFire } from '../schedules/expression.ts';
import type { Place } from './names.ts';
import { type Publishing, scheduledEvent } from './publishing.ts';
import type { Rule, Rulebook } from './rulebook.ts';

export interface RuleSchedules {
  /** Sets the timers of all rules; what was missed within the last hour fires once. */
  start(): void;
  /** Sets the rule's next time; to be called inside a write, after the rule was saved. */
  plan(rule: Rule): void;
  forget(rule: Rule): void;
  close(): void;
}

/** Fires rules that have a ScheduleExpression. Event and next time are written in one commit: each time fires once. */
export const openRuleSchedules = ({
  rulebook,
  publishing,
  writer,
  clock,
  place,
  report,
}: {
  rulebook: Rulebook;
  publishing: Publishing;
  writer: GroupCommit;
  clock: Clock;
  place: Place;
  report: (line: string) => void;
}): RuleSchedules => {
  const timers = new Map<string, () => void>();
  let started = false;

  const forget = (rule: Rule): void => {
    timers.get(rule.arn)?.();
    timers.delete(rule.arn);
  };
  const arm = (rule: Rule, at: number | undefined): void => {
    forget(rule);
    if (at === undefined || !started) return;
    timers.set(
      rule.arn,
      clock.setTimer(at, () => {
        writer.write(() => fire(rule, at)).catch((error) => report(`${rule.arn} did not fire: ${String(error)}`));
      }),
    );
  };
  const fire = (rule: Rule, at: number): void => {
    const current = rulebook.findRule(rule.bus, rule.name);
    if (current === undefined || current.body.schedule !== rule.body.schedule) return;
    publishing.journal(current, scheduledEvent(current, at, place, randomUUID()));
    setNext(current, current.recurrence?.next(Math.max(at, clock.now())));
  };
  const setNext = (rule: Rule, at: number | undefined): void => {
    rulebook.saveNextFire(rule, at);
    arm(rule, at);
  };
  const plan = (rule: Rule): void => {
    const isOn = rule.body.state === 'ENABLED' && rule.recurrence !== undefined;
    setNext(rule, isOn ? rule.recurrence?.next(clock.now()) : undefined);
  };

  return {
    start: () => {
      started = true;
      for (const { rule, nextAt } of rulebook.scheduled()) {
        if (nextAt === undefined || rule.recurrence === undefined) continue;
        const missed = missedFire(rule.recurrence, nextAt, clock.now());
        arm(rule, missed ?? (nextAt > clock.now() ? nextAt : rule.recurrence.next(clock.now())));
      }
    },
    plan,
    forget,
    close: () => {
      for (const cancel of timers.values()) cancel();
    },
  };
};
