import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import { releaseTenant } from '../../../adapters/pool/release.ts';
import type { Move } from '../../../domain/move.ts';
import { type Balance, checkOperations, type Load } from '../../load/writers.ts';
import { type Ends, leftovers, newMove, sidesOf, stateOf } from './move-bench.ts';
import { openServer, type TestDatabase, type TestServer } from './servers.ts';

/** Two pools on one server or on two, one neighbour in each, and a tenant `acme` on the first before every test. */
export interface TwoPools {
  readonly ends: Ends;
  /** A new one for every test. */
  readonly move: Move;
  request(): { readonly source: Ends['source']['side']; readonly target: Ends['target']['side']; readonly move: Move };
  operationsOn(place: TestDatabase, load: Load): Promise<Balance>;
  /** Neither server has a slot, publication, subscription, origin or staging schema. */
  expectClean(): Promise<void>;
  /** Takes a tenant that has moved off the target, for the next test. */
  releaseFromTarget(): Promise<void>;
}

export const useTwoPools = (count: 1 | 2): TwoPools => {
  let servers: TestServer[] = [];
  let ends: Ends;
  let move: Move;
  let fence = 100;
  beforeAll(async () => {
    servers = await Promise.all(Array.from({ length: count }, () => openServer()));
    ends = { source: await servers[0]!.database('pool'), target: await servers.at(-1)!.database('pool2') };
    await ends.source.addTenant('globex', 50);
    await ends.target.addTenant('initech', 50);
  });
  afterAll(() => Promise.all(servers.map((server) => server.stop())));
  beforeEach(async () => {
    fence += 10;
    move = newMove('acme', fence);
    if ((await stateOf(ends.source, 'acme')) === undefined) await ends.source.addTenant('acme', 200);
  });
  return {
    get ends() {
      return ends;
    },
    get move() {
      return move;
    },
    request: () => ({ ...sidesOf(ends), move }),
    operationsOn: async (place, load) => {
      const admin = await place.side.connect();
      try {
        return await checkOperations(admin, 'acme', load);
      } finally {
        await admin.end();
      }
    },
    expectClean: async () => {
      for (const place of [ends.source, ends.target]) expect(await leftovers(place)).toEqual([]);
    },
    releaseFromTarget: async () => {
      const client = await ends.target.side.connect();
      await releaseTenant(client, { tenantId: 'acme', fence: 1_000_000 });
      await client.end();
    },
  };
};
