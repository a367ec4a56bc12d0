import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openScratchDrills } from '../../../adapters/drill/drill.ts';
import { inScratch, sweepScratch } from '../../../adapters/drill/scratch.ts';
import { type DrillBench, openDrillBench } from './drill-bench.ts';

let bench: DrillBench;
let pool: DrillBench['pool'];
let owner: DrillBench['owner'];
let scratchDatabases: DrillBench['scratchDatabases'];
let take: DrillBench['take'];
let scratch: DrillBench['scratch'];
let opened: DrillBench['opened'];

beforeAll(async () => {
  bench = await openDrillBench();
  ({ pool, owner, scratchDatabases, take, scratch, opened } = bench);
});
afterAll(() => bench.stop());
afterEach(async () => expect(await scratchDatabases()).toEqual([]));

describe('a scratch database', () => {
  test('is dropped when its work throws', async () => {
    await expect(
      scratch(async () => {
        throw new Error('the work broke');
      }),
    ).rejects.toThrow('the work broke');
  });

  test('that a killed function left is swept by the next drill, one in use is left alone', async () => {
    const killed = await owner('pool');
    const left = Promise.withResolvers<void>();
    const dying = inScratch(bench.request(killed), () => {
      left.resolve();
      return new Promise<never>(() => undefined);
    });
    dying.catch(() => undefined);
    await left.promise;
    const [leftover] = await scratchDatabases();
    const sweeper = await owner('pool');
    await scratch(async () => {
      expect(await scratchDatabases()).toHaveLength(2);
      expect(await sweepScratch(sweeper)).toEqual([]);
    });
    const { rows } = await killed.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await pool.master.query('SELECT pg_terminate_backend($1, 10000)', [rows[0]!.pid]);
    expect(await sweepScratch(sweeper)).toEqual([leftover]);
    await sweeper.end();
  });

  test('of two drills at once are two', async () => {
    const manifest = await take('acme');
    const second = await owner('pool');
    const names = await Promise.all(
      [pool.master, second].map((client) =>
        inScratch(bench.request(client), async (restorer) => {
          await (await openScratchDrills(restorer)).drill(opened(manifest));
          return (await restorer.query<{ name: string }>('SELECT current_database() AS name')).rows[0]!.name;
        }),
      ),
    );
    await second.end();
    expect(new Set(names).size).toBe(2);
  });
});
