import { describe, expect, test } from 'vitest';
import { parseAsOf } from '../../domain/as-of.ts';

const now = new Date('2026-11-23T12:00:00Z');

describe('a time', () => {
  test.each([
    ['2026-11-22T10:05:00Z', '2026-11-22T10:05:00.000Z'],
    ['2026-11-22T11:05:00+01:00', '2026-11-22T10:05:00.000Z'],
    ['2026-11-22T04:35-0530', '2026-11-22T10:05:00.000Z'],
    ['2026-11-22 10:05', '2026-11-22T10:05:00.000Z'],
    ['2026-11-22', '2026-11-22T00:00:00.000Z'],
    ['2026-11-22T10:05:00.123456Z', '2026-11-22T10:05:00.123Z'],
  ])('%s is read as %s', (asOf, utc) => {
    expect(parseAsOf(asOf, now).toISOString()).toBe(utc);
  });

  test.each([
    ['yesterday', /is not a time/],
    ['2026-02-30T00:00:00Z', /does not exist/],
    ['2026-11-22T25:00:00Z', /does not exist/],
    ['2026-11-23T12:00:01Z', /is after now/],
    ['11/22/2026', /is not a time/],
  ])('%s is refused with the form that is wanted', (asOf, why) => {
    expect(() => parseAsOf(asOf, now)).toThrow(expect.objectContaining({ name: 'InvalidStepInput' }));
    expect(() => parseAsOf(asOf, now)).toThrow(why);
    expect(() => parseAsOf(asOf, now)).toThrow(/2026-11-21T10:05:00Z/);
  });
});
