import { afterEach, expect, test, vi } from 'vitest';
import { green, instant, printRecord, tableLines } from '../../cli/print.ts';

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

test('a table aligns its columns, numbers to the right, and writes - for what is missing', () => {
  const lines = tableLines(
    [
      { name: 'acme', rows: 12_345 },
      { name: 'a-longer-name', rows: null },
    ],
    [
      { title: 'tenant', value: (row) => row.name },
      { title: 'rows', value: (row) => row.rows, right: true },
    ],
  );
  expect(lines).toEqual(['TENANT          ROWS', 'acme           12345', 'a-longer-name      -']);
});

test('a record leaves out what has no value, and is the whole body as JSON', () => {
  const written: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((line: string) => void written.push(line));
  const body = { id: 'acme', name: null };
  printRecord('table', body, { tenant: 'acme', name: null, plan: undefined, 'last backup': 0 });
  expect(written).toEqual(['tenant       acme', 'last backup  0']);
  written.length = 0;
  printRecord('json', body, {});
  expect(JSON.parse(written.join('\n'))).toEqual(body);
});

test('times are printed in UTC with their zone', () => {
  expect(instant('2026-11-22T11:05:00.123456+01:00')).toBe('2026-11-22 10:05:00Z');
  expect(instant(null)).toBe('-');
});

test('colours need a terminal and obey NO_COLOR', () => {
  const terminal = { isTTY: true } as NodeJS.WriteStream;
  vi.stubEnv('NO_COLOR', '');
  expect(green('ok', terminal)).toBe('\u001b[32mok\u001b[0m');
  expect(green('ok', { isTTY: false } as NodeJS.WriteStream)).toBe('ok');
  vi.stubEnv('NO_COLOR', '1');
  expect(green('ok', terminal)).toBe('ok');
});
