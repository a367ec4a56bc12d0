import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stallPicture } from './picture.ts';
import type { BenchRow } from './row.ts';

const root = resolve(import.meta.dirname, '..');

const number = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

const line = ({ name, value, unit, goal, met, yardstick }: BenchRow): string =>
  `| \`${name}\` | ${number(value)} ${unit} | ${goal ?? ''} | ${met === undefined ? '' : met ? 'met' : '**missed**'} | ${yardstick ? `${yardstick.name}: ${number(yardstick.value)} ${yardstick.unit}` : ''} |`;

/** The README's table of figures, from what the bench wrote. */
export const figuresTable = (rows: readonly BenchRow[]): string =>
  ['| figure | value | goal | | yardstick of the same run |', '|---|---|---|---|---|', ...rows.map(line)].join('\n');

/** The README with its table between the two marks replaced. */
export const withFigures = (readme: string, rows: readonly BenchRow[]): string =>
  readme.replace(
    /<!-- figures -->[\s\S]*<!-- \/figures -->/,
    `<!-- figures -->\n${figuresTable(rows)}\n<!-- /figures -->`,
  );

if (import.meta.main) {
  const rows = JSON.parse(readFileSync(join(root, 'docs', 'bench.json'), 'utf8')) as BenchRow[];
  const readme = join(root, 'README.md');
  writeFileSync(readme, withFigures(readFileSync(readme, 'utf8'), rows));
  writeFileSync(join(root, 'docs', 'stall.svg'), stallPicture(rows));
}
