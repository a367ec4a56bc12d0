import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { abandonMove } from '../../../adapters/replication/abandon.ts';
import { copyProgress, openCopy } from '../../../adapters/replication/copy.ts';
import { moveBack } from '../../../adapters/replication/cut-over.ts';
import { finishMove } from '../../../adapters/replication/finish.ts';
import { freezeMove } from '../../../adapters/replication/freeze.ts';
import { janitor } from '../../../adapters/replication/janitor.ts';
import { verifyCopy } from '../../../adapters/replication/verify.ts';
import { openWayBack, startWayBack } from '../../../adapters/replication/way-back.ts';
import type { Move } from '../../../domain/move.ts';
import { checkOperations } from '../../load/writers.ts';
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
  until,
  writeOn,
} from './move-bench.ts';
import { openServer, type TestDatabase, type TestServer } from './servers.ts';

let one: TestServer;
let two: TestServer;
let ends: Ends;
let move: Move;
let fence = 100;

beforeAll(async () => {
  [one, two] = await Promise.all([openServer(), openServer()]);
  ends = { source: await one.database('pool'), target: await two.database('pool2') };
  await ends.source.addTenant('globex', 50);
  await ends.target.addTenant('initech', 50);
});
afterAll(() => Promise.all([one?.stop(), two?.stop()]));

beforeEach(async () => {
  fence += 10;
  move = newMove('acme', fence);
  if ((await stateOf(ends.source, 'acme')) === undefined) await ends.source.addTenant('acme', 200);
});

const request = () => ({ ...sidesOf(ends), move });
const older = () => ({ ...sidesOf(ends), move: { ...move, fence: move.fence - 1 } });

const operationsOn = async (place: TestDatabase, load: Parameters<typeof checkOperations>[2]) => {
  const admin = await place.side.connect();
  try {
    return await checkOperations(admin, 'acme', load);
  } finally {
    await admin.end();
  }
};

/** Neither side has anything of the move, and the neighbours are as they were. */
const expectClean = async (): Promise<void> => {
  for (const place of [ends.source, ends.target]) expect(await leftovers(place)).toEqual([]);
};

describe('a tenant that was moved', () => {
  test('moves back with everything that it wrote there, and its neighbours are as they were', async () => {
    const before = [await fingerprint(ends.source, 'globex'), await fingerprint(ends.target, 'initech')];
    const { board, load } = await writeOn(ends.source, 'acme');
    await makeReady(ends, move);
    const out = await cutOverTo(ends, move, board);
    await startWayBack(request());
    await load.more(100);
    const back = await moveBack({ ...request(), ...flipTo(board, ends.source) });
    await load.more(50);
    await load.stop();
    expect(out.verification?.equal).toBe(true);
    expect(back.verification?.equal).toBe(true);
    expect(back.epoch).toBeGreaterThan(out.epoch);
    expect(await operationsOn(ends.source, load)).toMatchObject({ lost: [], duplicated: [], unasked: [] });
    expect(load.refused).toEqual([]);
    expect([await stateOf(ends.source, 'acme'), await stateOf(ends.target, 'acme')]).toEqual(['open', 'moved']);
    await finishMove(request());
    expect(await fingerprint(ends.target, 'acme')).toEqual({});
    expect(await stateOf(ends.target, 'acme')).toBeUndefined();
    expect([await fingerprint(ends.source, 'globex'), await fingerprint(ends.target, 'initech')]).toEqual(before);
    await expectSound(ends.source, 'acme');
    await expectClean();
  });

  test('there and back without a write is the same tenant', async () => {
    const before = await fingerprint(ends.source, 'acme');
    const { board, load } = await writeOn(ends.source, 'acme', { writers: 0 });
    await makeReady(ends, move);
    await cutOverTo(ends, move, board);
    expect(await fingerprint(ends.target, 'acme')).toEqual(before);
    await startWayBack(request());
    await moveBack({ ...request(), ...flipTo(board, ends.source) });
    expect(await fingerprint(ends.source, 'acme')).toEqual(before);
    await load.stop();
    await finishMove(request());
    await expectClean();
  });

  test('is compared a second time when the held snapshot was lost, while it is written to', async () => {
    const { board, load } = await writeOn(ends.source, 'acme');
    await makeReady(ends, move);
    const { verification } = await cutOverTo(ends, move, board, { verify: false });
    expect(verification).toBeUndefined();
    await expect(verifyCopy(request())).rejects.toMatchObject({ name: 'MoveRefused' });
    await startWayBack(request());
    await load.more(50);
    expect(await verifyCopy(request())).toMatchObject({ equal: true });
    // A row that only one side has: both comparisons must see it.
    await ends.source.look(
      `SET session_replication_role = 'replica'; DELETE FROM activity WHERE tenant_id = 'acme' AND happened_on = '2025-12-18'`,
    );
    const again = await verifyCopy(request());
    expect(again.tables.filter(({ equal }) => !equal)).toEqual([
      { table: 'public.activity_2025', sourceRows: 0, targetRows: 1, equal: false },
    ]);
    await load.more(20);
    await load.stop();
    expect(await operationsOn(ends.target, load)).toMatchObject({ lost: [], duplicated: [], unasked: [] });
    await finishMove(request());
    expect(await stateOf(ends.source, 'acme')).toBeUndefined();
    await expectClean();
    await releaseFromTarget();
  });
});

/** Back to a tenant that lives on the source only. */
const releaseFromTarget = async (): Promise<void> => {
  const { releaseTenant } = await import('../../../adapters/pool/release.ts');
  const client = await ends.target.side.connect();
  await releaseTenant(client, { tenantId: 'acme', fence: 1_000_000 });
  await client.end();
};

test('a copy that differs is told by the held snapshot', async () => {
  const { board, load } = await writeOn(ends.source, 'acme', { writers: 0 });
  await makeReady(ends, move);
  await ends.target.look(
    `SET session_replication_role = 'replica'; UPDATE users SET full_name = 'somebody else' WHERE tenant_id = 'acme';
     DELETE FROM streams WHERE tenant_id = 'acme'`,
  );
  const { verification } = await cutOverTo(ends, move, board);
  expect(verification?.equal).toBe(false);
  expect(verification?.tables.filter(({ equal }) => !equal).map(({ table }) => table)).toEqual([
    'public.users',
    'public.streams',
  ]);
  expect(verification?.orphans.map(({ table, references }) => [table, references])).toContainEqual([
    'public.messages',
    'public.streams',
  ]);
  await startWayBack(request());
  await moveBack({ ...request(), ...flipTo(board, ends.source) });
  expect(await stateOf(ends.source, 'acme')).toBe('open');
  await load.stop();
  await finishMove(request());
  await expectClean();
});

describe('a move is given up', () => {
  const states: [string, () => Promise<void>][] = [
    ['before anything was opened', async () => undefined],
    ['while the copy runs', () => openCopy(request())],
    ['with its way back prepared', () => makeReady(ends, move)],
    [
      'with its fence up',
      async () => {
        await makeReady(ends, move);
        const { raiseFence } = await import('../../../adapters/replication/fence.ts');
        const client = await ends.source.side.connect();
        await raiseFence(client, { move, phase: 'copying', deadlineMs: 60_000 });
        await client.end();
      },
    ],
  ];

  test.each(states)('%s: the tenant writes on, and nothing of it is left', async (_, arrive) => {
    const before = await fingerprint(ends.source, 'acme');
    await arrive();
    await abandonMove(request());
    await abandonMove(request());
    expect(await stateOf(ends.source, 'acme')).toBe('open');
    expect(await fingerprint(ends.source, 'acme')).toEqual(before);
    expect(await stateOf(ends.target, 'acme')).toBeUndefined();
    expect(await fingerprint(ends.target, 'acme')).toEqual({});
    await expectClean();
  });

  test('and its late attempts change nothing', async () => {
    await makeReady(ends, move);
    await abandonMove(request());
    const flip = { flip: () => Promise.reject(new Error('flipped')) };
    for (const late of [
      () => openCopy(request()),
      () => openWayBack(request()),
      () => cutOverTo(ends, move, { flip: flip.flip, flips: () => 0, read: () => ({}) as never }),
      () => freezeMove({ ...request(), ...flip }),
    ])
      await expect(late()).rejects.toMatchObject({ name: 'StaleOperation' });
    expect(await stateOf(ends.source, 'acme')).toBe('open');
    await expectClean();
  });

  test('not any more once it has switched', async () => {
    const { board, load } = await writeOn(ends.source, 'acme', { writers: 0 });
    await load.stop();
    await makeReady(ends, move);
    await cutOverTo(ends, move, board);
    await expect(abandonMove(request())).rejects.toMatchObject({ name: 'MoveRefused' });
    expect(await stateOf(ends.target, 'acme')).toBe('open');
    await startWayBack(request());
    await moveBack({ ...request(), ...flipTo(board, ends.source) });
    await finishMove(request());
    await expectClean();
  });
});

describe('no step', () => {
  test('of an operation with an older token changes anything, on either side', async () => {
    const { board, load } = await writeOn(ends.source, 'acme', { writers: 0 });
    await load.stop();
    await makeReady(ends, move);
    for (const stale of [
      () => openCopy(older()),
      () => openWayBack(older()),
      () => cutOverTo(ends, older().move, board),
      () => abandonMove(older()),
      () => finishMove(older()),
    ])
      await expect(stale()).rejects.toMatchObject({ name: 'StaleOperation' });
    expect(await stateOf(ends.source, 'acme')).toBe('open');
    expect(await copyProgress(request())).toMatchObject({ ready: 10, total: 10 });
    await abandonMove(request());
    await expectClean();
  });

  test('is out of order: no finish before the switch, no way back before it, no second move beside it', async () => {
    await makeReady(ends, move);
    for (const early of [
      () => finishMove(request()),
      () => startWayBack(request()),
      () => openCopy({ ...sidesOf(ends), move: newMove('acme', move.fence) }),
    ])
      await expect(early()).rejects.toMatchObject({ name: 'MoveRefused' });
    await abandonMove(request());
  });

  test('waits for a long write behind which no slot can be made', async () => {
    await openCopy(request());
    const writer = await ends.target.login('provision');
    await writer.query('BEGIN');
    await writer.query(`SELECT set_config('app.tenant_id', 'initech', true)`);
    await writer.query(`INSERT INTO audit_trail (tenant_id, action) VALUES ('initech', 'slow')`);
    const { createSlot } = await import('../../../adapters/replication/slot.ts');
    const client = await ends.target.side.connect();
    await expect(createSlot(client, 'tn_move_0123456789ab_back', 200)).rejects.toMatchObject({ name: 'FenceTimeout' });
    await client.end();
    await writer.query('ROLLBACK');
    await abandonMove(request());
    await expectClean();
  });
});

test('a frozen move copies everything, and its writers only wait', async () => {
  const { board, load } = await writeOn(ends.source, 'acme');
  await load.more(30);
  const { verification, timings } = await freezeMove({ ...request(), ...flipTo(board, ends.target) });
  await load.more(30);
  await load.stop();
  expect(verification).toMatchObject({ equal: true, orphans: [] });
  expect(timings?.fenced).toBeGreaterThan(0);
  expect(await operationsOn(ends.target, load)).toMatchObject({ lost: [], duplicated: [], unasked: [] });
  await expectSound(ends.target, 'acme');
  await expect(startWayBack(request())).rejects.toMatchObject({ name: 'MoveRefused' });
  await finishMove(request());
  expect(await stateOf(ends.source, 'acme')).toBeUndefined();
  await expectClean();
  await releaseFromTarget();
});

test('a frozen move whose copy differs leaves the tenant where it was', async () => {
  const { board, load } = await writeOn(ends.source, 'acme', { writers: 0 });
  await load.stop();
  const spoil = async (step: string): Promise<void> => {
    if (step === 'fenced')
      await ends.target.look(
        `SET session_replication_role = 'replica';
         INSERT INTO audit_trail (tenant_id, id, action) VALUES ('acme', 999999999, 'not from here')`,
      );
  };
  await expect(freezeMove({ ...request(), ...flipTo(board, ends.target), onStep: spoil })).rejects.toMatchObject({
    name: 'CopyDiffers',
    message: expect.stringContaining('public.audit_trail has'),
  });
  expect([await stateOf(ends.source, 'acme'), board.flips()]).toEqual(['open', 0]);
  await abandonMove(request());
  await expectClean();
});

describe('the janitor', () => {
  test('removes what a dead move left, also when its publisher is gone, and leaves a living one alone', async () => {
    const dead = newMove('globex', fence);
    await makeReady(ends, move);
    await openCopy({ ...sidesOf(ends), move: dead });
    await until('the dead move has its initial copy behind it', async () => {
      const { ready, total } = await copyProgress({ ...sidesOf(ends), move: dead });
      return ready === total;
    });
    const sides = [ends.source.side, ends.target.side];
    const grace = await janitor(sides, [move.id]);
    expect(grace.removed).toEqual([]);
    const swept = await janitor(sides, [move.id], { graceMs: 0 });
    expect(swept.removed.map(({ kind, moveId }) => [kind, moveId]).toSorted()).toEqual(
      ['publication', 'slot', 'subscription'].map((kind) => [kind, dead.id]),
    );
    expect(swept.retained.map(({ name }) => name).toSorted()).toEqual(
      [`tn_move_${move.id.slice(2)}_back`, `tn_move_${move.id.slice(2)}_out`].toSorted(),
    );
    expect(swept.retained.every(({ bytes }) => bytes > 0)).toBe(true);
    expect(await copyProgress(request())).toMatchObject({ ready: 10, total: 10 });
    const all = await janitor(
      [...sides, { ...ends.source.side, connect: () => Promise.reject(new Error('gone')) }],
      [],
      {
        graceMs: 0,
      },
    );
    expect(all.unreachable).toEqual([expect.stringContaining('gone')]);
    await expectClean();
    for (const one of [move, dead]) await abandonMove({ ...sidesOf(ends), move: one });
    expect(await stateOf(ends.target, 'globex')).toBeUndefined();
  });
});
