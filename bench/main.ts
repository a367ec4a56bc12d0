import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { benchDrills } from './drills.ts';
import { benchEngine } from './engine.ts';
import { benchFleet } from './fleet.ts';
import { startLaptop } from './laptop.ts';
import { benchRestores } from './restores.ts';
import type { BenchRow } from './row.ts';
import { benchS3 } from './s3.ts';
import { benchSignups } from './signups.ts';

const { values: options } = parseArgs({
  options: { json: { type: 'string' }, only: { type: 'string' }, seconds: { type: 'string', default: '60' } },
});

const round = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

const show = (row: BenchRow): void => {
  const verdict = row.met === undefined ? '' : row.met ? 'met' : 'MISSED';
  const yardstick = row.yardstick ? `${row.yardstick.name} ${round(row.yardstick.value)} ${row.yardstick.unit}` : '';
  console.log(
    `${row.name.padEnd(30)} ${round(row.value).padStart(9)} ${row.unit.padEnd(8)} ${(row.goal ?? '').padEnd(18)} ${verdict.padEnd(7)} ${yardstick}`,
  );
};

const all: BenchRow[] = [];
const record = (rows: readonly BenchRow[]): void => {
  for (const row of rows) show(row);
  all.push(...rows);
};

const wanted = (name: string): boolean => options.only === undefined || options.only.split(',').includes(name);

console.log(
  `${'figure'.padEnd(30)} ${'value'.padStart(9)} ${''.padEnd(8)} ${'goal'.padEnd(18)}         yardstick of the same run`,
);
if (wanted('engine')) record(await benchEngine());
if (wanted('s3')) record(await benchS3());
if (wanted('product')) {
  const laptop = await startLaptop();
  try {
    const { rows, tenants } = await benchSignups(laptop, Number(options.seconds));
    record(rows);
    const fleet = await benchFleet(laptop, tenants);
    record(fleet.rows);
    record(await benchRestores(laptop, fleet));
  } finally {
    await laptop.close();
  }
}
if (wanted('drills')) {
  const laptop = await startLaptop();
  try {
    record(await benchDrills(laptop));
  } finally {
    await laptop.close();
  }
}
if (options.json) {
  mkdirSync(dirname(options.json), { recursive: true });
  writeFileSync(options.json, `${JSON.stringify(all, null, 2)}\n`);
}
const missed = all.filter(({ met }) => met === false);
console.log(missed.length === 0 ? '\nevery goal met' : `\nmissed: ${missed.map(({ name }) => name).join(', ')}`);
