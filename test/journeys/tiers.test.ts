import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  expectEveryWrite,
  liveWholeLife,
  moveUnderLoad,
  offboard,
  openTierWorld,
  signUp,
  type TierWorld,
} from './tier-life.ts';

let world: TierWorld;
let neighbour: string;

beforeAll(async () => {
  world = await openTierWorld();
  await signUp(world, 'globex', { tier: 'shared', isolation: 'pooled' });
  neighbour = await world.digest('globex');
});
afterAll(() => world?.close());

describe('a tenant with an app of its own', () => {
  test('lives in a namespace of the shared cluster from signup to offboarding, its rows in the pool', () =>
    liveWholeLife(world, 'initech', { tier: 'namespace', isolation: 'pooled' }));

  test('lives in a cluster of its own with a server of its own, and both are gone with it', () =>
    liveWholeLife(world, 'umbrella', { tier: 'cluster', isolation: 'server' }));
});

test('a tenant moves between tiers while people write at its host, and nobody notices', async () => {
  await signUp(world, 'acme', { tier: 'shared', isolation: 'pooled' });
  const load = await world.write('acme');
  const stalls = [
    await moveUnderLoad(world, load, 'acme', { tier: 'namespace', isolation: 'pooled' }, { thereAndBack: true }),
    await moveUnderLoad(world, load, 'acme', { tier: 'cluster', isolation: 'server' }),
    await moveUnderLoad(world, load, 'acme', { tier: 'shared', isolation: 'database' }),
  ];
  await load.stop();
  const acked = await expectEveryWrite(load);
  console.log(`${acked} writes, slowest of each move ${stalls.map((stall) => stall.toFixed(0)).join(', ')} ms`);
  expect(Math.max(...stalls)).toBeLessThan(5_000);
  expect(await world.digest('globex')).toBe(neighbour);
  await offboard(world, 'acme');
}, 120_000);
