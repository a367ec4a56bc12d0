import { expect, test } from 'vitest';
import { CommandFailure, exitCodes } from '../../cli/exit-codes.ts';
import { duration, parseTime } from '../../cli/times.ts';

const now = new Date('2026-11-23T12:00:00Z');

test.each([
  ['2026-11-22T10:05:00Z', '2026-11-22T10:05:00.000Z'],
  ['2026-11-22 10:05', '2026-11-22T10:05:00.000Z'],
  ['2026-11-22 10:05 UTC', '2026-11-22T10:05:00.000Z'],
  ['2026-11-22 10:05 +01:00', '2026-11-22T09:05:00.000Z'],
  ['2026-11-22T10:05:30.25-0530', '2026-11-22T15:35:30.250Z'],
  ['2026-11-22', '2026-11-22T00:00:00.000Z'],
  ['yesterday 10:05', '2026-11-22T10:05:00.000Z'],
  ['today 9:05:07', '2026-11-23T09:05:07.000Z'],
  ['11:59', '2026-11-23T11:59:00.000Z'],
  ['2h ago', '2026-11-23T10:00:00.000Z'],
  ['5 min ago', '2026-11-23T11:55:00.000Z'],
  ['3 days ago', '2026-11-20T12:00:00.000Z'],
  ['90 seconds ago', '2026-11-23T11:58:30.000Z'],
])('%s is %s', (text, instant) => {
  expect(parseTime(text, now)).toBe(instant);
});

test.each([
  ['lunch', 'is not a time'],
  ['', 'is not a time'],
  ['2 months ago', 'is not a time'],
  ['2026-02-30', 'is not a time'],
  ['25:00', 'is not a time'],
  ['2026-11-22 10:05 CET', 'is not a time'],
  ['12:01', 'after now (2026-11-23T12:00:00.000Z)'],
  ['2027-01-01', 'after now'],
])('%j is refused with the value and examples', (text, why) => {
  const error = (() => {
    try {
      return parseTime(text, now);
    } catch (caught) {
      return caught;
    }
  })();
  expect(error).toBeInstanceOf(CommandFailure);
  const { exitCode, message } = error as CommandFailure;
  expect(exitCode).toBe(exitCodes.usage);
  expect(message).toContain(`--at "${text}"`);
  expect(message).toContain(why);
  expect(message).toContain('"yesterday 10:05"');
});

test.each([
  [0, '0 s'],
  [59, '59 s'],
  [297, '4 min 57 s'],
  [3600, '1 h'],
  [90_061, '1 d 1 h'],
])('%d seconds are %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});
