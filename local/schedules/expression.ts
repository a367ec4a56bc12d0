import { Cron } from 'croner';
import { ServiceError } from '../gateway/service.ts';
import { cronerPattern } from './cron-fields.ts';
import { instantOf, type WallClock, wallClockIn } from './zones.ts';

export interface Recurrence {
  readonly kind: 'cron' | 'rate' | 'at';
  /** The first time to fire that is later than `after`, or undefined where there is none. Milliseconds since 1970. */
  next(after: number): number | undefined;
}

export interface ExpressionOptions {
  /** IANA zone in which `cron` and `at` are read; UTC where absent. */
  readonly timezone?: string | undefined;
  /** When a `rate` fires first: it fires then and every period after it. */
  readonly firstRate: number;
}

const units: Readonly<Record<string, number>> = {
  minute: 60_000,
  minutes: 60_000,
  hour: 3_600_000,
  hours: 3_600_000,
  day: 86_400_000,
  days: 86_400_000,
};

const refusal = (expression: string, reason: string): never => {
  throw new ServiceError('ValidationException', `Invalid Schedule Expression ${expression}. Reason: ${reason}.`, {
    status: 400,
  });
};

const zone = (expression: string, timezone: string): WallClock => {
  try {
    return wallClockIn(timezone);
  } catch {
    return refusal(expression, `"${timezone}" is no time zone; write one such as Europe/Berlin`);
  }
};

/**
 * A time that the zone's clocks skip in spring is left out, as EventBridge Scheduler does (croner would fire at the end of
 * the gap); one that comes twice in autumn fires at the first.
 */
const cron = (expression: string, fields: string, timezone: string): Recurrence => {
  const pattern = cronerPattern(fields, (reason) => refusal(expression, reason));
  let job: Cron;
  try {
    job = new Cron(pattern, { timezone, paused: true });
  } catch (error) {
    return refusal(expression, (error as Error).message);
  }
  return {
    kind: 'cron',
    next: (after) => {
      let found = job.nextRun(new Date(after));
      while (found !== null && !job.match(found)) found = job.nextRun(found);
      return found?.getTime();
    },
  };
};

const rate = (expression: string, text: string, first: number): Recurrence => {
  const [, count = '', unit = ''] = /^(\d{1,9})\s+([a-z]+)$/.exec(text.trim()) ?? [];
  const length = units[unit];
  if (length === undefined || Number(count) < 1)
    return refusal(expression, 'a rate is a whole number of 1 or more and minute(s), hour(s) or day(s)');
  if ((Number(count) === 1) === unit.endsWith('s'))
    return refusal(expression, `write ${count} ${Number(count) === 1 ? unit.slice(0, -1) : `${unit}s`}`);
  const period = Number(count) * length;
  return {
    kind: 'rate',
    next: (after) => (after < first ? first : first + (Math.floor((after - first) / period) + 1) * period),
  };
};

const at = (expression: string, text: string, wallClock: WallClock): Recurrence => {
  const wall = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(text) ? Date.parse(`${text}Z`) : Number.NaN;
  if (Number.isNaN(wall) || new Date(wall).toISOString().slice(0, 19) !== text)
    return refusal(expression, 'write at(yyyy-mm-ddThh:mm:ss)');
  const instant = instantOf(wall, wallClock);
  return { kind: 'at', next: (after) => (instant > after ? instant : undefined) };
};

/** Reads `cron(...)`, `rate(...)` or `at(...)`. Throws ValidationException that names the expression and the field. */
export const parseExpression = (expression: string, { timezone = 'UTC', firstRate }: ExpressionOptions): Recurrence => {
  const wallClock = zone(expression, timezone);
  const [, kind, text = ''] = /^(cron|rate|at)\((.*)\)$/.exec(expression) ?? [];
  switch (kind) {
    case 'cron':
      return cron(expression, text, timezone);
    case 'rate':
      return rate(expression, text, firstRate);
    case 'at':
      return at(expression, text, wallClock);
    default:
      return refusal(expression, 'write cron(...), rate(...) or at(...)');
  }
};

/** A recurring schedule that was due while nothing ran fires once on start if it was due within this time. */
export const MISSED_WINDOW = 3_600_000;

/**
 * The missed-fire rule. `stored` is the time to fire that was on disk, `now` the time of the start. A recurring schedule
 * makes up for its latest missed time only, and only if that lies within the last hour; a one-time schedule always fires.
 * Answers the time to fire for now, or undefined when nothing was missed that still counts.
 */
export const missedFire = (recurrence: Recurrence, stored: number, now: number): number | undefined => {
  if (stored > now) return undefined;
  if (recurrence.kind === 'at') return stored;
  // cron and rate have a step of a minute at least: sixty times lie in the window.
  let latest = stored > now - MISSED_WINDOW ? stored : recurrence.next(now - MISSED_WINDOW - 1);
  if (latest === undefined || latest > now) return undefined;
  for (let next = recurrence.next(latest); next !== undefined && next <= now; next = recurrence.next(next))
    latest = next;
  return latest;
};
