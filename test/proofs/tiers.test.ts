import { afterAll, beforeAll, describe, test } from 'vitest';
import { isolations, tiers } from '../../domain/place.ts';
import { liveWholeLife, openTierWorld, type TierWorld } from '../journeys/tier-life.ts';

let world: TierWorld;

beforeAll(async () => {
  world = await openTierWorld();
});
afterAll(() => world?.close());

describe('a tenant signs up, is served, is backed up, loses rows, gets them back and leaves nothing behind', () => {
  const places = tiers.flatMap((tier) => isolations.map((isolation) => ({ tier, isolation })));
  test.each(places)(
    '$tier x $isolation',
    (home) => liveWholeLife(world, `${home.tier}-${home.isolation}`, home),
    120_000,
  );
});
