import { afterAll, beforeAll, describe, test } from 'vitest';
import { switchSteps } from '../../adapters/replication/switch.ts';
import { type CrashWorld, surviveCrash, victims } from '../adapters/replication/crash.ts';
import { newestInstalled, openServer, type TestDatabase, type TestServer } from '../adapters/replication/servers.ts';

const installed = newestInstalled();

/** Every victim at every numbered step, about 3 s each; with the newest major version at one end where it is installed. */
const worlds: [string, string | undefined][] = [
  ['two servers of one version', undefined],
  ...(installed ? ([['two servers of two versions', installed]] as [string, string][]) : []),
];

describe.each(worlds)('on %s', (_, other) => {
  let servers: [TestServer, TestServer];
  let databases: [TestDatabase, TestDatabase];
  let turn = 0;

  beforeAll(async () => {
    servers = await Promise.all([openServer(), openServer({ installed: other })]);
    databases = [await servers[0].database('pool'), await servers[1].database('pool2')];
    for (const database of databases) await database.addTenant('globex', 20);
    await databases[0].addTenant('acme', 100);
  });
  afterAll(() => Promise.all(servers?.map((server) => server.stop()) ?? []));

  const world = (): CrashWorld => {
    const [from, to]: [0 | 1, 0 | 1] = turn % 2 === 0 ? [0, 1] : [1, 0];
    turn += 1;
    return {
      ends: { source: databases[from], target: databases[to] },
      servers: { source: servers[from], target: servers[to] },
    };
  };

  describe.each(victims)('a cut-over survives the death of its %s', (victim) => {
    test.each(switchSteps)('at %s', (step) => surviveCrash(world(), victim, step, 10 + turn), 120_000);
  });
});
