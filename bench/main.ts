import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { benchApplies } from './applies.ts';
import { benchDrills } from './drills.ts';
import { benchDumps } from './dumps.ts';
import { benchEngine } from './engine.ts';
import { benchFleet, benchLargeFleet } from './fleet.ts';
import { type Laptop, startLaptop } from './laptop.ts';
import { benchMoves } from './moves.ts';
import { benchRestores } from './restores.ts';
import type { BenchRow } from './row.ts';
import { benchS3 } from './s3.ts';
import { benchSignups } from './signups.ts';
import { benchTiers } from './tiers.ts';

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

/** What an earlier run wrote and this one does not measure stays: every figure has the yardstick of its own run beside it. */
const write = (file: string): void => {
  const before: BenchRow[] = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];
  const known = new Map(all.map((row) => [row.name, row]));
  const kept = before.map((row) => known.get(row.name) ?? row);
  const added = all.filter(({ name }) => !before.some((row) => row.name === name));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify([...kept, ...added], null, 2)}\n`);
};

const onLaptop = async (measure: (laptop: Laptop) => Promise<BenchRow[]>): Promise<BenchRow[]> => {
  const laptop = await startLaptop();
  try {
    return await measure(laptop);
  } finally {
    await laptop.close();
  }
};

const product = async (laptop: Laptop): Promise<BenchRow[]> => {
  const { rows, tenants } = await benchSignups(laptop, Number(options.seconds));
  const fleet = await benchFleet(laptop, tenants);
  return [...rows, ...fleet.rows, ...(await benchRestores(laptop, fleet))];
};

const sections: Readonly<Record<string, () => Promise<BenchRow[]>>> = {
  engine: benchEngine,
  s3: benchS3,
  product: () => onLaptop(product),
  fleet: () => onLaptop(benchLargeFleet),
  dumps: () => onLaptop(benchDumps),
  drills: () => onLaptop(benchDrills),
  moves: () => onLaptop(benchMoves),
  applies: benchApplies,
  tiers: () => onLaptop(benchTiers),
};

for (const [name, measure] of Object.entries(sections)) {
  if (!wanted(name)) continue;
  record(await measure());
  if (options.json) write(options.json);
}
const missed = all.filter(({ met }) => met === false);
console.log(missed.length === 0 ? '\nevery goal met' : `\nmissed: ${missed.map(({ name }) => name).join(', ')}`);
