import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { moveBack, planOf } from '../../../adapters/replication/cut-over.ts';
import { finishMove } from '../../../adapters/replication/finish.ts';
import { prepareTarget } from '../../../adapters/replication/switch.ts';
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
    // Writers refer to this one, and PostgreSQL checks no key while it replicates.
    await ends.target.look(`DELETE FROM emoji_catalogue WHERE code = 'tada' AND NOT EXISTS (SELECT FROM reactions)`);
    await makeReady(ends, move);
    await load.more(50);
    const start = performance.now();
    const { verification, stallMs } = await cutOverTo(ends, move, board);
    const end = performance.now();
    await load.more(50);
    await load.stop();
    expect(verification).toMatchObject({ equal: true, orphans: [] });
    expect(verification?.rows).toBeGreaterThan(600);
    const admin = await ends.target.side.connect();
    expect(await checkOperations(admin, 'acme', load)).toMatchObject({ lost: [], duplicated: [], unasked: [] });
    await admin.end();
    expect(load.refused).toEqual([]);
    // Never longer than a fence may stand. The bench measures it (16 to 40 ms fenced); here other suites share the cores.
    expect(longestGap(load.acks, start, end)).toBeLessThan(5_000);
    expect(stallMs).toBeLessThan(5_000);
    await startWayBack({ ...sidesOf(ends), move });
    await finishMove({ ...sidesOf(ends), move });
    expect(await stateOf(ends.source, 'acme')).toBeUndefined();
    expect(await fingerprint(ends.source, 'acme')).toEqual({});
    expect(await neighbours()).toEqual(before);
    await expectSound(ends.target, 'acme');
    await noneLeft(ends);
  });
});

describe('a cut-over', () => {
  test('whose copy is held up gives up in time, and the tenant writes on where it was', async () => {
    const ends = { source: databases.pool!, target: databases.pool2! };
    const move = newMove('globex');
    const { board, load } = await writeOn(ends.source, 'globex', { writers: 2 });
    await makeReady(ends, move);
    const holder = await ends.target.side.connect();
    const holdUp = async (step: string): Promise<void> => {
      if (step !== 'caught-up') return;
      await holder.query('BEGIN; LOCK TABLE messages IN ACCESS EXCLUSIVE MODE');
      await load.more(4);
    };
    const late = cutOverTo(ends, move, board, { deadlineMs: 1_500, onStep: holdUp });
    await expect(late).rejects.toMatchObject({ name: 'FenceTimeout', message: expect.stringContaining('barrier') });
    expect([await stateOf(ends.source, 'globex'), await stateOf(ends.target, 'globex')]).toEqual(['open', 'moved']);
    await holder.query('ROLLBACK');
    await holder.end();
    await load.more(20);
    expect(await cutOverTo(ends, move, board)).toMatchObject({ verification: { equal: true } });
    await load.more(20);
    await load.stop();
    const admin = await ends.target.side.connect();
    expect(await checkOperations(admin, 'globex', load)).toMatchObject({ lost: [], duplicated: [], unasked: [] });
    await admin.end();
    await startWayBack({ ...sidesOf(ends), move });
    await finishMove({ ...sidesOf(ends), move });
    await noneLeft(ends);
  });

  test('is refused once the schemas have grown apart, and goes on when they are the same again', async () => {
    const ends = { source: databases.pool2!, target: databases.pool! };
    const move = newMove('globex', 15);
    const { board, load } = await writeOn(ends.source, 'globex', { writers: 0 });
    await load.stop();
    await makeReady(ends, move);
    const partition = `CREATE TABLE activity_2031 PARTITION OF activity FOR VALUES FROM ('2031-01-01') TO ('2032-01-01')`;
    await ends.source.look(partition);
    await expect(cutOverTo(ends, move, board)).rejects.toMatchObject({
      name: 'MoveRefused',
      message: expect.stringContaining('only the source has table public.activity_2031'),
    });
    expect(await stateOf(ends.source, 'globex')).toBe('open');
    const setUp = await ends.target.side.connect();
    await setUp.query('SELECT pg_advisory_lock(7003, 1)');
    await expect(cutOverTo(ends, move, board)).rejects.toMatchObject({ name: 'FenceTimeout' });
    await setUp.end();
    await ends.source.look('DROP TABLE activity_2031');
    await cutOverTo(ends, move, board);
    await startWayBack({ ...sidesOf(ends), move });
    await moveBack({ ...sidesOf(ends), move, ...flipTo(board, ends.source) });
    await finishMove({ ...sidesOf(ends), move });
  });

  test('that fails before its commit point opens the tenant at once, not at the deadline', async () => {
    const ends = { source: databases.pool2!, target: databases.pool! };
    const move = newMove('globex', 20);
    const { board, load } = await writeOn(ends.source, 'globex', { writers: 0 });
    await load.stop();
    await makeReady(ends, move);
    const fail = (step: string): void => {
      if (step === 'held') throw new Error('no more');
    };
    await expect(cutOverTo(ends, move, board, { deadlineMs: 600_000, onStep: fail })).rejects.toThrow('no more');
    expect([await stateOf(ends.source, 'globex'), await stateOf(ends.target, 'globex')]).toEqual(['open', 'moved']);
    expect(board.flips()).toBe(0);
    await cutOverTo(ends, move, board);
    await startWayBack({ ...sidesOf(ends), move });
    // What brought the rows must not take them back: the source would send what it receives.
    expect((await leftovers(ends.source)).filter((name) => name.endsWith('_out'))).toEqual([]);
    await finishMove({ ...sidesOf(ends), move });
  });

  test('goes over the rows that an attempt left which died without a word', async () => {
    const ends = { source: databases.pool!, target: databases.pool2! };
    const move = newMove('globex', 30);
    await ends.target.look(
      `SET session_replication_role = 'replica';
       INSERT INTO tenantry.tenants (tenant_id, state) VALUES ('globex', 'moved');
       INSERT INTO tenantry.barriers VALUES ('globex', 999);
       INSERT INTO messages (tenant_id, id, stream_id, sender_id, body) SELECT 'globex', i, 1, 1, 'left' FROM generate_series(1, 500) i`,
    );
    const { board, load } = await writeOn(ends.source, 'globex', { writers: 0 });
    await load.stop();
    await makeReady(ends, move);
    const before = await fingerprint(ends.source, 'globex');
    expect(await cutOverTo(ends, move, board)).toMatchObject({ verification: { equal: true } });
    expect(await fingerprint(ends.target, 'globex')).toEqual(before);
    await startWayBack({ ...sidesOf(ends), move });
    await finishMove({ ...sidesOf(ends), move });
  });

  test('asks for the route again when the registry fails, and a repeat after that only finishes', async () => {
    const ends = { source: databases.pool2!, target: databases.pool! };
    const move = newMove('globex', 40);
    const { board, load } = await writeOn(ends.source, 'globex', { writers: 0 });
    await load.stop();
    await makeReady(ends, move);
    let asked = 0;
    const down = async (): Promise<void> => {
      asked += 1;
      throw new Error('registry is down');
    };
    await expect(cutOverTo(ends, move, board, { flip: down })).rejects.toThrow('registry is down');
    expect(asked).toBeGreaterThan(1);
    expect([await stateOf(ends.source, 'globex'), await stateOf(ends.target, 'globex')]).toEqual(['moved', 'open']);
    expect(await cutOverTo(ends, move, board)).toMatchObject({ stallMs: 0, verification: undefined });
    expect(board.flips()).toBe(1);
    await startWayBack({ ...sidesOf(ends), move });
    await finishMove({ ...sidesOf(ends), move });
    await noneLeft(ends);
  });

  test('that died between commit point and open is not finished before it is repeated', async () => {
    const ends = { source: databases.pool!, target: databases.pool2! };
    const move = newMove('globex', 50);
    const { board, load } = await writeOn(ends.source, 'globex', { writers: 0 });
    await load.stop();
    await makeReady(ends, move);
    const die = (step: string): void => {
      if (step === 'switched') throw new Error('dead');
    };
    await expect(cutOverTo(ends, move, board, { onStep: die })).rejects.toThrow('dead');
    expect([await stateOf(ends.source, 'globex'), await stateOf(ends.target, 'globex')]).toEqual(['moved', 'moved']);
    await expect(finishMove({ ...sidesOf(ends), move })).rejects.toMatchObject({ name: 'MoveRefused' });
    expect(await fingerprint(ends.source, 'globex')).not.toEqual({});
    await cutOverTo(ends, move, board);
    expect(await stateOf(ends.target, 'globex')).toBe('open');
    await finishMove({ ...sidesOf(ends), move });
    await noneLeft(ends);
  });

  test('that comes late does not shift where the way back begins, nor open or fence anything', async () => {
    const ends = { source: databases.pool2!, target: databases.pool! };
    const move = newMove('globex', 60);
    const { board, load } = await writeOn(ends.source, 'globex', { writers: 2 });
    await makeReady(ends, move);
    const { epoch } = await cutOverTo(ends, move, board);
    await load.more(10);
    const facts = () =>
      ends.target.look(`SELECT m.lsn, m.phase, t.state, t.epoch FROM tenantry.moves m JOIN tenantry.tenants t USING (tenant_id)
        WHERE m.move_id = '${move.id}'`);
    const before = await facts();
    const client = await ends.target.side.connect();
    const plan = planOf(
      { ...sidesOf(ends), move, ...flipTo(board, ends.target) },
      { from: ends.source.side, to: ends.target.side, carrier: 'out', before: 'copying', after: 'switched' },
    );
    for (const late of [epoch - 1, epoch, epoch + 1])
      await expect(prepareTarget(client, plan, late)).rejects.toMatchObject({ name: 'MoveRefused' });
    expect(await facts()).toEqual(before);
    await client.end();
    await startWayBack({ ...sidesOf(ends), move });
    await load.more(10);
    await load.stop();
    const back = await moveBack({ ...sidesOf(ends), move, ...flipTo(board, ends.source) });
    expect(back.verification).toMatchObject({ equal: true });
    const admin = await ends.source.side.connect();
    expect(await checkOperations(admin, 'globex', load)).toMatchObject({ lost: [], duplicated: [], unasked: [] });
    await admin.end();
    await finishMove({ ...sidesOf(ends), move });
    await noneLeft(ends);
  });
});
