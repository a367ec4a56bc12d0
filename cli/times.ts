import { CommandFailure, exitCodes } from './exit-codes.ts';

const units = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const unitOf = (word: string): number => units[word[0]!.toLowerCase() as keyof typeof units];

const relative = /^(\d+)\s*(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)\s+ago$/i;
const ofDay = /^(?:(today|yesterday)\s+)?(\d{1,2}):(\d{2})(?::(\d{2}))?\s*(Z|UTC)?$/i;
const absolute =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*(Z|UTC|[+-]\d{2}(?::?\d{2})?)?)?$/i;

const examples = '2026-11-22T10:05:00Z, "2026-11-22 10:05 +01:00", "yesterday 10:05" (UTC without a zone) or "2h ago"';

/** The instant of these calendar parts in UTC, undefined where the calendar has no such day or hour. */
const calendar = (date: string, hour: string, minute: string, second: string): Date | undefined => {
  const text = `${date}T${hour.padStart(2, '0')}:${minute}:${second}`;
  const time = new Date(`${text}Z`);
  // Date rolls 30 February over into March: what comes back must be what was written.
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(text) ? time : undefined;
};

const read = (text: string, now: Date): Date | undefined => {
  const ago = relative.exec(text);
  if (ago) return new Date(now.getTime() - Number(ago[1]) * unitOf(ago[2]!));
  const clock = ofDay.exec(text);
  if (clock) {
    const [, day, hour, minute, second = '00'] = clock;
    const from = day?.toLowerCase() === 'yesterday' ? now.getTime() - units.d : now.getTime();
    return calendar(new Date(from).toISOString().slice(0, 10), hour!, minute!, second);
  }
  const match = absolute.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = match;
  const utc = calendar(`${year}-${month}-${day}`, hour, minute, second);
  const offset = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone);
  const minutes = offset ? (offset[1] === '-' ? -1 : 1) * (Number(offset[2]) * 60 + Number(offset[3] ?? 0)) : 0;
  return utc && new Date(utc.getTime() + Number(fraction.slice(0, 3).padEnd(3, '0')) - minutes * units.m);
};

/**
 * `--at` as people write it, as an ISO instant in UTC; a time without zone is UTC.
 * @throws CommandFailure usage, with examples, for anything else, days that do not exist and times after `now`.
 */
export const parseTime = (text: string, now: Date): string => {
  const refuse = (why: string): never => {
    throw new CommandFailure(exitCodes.usage, `--at "${text}" ${why}; write ${examples}`);
  };
  const time = read(text.trim(), now) ?? refuse('is not a time');
  if (time > now) return refuse(`is ${time.toISOString()}, after now (${now.toISOString()})`);
  return time.toISOString();
};

const length = /^(\d+)\s*(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)$/i;

/** A length of time as people write it, in seconds. @throws CommandFailure usage, naming the option. */
export const parseDuration = (option: string, text: string): number => {
  const match = length.exec(text.trim());
  if (!match)
    throw new CommandFailure(exitCodes.usage, `${option} "${text}" is not a length of time; write 90s, 30m, 12h or 7d`);
  return (Number(match[1]) * unitOf(match[2]!)) / 1000;
};

/** `4 min 57 s`: the two largest units of a duration. */
export const duration = (seconds: number): string => {
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [Math.floor(seconds) % 60, 's'],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  return first < 0
    ? '0 s'
    : parts
        .slice(first, first + 2)
        .filter(([count]) => count > 0)
        .map(([count, unit]) => `${count} ${unit}`)
        .join(' ');
};
