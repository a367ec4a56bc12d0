import { describe, expect, test } from 'vitest';
import { abandonMove } from '../../../adapters/replication/abandon.ts';
import { copyProgress, openCopy } from '../../../adapters/replication/copy.ts';
import { moveBack } from '../../../adapters/replication/cut-over.ts';
import { raiseFence } from '../../../adapters/replication/fence.ts';
import { finishMove } from '../../../adapters/replication/finish.ts';
import { freezeMove } from '../../../adapters/replication/freeze.ts';
import { janitor } from '../../../adapters/replication/janitor.ts';
import { createSlot } from '../../../adapters/replication/slot.ts';
import { openWayBack, startWayBack } from '../../../adapters/replication/way-back.ts';
import {
  cutOverTo,
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
import { useTwoPools } from './two-pools.ts';

const pools = useTwoPools(1);

const older = () => ({ ...pools.request(), move: { ...pools.move, fence: pools.move.fence - 1 } });

describe('a move is given up', () => {
  const states: [string, () => Promise<void>][] = [
    ['before anything was opened', async () => undefined],
    ['while the copy runs', () => openCopy(pools.request())],
    ['with its way back prepared', () => makeReady(pools.ends, pools.move)],
    [
      'with its fence up',
      async () => {
        await makeReady(pools.ends, pools.move);
        const client = await pools.ends.source.side.connect();
        await raiseFence(client, { move: pools.move, phase: 'copying', deadlineMs: 60_000 });
        await client.end();
      },
    ],
  ];

  test.each(states)('%s: the tenant writes on, and nothing of it is left', async (_, arrive) => {
    const before = await fingerprint(pools.ends.source, 'acme');
    await arrive();
    await abandonMove(pools.request());
    await abandonMove(pools.request());
    expect(await stateOf(pools.ends.source, 'acme')).toBe('open');
    expect(await fingerprint(pools.ends.source, 'acme')).toEqual(before);
    expect(await stateOf(pools.ends.target, 'acme')).toBeUndefined();
    expect(await fingerprint(pools.ends.target, 'acme')).toEqual({});
    await pools.expectClean();
  });

  test('with its rows left to another call: it writes on and keeps no log, and they go then', async () => {
    await makeReady(pools.ends, pools.move);
    const copied = await fingerprint(pools.ends.target, 'acme');
    for (const _ of ['once', 'again'])
      expect(await abandonMove({ ...pools.request(), leavesRows: true })).toEqual({ deleted: 0, rowsLeft: true });
    expect(await stateOf(pools.ends.source, 'acme')).toBe('open');
    expect(await fingerprint(pools.ends.target, 'acme')).toEqual(copied);
    await pools.expectClean();
    const { deleted, rowsLeft } = await abandonMove(pools.request());
    expect([deleted > 0, rowsLeft]).toEqual([true, false]);
    expect(await fingerprint(pools.ends.target, 'acme')).toEqual({});
    expect(await abandonMove({ ...pools.request(), leavesRows: true })).toEqual({ deleted: 0, rowsLeft: false });
  });

  test('while its first copies wait for an open write of the same server: it waits for neither', async () => {
    const writer = await pools.ends.source.login('provision');
    await openCopy(pools.request());
    await writer.query('BEGIN');
    await writer.query(`SELECT set_config('app.tenant_id', 'globex', true)`);
    await writer.query(`INSERT INTO audit_trail (tenant_id, action) VALUES ('globex', 'slow')`);
    await abandonMove(pools.request());
    await pools.expectClean();
    await writer.query('COMMIT');
    expect(await fingerprint(pools.ends.target, 'acme')).toEqual({});
  });

  test('and its late attempts change nothing', async () => {
    await makeReady(pools.ends, pools.move);
    await abandonMove(pools.request());
    const flip = { flip: () => Promise.reject(new Error('flipped')) };
    for (const late of [
      () => openCopy(pools.request()),
      () => openWayBack(pools.request()),
      () => cutOverTo(pools.ends, pools.move, { flip: flip.flip, flips: () => 0, read: () => ({}) as never }),
      () => freezeMove({ ...pools.request(), ...flip }),
    ])
      await expect(late()).rejects.toMatchObject({ name: 'StaleOperation' });
    expect(await stateOf(pools.ends.source, 'acme')).toBe('open');
    await pools.expectClean();
  });

  test('although its target is gone: the source is free at once, and the rest follows', async () => {
    await makeReady(pools.ends, pools.move);
    const gone = { ...pools.ends.target.side, connect: () => Promise.reject(new Error('Connection terminated')) };
    await expect(abandonMove({ ...pools.request(), target: gone })).rejects.toMatchObject({
      name: 'DatabaseUnavailable',
    });
    // The slot would fill the source's disk; the way back's slot is the target's affair.
    const left = await leftovers(pools.ends.source);
    expect(left.filter((name) => /^(slot .*_out|publication)/.test(name))).toEqual([]);
    expect(await stateOf(pools.ends.source, 'acme')).toBe('open');
    await abandonMove(pools.request());
    await pools.expectClean();
    expect(await fingerprint(pools.ends.target, 'acme')).toEqual({});
  });

  test('not any more once it has switched', async () => {
    const { board, load } = await writeOn(pools.ends.source, 'acme', { writers: 0 });
    await load.stop();
    await makeReady(pools.ends, pools.move);
    await cutOverTo(pools.ends, pools.move, board);
    await expect(abandonMove(pools.request())).rejects.toMatchObject({ name: 'MoveRefused' });
    expect(await stateOf(pools.ends.target, 'acme')).toBe('open');
    await startWayBack(pools.request());
    await moveBack({ ...pools.request(), ...flipTo(board, pools.ends.source) });
    await finishMove(pools.request());
    await pools.expectClean();
  });
});

describe('no step', () => {
  test('of an operation with an older token changes anything, on either side', async () => {
    const { board, load } = await writeOn(pools.ends.source, 'acme', { writers: 0 });
    await load.stop();
    await makeReady(pools.ends, pools.move);
    for (const stale of [
      () => openCopy(older()),
      () => openWayBack(older()),
      () => cutOverTo(pools.ends, older().move, board),
      () => abandonMove(older()),
      () => finishMove(older()),
    ])
      await expect(stale()).rejects.toMatchObject({ name: 'StaleOperation' });
    expect(await stateOf(pools.ends.source, 'acme')).toBe('open');
    expect(await copyProgress(pools.request())).toMatchObject({ ready: 10, total: 10 });
    await abandonMove(pools.request());
    await pools.expectClean();
  });

  test('is out of order: no finish before the switch, no way back before it, no second move beside it', async () => {
    await makeReady(pools.ends, pools.move);
    for (const early of [
      () => finishMove(pools.request()),
      () => startWayBack(pools.request()),
      () => openCopy({ ...sidesOf(pools.ends), move: newMove('acme', pools.move.fence) }),
    ])
      await expect(early()).rejects.toMatchObject({ name: 'MoveRefused' });
    await abandonMove(pools.request());
  });

  test('waits for a long write behind which no slot can be made', async () => {
    await openCopy(pools.request());
    const writer = await pools.ends.target.login('provision');
    await writer.query('BEGIN');
    await writer.query(`SELECT set_config('app.tenant_id', 'initech', true)`);
    await writer.query(`INSERT INTO audit_trail (tenant_id, action) VALUES ('initech', 'slow')`);
    const client = await pools.ends.target.side.connect();
    await expect(createSlot(client, 'tn_move_0123456789ab_back', 200)).rejects.toMatchObject({ name: 'FenceTimeout' });
    await client.end();
    await writer.query('ROLLBACK');
    await abandonMove(pools.request());
    await pools.expectClean();
  });
});

describe('a copy', () => {
  test('whose log the server has thrown away is said to be lost', async () => {
    await makeReady(pools.ends, pools.move);
    await pools.ends.target.look(`ALTER SUBSCRIPTION tn_move_${pools.move.id.slice(2)}_out DISABLE`);
    await until('nobody reads the slot', async () => {
      const slots = await pools.ends.source.look(
        `SELECT FROM pg_replication_slots WHERE slot_name ~ '_out$' AND active`,
      );
      return slots.length === 0;
    });
    await pools.ends.source.look(`ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'`);
    await pools.ends.source.look('SELECT pg_reload_conf()');
    try {
      await until('the log is gone', async () => {
        await pools.ends.source.look(`SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000000))`);
        await pools.ends.source.look('SELECT pg_switch_wal()');
        await pools.ends.source.look('CHECKPOINT');
        return copyProgress(pools.request()).then(
          () => false,
          (error: Error) => error.name === 'CopyDiverges',
        );
      });
    } finally {
      await pools.ends.source.look('ALTER SYSTEM RESET max_slot_wal_keep_size');
      await pools.ends.source.look('SELECT pg_reload_conf()');
    }
    await abandonMove(pools.request());
    await pools.expectClean();
  });
});

describe('the janitor', () => {
  test('removes what a dead move left, also when its publisher is gone, and leaves a living one alone', async () => {
    const dead = newMove('globex', pools.move.fence);
    await makeReady(pools.ends, pools.move);
    await openCopy({ ...sidesOf(pools.ends), move: dead });
    await until('the dead move has its initial copy behind it', async () => {
      const { ready, total } = await copyProgress({ ...sidesOf(pools.ends), move: dead });
      return ready === total;
    });
    const sides = [pools.ends.source.side, pools.ends.target.side];
    const grace = await janitor(sides, [pools.move.id]);
    expect(grace.removed).toEqual([]);
    const swept = await janitor(sides, [pools.move.id], { graceMs: 0 });
    expect(swept.removed.map(({ kind, moveId }) => [kind, moveId]).toSorted()).toEqual(
      ['publication', 'slot', 'subscription'].map((kind) => [kind, dead.id]),
    );
    expect(swept.retained.map(({ name }) => name).toSorted()).toEqual(
      [`tn_move_${pools.move.id.slice(2)}_back`, `tn_move_${pools.move.id.slice(2)}_out`].toSorted(),
    );
    expect(swept.retained.every(({ bytes }) => bytes > 0)).toBe(true);
    expect(await copyProgress(pools.request())).toMatchObject({ ready: 10, total: 10 });
    const all = await janitor(
      [...sides, { ...pools.ends.source.side, connect: () => Promise.reject(new Error('gone')) }],
      [],
      {
        graceMs: 0,
      },
    );
    expect(all.unreachable).toEqual([expect.stringContaining('gone')]);
    await pools.expectClean();
    for (const one of [pools.move, dead]) await abandonMove({ ...sidesOf(pools.ends), move: one });
    expect(await stateOf(pools.ends.target, 'globex')).toBeUndefined();
  });
});
