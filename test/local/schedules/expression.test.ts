import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { missedFire, parseExpression } from '../../../local/schedules/expression.ts';

const start = Date.parse('2026-01-01T00:00:00Z');
const fires = (
  expression: string,
  count: number,
  { from = '2026-01-01T00:00:00Z', timezone = 'UTC' } = {},
): string[] => {
  const recurrence = parseExpression(expression, { timezone, firstRate: Date.parse(from) });
  const found: string[] = [];
  let after: number | undefined = Date.parse(from);
  while (found.length < count) {
    after = recurrence.next(after);
    if (after === undefined) break;
    found.push(new Date(after).toISOString().slice(0, 16));
  }
  return found;
};

describe('a cron expression', () => {
  test.each([
    [
      'cron(0/15 10 * * ? *)',
      ['2026-01-01T10:00', '2026-01-01T10:15', '2026-01-01T10:30', '2026-01-01T10:45', '2026-01-02T10:00'],
    ],
    ['cron(0 10 ? * 1 *)', ['2026-01-04T10:00', '2026-01-11T10:00']],
    ['cron(0 18 ? * MON-FRI *)', ['2026-01-01T18:00', '2026-01-02T18:00', '2026-01-05T18:00']],
    [
      'cron(0 18 ? * FRI-MON *)',
      ['2026-01-02T18:00', '2026-01-03T18:00', '2026-01-04T18:00', '2026-01-05T18:00', '2026-01-09T18:00'],
    ],
    ['cron(0 10 L * ? *)', ['2026-01-31T10:00', '2026-02-28T10:00']],
    ['cron(0 10 LW * ? *)', ['2026-01-30T10:00', '2026-02-27T10:00']],
    ['cron(0 10 15W * ? *)', ['2026-01-15T10:00', '2026-02-16T10:00']],
    ['cron(0 10 ? * 6#3 *)', ['2026-01-16T10:00', '2026-02-20T10:00']],
    ['cron(0 10 ? * FRI#3 *)', ['2026-01-16T10:00', '2026-02-20T10:00']],
    ['cron(0 10 ? * 6L *)', ['2026-01-30T10:00', '2026-02-27T10:00']],
    ['cron(0 10 ? * L *)', ['2026-01-03T10:00', '2026-01-10T10:00']],
    ['cron(0 0 29 2 ? *)', ['2028-02-29T00:00', '2032-02-29T00:00']],
    [
      'cron(15 12 1 JAN,JUL ? 2026-2027)',
      ['2026-01-01T12:15', '2026-07-01T12:15', '2027-01-01T12:15', '2027-07-01T12:15'],
    ],
    ['cron(0 10 * * ? 2020)', []],
  ])('%s fires at %j', (expression, expected) => {
    expect(fires(expression, Math.max(1, expected.length))).toEqual(expected);
  });

  test.each([
    ['cron(0 10 * * *)', 'it has 5 fields'],
    ['cron(0 10 * * * *)', 'must be ?'],
    ['cron(0 10 ? * ? *)', 'must be ?'],
    ['cron(60 10 * * ? *)', 'minutes "60"'],
    ['cron(0 24 * * ? *)', 'hours "24"'],
    ['cron(0 10 ? * 0 *)', 'day-of-week "0"'],
    ['cron(0 10 ? * 6#6 *)', 'day-of-week "6#6"'],
    ['cron(0/0 10 * * ? *)', 'minutes "0/0"'],
    ['cron(0 10 1,,2 * ? *)', 'day-of-month'],
    ['cron(0 10 * FOO ? *)', 'month "FOO"'],
    ['rate(0 minutes)', 'whole number'],
    ['rate(1 minutes)', 'write 1 minute'],
    ['rate(2 minute)', 'write 2 minutes'],
    ['rate(5 seconds)', 'minute(s), hour(s) or day(s)'],
    ['at(2026-02-30T10:00:00)', 'at(yyyy-mm-ddThh:mm:ss)'],
    ['at(2026-02-03)', 'at(yyyy-mm-ddThh:mm:ss)'],
    ['every minute', 'cron(...), rate(...) or at(...)'],
  ])('%s is refused, and the refusal says %s', (expression, said) => {
    const parse = () => parseExpression(expression, { firstRate: start });
    expect(parse).toThrow(expect.objectContaining({ name: 'ValidationException' }));
    expect(parse).toThrow(said);
  });

  test('in a zone that does not exist is refused', () => {
    expect(() => parseExpression('cron(0 10 * * ? *)', { timezone: 'Mars/Olympus', firstRate: start })).toThrow(
      'Mars/Olympus',
    );
  });
});

describe('when clocks change', () => {
  const timezone = 'Europe/Paris';

  test('a time that the clocks skip is left out that day', () => {
    expect(fires('cron(30 2 * * ? *)', 3, { timezone, from: '2026-03-27T12:00:00Z' })).toEqual([
      '2026-03-28T01:30',
      '2026-03-30T00:30',
      '2026-03-31T00:30',
    ]);
  });

  test('a time that comes twice fires once', () => {
    expect(fires('cron(30 2 * * ? *)', 3, { timezone, from: '2026-10-23T12:00:00Z' })).toEqual([
      '2026-10-24T00:30',
      '2026-10-25T00:30',
      '2026-10-26T01:30',
    ]);
  });

  test('a daily time keeps its place on the wall, a daily rate its 24 hours', () => {
    const from = '2026-03-28T08:00:00Z';
    expect(fires('cron(0 9 * * ? *)', 2, { timezone, from })).toEqual(['2026-03-29T07:00', '2026-03-30T07:00']);
    expect(fires('rate(1 day)', 2, { timezone, from })).toEqual(['2026-03-29T08:00', '2026-03-30T08:00']);
  });

  test('a single time is read in its zone, and one that is skipped comes after the gap', () => {
    expect(fires('at(2026-07-01T10:00:00)', 1, { timezone })).toEqual(['2026-07-01T08:00']);
    expect(fires('at(2026-12-01T10:00:00)', 1, { timezone })).toEqual(['2026-12-01T09:00']);
    expect(fires('at(2026-03-29T02:30:00)', 1, { timezone })).toEqual(['2026-03-29T01:30']);
    expect(fires('at(2026-10-25T02:30:00)', 1, { timezone })).toEqual(['2026-10-25T00:30']);
    expect(fires('at(2026-04-05T01:45:00)', 1, { timezone: 'Australia/Lord_Howe' })).toEqual(['2026-04-04T14:45']);
  });
});

describe('the next time to fire', () => {
  test('is later than the time asked about, the same for every time before it, and never goes back', () => {
    const number = (low: number, high: number) => fc.integer({ min: low, max: high }).map(String);
    const field = (low: number, high: number) =>
      fc.oneof(
        fc.constant('*'),
        number(low, high),
        fc.tuple(number(low, high), fc.integer({ min: 1, max: 20 })).map(([first, step]) => `${first}/${step}`),
        fc.tuple(number(low, high), number(low, high)).map(([first, last]) => `${first}-${last}`),
      );
    const expression = fc
      .tuple(
        field(0, 59),
        field(0, 23),
        field(1, 12),
        fc.oneof(fc.tuple(field(1, 28), fc.constant('?')), fc.tuple(fc.constant('?'), field(1, 7))),
      )
      .map(([minutes, hours, months, [day, weekDay]]) => `cron(${minutes} ${hours} ${day} ${months} ${weekDay} *)`);
    const zone = fc.constantFrom('UTC', 'Europe/Paris', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata');
    const instant = fc.integer({ min: start, max: start + 3 * 365 * 86_400_000 });
    fc.assert(
      fc.property(
        expression,
        zone,
        instant,
        fc.integer({ min: 0, max: 90 * 86_400_000 }),
        (text, timezone, from, gap) => {
          const { next } = parseExpression(text, { timezone, firstRate: from });
          const one = next(from)!;
          const other = next(from + gap)!;
          expect(one).toBeGreaterThan(from);
          expect(other).toBeGreaterThanOrEqual(one);
          if (from + gap < one) expect(other).toBe(one);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('a fire that was missed while nothing ran', () => {
  const minute = 60_000;
  const every = (minutes: number) => parseExpression(`rate(${minutes} minutes)`, { firstRate: start });

  test('is made up once, for the latest time, when that was within the last hour', () => {
    expect(missedFire(every(5), start, start + 300 * minute + 1)).toBe(start + 300 * minute);
    expect(missedFire(every(600), start + 600 * minute, start + 659 * minute)).toBe(start + 600 * minute);
  });

  test('is let go when it was due more than an hour ago', () => {
    expect(missedFire(every(600), start + 600 * minute, start + 661 * minute)).toBeUndefined();
  });

  test('is made up whenever the schedule had only the one', () => {
    const once = parseExpression('at(2026-01-01T10:00:00)', { firstRate: start });
    const due = once.next(start)!;
    expect(missedFire(once, due, due + 365 * 86_400_000)).toBe(due);
    expect(missedFire(once, due, due - 1)).toBeUndefined();
  });
});
