export type Format = 'table' | 'json';

export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string | number | null | undefined;
  readonly right?: true;
}

const useColour = (stream: NodeJS.WriteStream): boolean => stream.isTTY === true && !process.env.NO_COLOR;

const paint =
  (code: number) =>
  (text: string, stream: NodeJS.WriteStream = process.stderr): string =>
    useColour(stream) ? `\u001b[${code}m${text}\u001b[0m` : text;

export const green = paint(32);
export const red = paint(31);
export const yellow = paint(33);
export const faint = paint(2);

/** Rows as the lines of an aligned table, the first with the titles. */
export const tableLines = <T>(rows: readonly T[], columns: readonly Column<T>[]): string[] => {
  const cells = rows.map((row) => columns.map((column) => String(column.value(row) ?? '-')));
  const widths = columns.map((column, index) =>
    Math.max(column.title.length, ...cells.map((line) => line[index]!.length)),
  );
  const line = (values: readonly string[]): string =>
    values
      .map((value, index) => (columns[index]!.right ? value.padStart(widths[index]!) : value.padEnd(widths[index]!)))
      .join('  ')
      .trimEnd();
  return [columns.map((column) => column.title.toUpperCase()), ...cells].map(line);
};

/** A table on standard output: data goes there, progress and questions to standard error. */
export const printTable = <T>(rows: readonly T[], columns: readonly Column<T>[]): void => {
  for (const line of tableLines(rows, columns)) console.log(line);
  if (rows.length === 0) console.error(faint('(none)'));
};

/** The API's own JSON, or a table of it. */
export const print = <T>(format: Format, body: unknown, rows: readonly T[], columns: readonly Column<T>[]): void => {
  if (format === 'json') console.log(JSON.stringify(body, null, 2));
  else printTable(rows, columns);
};

/** One object as `name  value` lines, members without a value left out, or as JSON. */
export const printRecord = (
  format: Format,
  body: unknown,
  lines: Readonly<Record<string, string | number | null | undefined>>,
): void => {
  if (format === 'json') {
    console.log(JSON.stringify(body, null, 2));
    return;
  }
  const shown = Object.entries(lines).filter(([, value]) => value !== null && value !== undefined && value !== '');
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  for (const [name, value] of shown) console.log(`${name.padEnd(width)}  ${value}`);
};

export const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)}s`;

/** `2026-11-23 05:10:00Z`, cut to seconds. */
export const instant = (value: string | null | undefined): string =>
  value ? `${new Date(value).toISOString().slice(0, 19).replace('T', ' ')}Z` : '-';
