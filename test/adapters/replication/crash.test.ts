import { afterAll, beforeAll, describe, test } from 'vitest';
import { type CrashWorld, surviveCrash } from './crash.ts';
import { openServer, type TestDatabase, type TestServer } from './servers.ts';

const thrown = ['caught-up', 'fenced', 'held', 'switched', 'opened'] as const;

let servers: [TestServer, TestServer];
let databases: [TestDatabase, TestDatabase];
let fence = 10;

beforeAll(async () => {
  servers = await Promise.all([openServer(), openServer()]);
  databases = [await servers[0].database('pool'), await servers[1].database('pool2')];
  for (const database of databases) await database.addTenant('globex', 20);
  await databases[0].addTenant('acme', 100);
});
afterAll(() => Promise.all(servers?.map((server) => server.stop()) ?? []));

/** The world as the next case finds it; each leaves the tenant on the other side. */
let turn = 0;
const world = (): CrashWorld => {
  const [from, to] = turn % 2 === 0 ? [0, 1] : [1, 0];
  turn += 1;
  fence += 1;
  return {
    ends: { source: databases[from as 0]!, target: databases[to as 1]! },
    servers: { source: servers[from as 0]!, target: servers[to as 1]! },
  };
};

describe('a cut-over that dies ends with one active side, and a repeat finishes it', () => {
  // The whole matrix is test/proofs/moves.test.ts; these are the worst moments of each.
  test.each(thrown)('at %s, by an error in its own process', async (step) => {
    await surviveCrash(world(), 'throw', step, fence);
  });

  test.each([
    ['orchestrator', 'held'],
    ['orchestrator', 'switched'],
    ['walsender', 'fenced'],
    ['applier', 'fenced'],
    ['target', 'switched'],
    ['source', 'held'],
  ] as const)('by kill -9 of the %s at %s', async (victim, step) => {
    await surviveCrash(world(), victim, step, fence);
  });
});
