import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { moveBack } from '../../../adapters/replication/cut-over.ts';
import { finishMove } from '../../../adapters/replication/finish.ts';
import { startWayBack } from '../../../adapters/replication/way-back.ts';
import { checkOperations, longestGap } from '../../load/writers.ts';
import {
  cutOverTo,
  type Ends,
  expectSound,
  fingerprint,
  flipTo,
  leftovers,
  makeReady,
  newMove,
  sidesOf,
  stateOf,
  writeOn,
} from './move-bench.ts';
import { openServer, type TestDatabase, type TestServer } from './servers.ts';

let one: TestServer;
let two: TestServer;
const databases: Record<string, TestDatabase> = {};

beforeAll(async () => {
  [one, two] = await Promise.all([openServer(), openServer()]);
  for (const name of ['pool', 'acme', 'acme2']) databases[name] = await one.database(name);
  databases.pool2 = await two.database('pool2');
  await databases.pool!.addTenant('globex', 200);
  await databases.pool2.addTenant('initech', 200);
});
afterAll(() => Promise.all([one?.stop(), two?.stop()]));

const neighbours = async (): Promise<unknown> => [
  await fingerprint(databases.pool!, 'globex'),
  await fingerprint(databases.pool2!, 'initech'),
];

const noneLeft = async ({ source, target }: Ends): Promise<void> => {
  expect(await leftovers(source)).toEqual([]);
  expect(await leftovers(target)).toEqual([]);
};

describe('a tenant that is written to moves', () => {
  test.each([
    ['pool', 'acme', 'from a pool to a database of its own on the same server'],
    ['acme', 'acme2', 'from one database to another on the same server'],
    ['acme2', 'pool2', 'from its database to a pool on another server'],
    ['pool2', 'pool', 'from a pool to a pool on another server'],
  ])('%s to %s: %s', async (from, to) => {
    const ends = { source: databases[from]!, target: databases[to]! };
    if ((await stateOf(ends.source, 'acme')) === undefined) await ends.source.addTenant('acme', 300);
    const before = await neighbours();
    const { board, load } = await writeOn(ends.source, 'acme');
    const move = newMove('acme');
    await load.more(50);
    await makeReady(ends, move);
    await load.more(50);
    const start = performance.now();
    const { verification, timings, stallMs } = await cutOverTo(ends, move, board);
    const end = performance.now();
    await load.more(50);
    await load.stop();
    console.log(
      from,
      to,
      JSON.stringify(timings),
      Math.round(stallMs),
      'gap',
      Math.round(longestGap(load.acks, start, end)),
      'verify',
      verification?.ms,
      load.acks.length,
    );
    expect(verification).toMatchObject({ equal: true, orphans: [] });
    expect(verification?.rows).toBeGreaterThan(600);
    const admin = await ends.target.side.connect();
    expect(await checkOperations(admin, 'acme', load)).toMatchObject({ lost: [], duplicated: [], unasked: [] });
    await admin.end();
    expect(load.refused).toEqual([]);
    await startWayBack({ ...sidesOf(ends), move });
    await finishMove({ ...sidesOf(ends), move });
    expect(await stateOf(ends.source, 'acme')).toBeUndefined();
    expect(await fingerprint(ends.source, 'acme')).toEqual({});
    expect(await neighbours()).toEqual(before);
    await expectSound(ends.target, 'acme');
    await noneLeft(ends);
    void moveBack;
    void flipTo;
  });
});
