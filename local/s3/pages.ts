/** Where a listing goes on: at `key` or, with `sequence`, after that row of `key`. */
export interface Cursor {
  readonly key: string;
  readonly sequence?: number;
}

export interface Listed {
  readonly key: string;
  readonly sequence: number;
}

export interface Page<T> {
  readonly rows: T[];
  readonly prefixes: string[];
  /** Set when more is to come. */
  readonly next: Cursor | undefined;
  /** What the page ends with: a row or a common prefix. */
  readonly last: T | string | undefined;
}

/** Greater than every key: longer than the 1,024 bytes that a key may have. */
const pastEverything = '\u{10ffff}'.repeat(257);

/** The least text that is greater than every text with this prefix, by code points: the order of UTF-8 bytes. */
export const pastPrefix = (prefix: string): string => {
  const points = Array.from(prefix, (character) => character.codePointAt(0)!);
  while (points.at(-1) === 0x10ffff) points.pop();
  const last = points.pop();
  if (last === undefined) return pastEverything;
  // U+D800 to U+DFFF are no characters.
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
};

/** The common prefix that a key falls into, up to the first delimiter after `prefix`. */
export const commonPrefixOf = (key: string, prefix: string, delimiter: string): string | undefined => {
  const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : key.slice(0, at + delimiter.length);
};

/** The first place after a marker: past the whole prefix where the marker is a common prefix of an earlier page. */
export const cursorAfter = (marker: string, prefix: string, delimiter: string): Cursor => {
  if (marker === '') return { key: '' };
  const rolledUp = marker.startsWith(prefix) && commonPrefixOf(marker, prefix, delimiter) === marker;
  return { key: rolledUp ? pastPrefix(marker) : `${marker}\0` };
};

/**
 * One page of a listing. Each read starts where the last ended and each common prefix is jumped over, so a page costs
 * what it shows: 1,000 keys below `a/` are one index probe, not 1,000 rows.
 */
export const readPage = <T extends Listed>(
  request: { prefix: string; delimiter: string; max: number; from: Cursor; withinKey?: boolean },
  read: (from: Cursor, end: string, limit: number) => T[],
): Page<T> => {
  const { prefix, delimiter, max, withinKey = false } = request;
  const page = { rows: [] as T[], prefixes: [] as string[], last: undefined as T | string | undefined };
  if (max === 0) return { ...page, next: undefined };
  const end = pastPrefix(prefix);
  // Compared as bytes: JavaScript orders by UTF-16 units, in which U+FF5E comes after an emoji.
  let cursor = Buffer.compare(Buffer.from(request.from.key), Buffer.from(prefix)) >= 0 ? request.from : { key: prefix };
  for (;;) {
    const room = max - page.rows.length - page.prefixes.length;
    const limit = delimiter === '' ? room + 1 : Math.min(room + 1, 32);
    const rows = read(cursor, end, limit);
    let jumped = false;
    for (const row of rows) {
      if (page.rows.length + page.prefixes.length === max) return { ...page, next: cursor };
      const common = commonPrefixOf(row.key, prefix, delimiter);
      page.last = common ?? row;
      if (common === undefined) {
        page.rows.push(row);
        cursor = withinKey ? { key: row.key, sequence: row.sequence } : { key: `${row.key}\0` };
      } else {
        page.prefixes.push(common);
        cursor = { key: pastPrefix(common) };
        jumped = true;
        break;
      }
    }
    if (rows.length === 0 || (!jumped && rows.length < limit && cursor.sequence === undefined)) {
      return { ...page, next: undefined };
    }
  }
};
