/** Wall-clock parts of an instant in a time zone, as a UTC instant that shows the same figures. */
export type WallClock = (instant: number) => number;

/** Throws RangeError when the zone is not one of the IANA database. */
export const wallClockIn = (timezone: string): WallClock => {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: timezone,
    calendar: 'iso8601',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (instant) => {
    const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
    for (const { type, value } of format.formatToParts(instant)) parts[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
    return Date.UTC(year, month - 1, day, hour, minute, second);
  };
};

/**
 * The instant at which a zone's clocks show `wall` (given as the UTC instant with those figures). A time that the clocks
 * skip in spring is taken as late as it would have been (02:30 becomes 03:30); of one that comes twice, the first.
 */
export const instantOf = (wall: number, wallClock: WallClock): number => {
  const offsetAt = (instant: number): number => wallClock(instant) - Math.floor(instant / 1000) * 1000;
  // Offsets a day before and after bracket any change between them.
  const before = offsetAt(wall - 86_400_000);
  const after = offsetAt(wall + 86_400_000);
  const early = wall - Math.max(before, after);
  const late = wall - Math.min(before, after);
  if (wallClock(early) === wall) return early;
  if (wallClock(late) === wall) return late;
  return wall - before;
};
