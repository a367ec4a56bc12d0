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

/** Rows as an aligned table on standard output: data goes there, progress and questions to standard error. */
export const printTable = <T>(rows: readonly T[], columns: readonly Column<T>[]): void => {
  const cells = rows.map((row) => columns.map((column) => String(column.value(row) ?? '-')));
  const widths = columns.map((column, index) =>
    Math.max(column.title.length, ...cells.map((line) => line[index]!.length)),
  );
  const line = (values: readonly string[]): string =>
    values
      .map((value, index) => (columns[index]!.right ? value.padStart(widths[index]!) : value.padEnd(widths[index]!)))
      .join('  ')
      .trimEnd();
  console.log(line(columns.map((column) => column.title.toUpperCase())));
  for (const values of cells) console.log(line(values));
  if (rows.length === 0) console.error(faint('(none)'));
};

/** The API's own JSON, or a table of it. */
export const print = <T>(format: Format, body: unknown, rows: readonly T[], columns: readonly Column<T>[]): void => {
  if (format === 'json') console.log(JSON.stringify(body, null, 2));
  else printTable(rows, columns);
};

/** One object as `name  value` lines, nested objects dotted, or as JSON. */
export const printRecord = (format: Format, record: Readonly<Record<string, unknown>>): void => {
  if (format === 'json') {
    console.log(JSON.stringify(record, null, 2));
    return;
  }
  const lines: [string, string][] = [];
  const walk = (prefix: string, value: unknown): void => {
    if (value === null || value === undefined) return;
    if (Array.isArray(value) && value.some((item) => typeof item === 'object' && item !== null)) return;
    if (typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date)) {
      for (const [name, member] of Object.entries(value)) walk(prefix ? `${prefix}.${name}` : name, member);
      return;
    }
    lines.push([prefix, Array.isArray(value) ? value.join(', ') : String(value)]);
  };
  walk('', record);
  const width = Math.max(0, ...lines.map(([name]) => name.length));
  for (const [name, value] of lines) console.log(`${name.padEnd(width)}  ${value}`);
};

export const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)}s`;

/** `2026-11-23 05:10:00Z`, cut to seconds. */
export const instant = (value: string | null | undefined): string =>
  value ? `${new Date(value).toISOString().slice(0, 19).replace('T', ' ')}Z` : '-';
