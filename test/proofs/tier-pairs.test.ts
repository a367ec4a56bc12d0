import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isolations, tiers } from '../../domain/place.ts';
import {
  expectEveryWrite,
  type Home,
  moveUnderLoad,
  offboard,
  openTierWorld,
  signUp,
  type TierWorld,
} from '../journeys/tier-life.ts';
import type { HttpLoad } from '../load/http-writers.ts';

const homes: readonly Home[] = tiers.flatMap((tier) => isolations.map((isolation) => ({ tier, isolation })));

const name = ({ tier, isolation }: Home): string => `${tier} x ${isolation}`;

interface Leg {
  readonly from: Home;
  readonly to: Home;
}

/** Every ordered pair once, each leg beginning where the one before has ended. */
const tour = (): Leg[] => {
  const open = new Map(homes.map((home) => [home, homes.filter((other) => other !== home)]));
  const path: Home[] = [];
  const stack = [homes[0]!];
  // Hierholzer: every home has as many ways out as in, so the walk closes and misses none.
  while (stack.length > 0) {
    const next = open.get(stack.at(-1)!)!.pop();
    if (next) stack.push(next);
    else path.push(stack.pop()!);
  }
  path.reverse();
  return path.slice(1).map((to, index) => ({ from: path[index]!, to }));
};

/** `TENANTRY_LEGS=0-23`: only these, for a run in pieces. */
const [first = 0, last = Number.POSITIVE_INFINITY] = (process.env.TENANTRY_LEGS ?? '')
  .split('-')
  .filter(Boolean)
  .map(Number);
const legs = tour().filter((_, index) => index >= first && index <= last);

/** Each third leg is also taken back once. */
const thereAndBack = (index: number): boolean => index % 3 === 0;

let world: TierWorld;
let load: HttpLoad;
const neighbours = new Map<string, string>();
const stalls: { leg: string; millis: number }[] = [];

beforeAll(async () => {
  world = await openTierWorld();
  await signUp(world, 'globex', { tier: 'shared', isolation: 'pooled' });
  await signUp(world, 'initech', { tier: 'namespace', isolation: 'database' });
  for (const tenantId of ['globex', 'initech']) neighbours.set(tenantId, await world.digest(tenantId));
  await signUp(world, 'acme', legs[0]!.from, 120);
  load = await world.write('acme');
}, 240_000);
afterAll(async () => {
  await load?.stop();
  for (const { leg, millis } of stalls.toSorted((a, b) => b.millis - a.millis).slice(0, 8))
    console.log(`slowest request ${millis.toFixed(0)} ms: ${leg}`);
  await world?.close();
});

test('the tour has every ordered pair of tier and isolation once', () => {
  expect(new Set(tour().map(({ from, to }) => `${name(from)} to ${name(to)}`)).size).toBe(72);
  expect(tour()).toHaveLength(72);
});

describe('a tenant that people write to at its host', () => {
  test.each(legs.map((leg, index) => [name(leg.from), name(leg.to), leg, thereAndBack(index)] as const))(
    'moves from %s to %s',
    async (from, to, leg, back) => {
      const millis = await moveUnderLoad(world, load, 'acme', leg.to, { thereAndBack: back });
      stalls.push({ leg: `${from} to ${to}`, millis });
      expect(millis).toBeLessThan(5_000);
      for (const [tenantId, digest] of neighbours) expect(await world.digest(tenantId)).toBe(digest);
    },
    120_000,
  );
});

test('after all of them every acknowledged write is there once, and the tenant leaves nothing behind', async () => {
  await load.stop();
  const acked = await expectEveryWrite(load);
  console.log(`${acked} writes over ${legs.length} moves`);
  await offboard(world, 'acme');
}, 120_000);
