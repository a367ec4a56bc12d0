import { describe, expect, test } from 'vitest';
import { moveBack } from '../../../adapters/replication/cut-over.ts';
import { finishMove } from '../../../adapters/replication/finish.ts';
import { verifyCopy } from '../../../adapters/replication/verify.ts';
import { startWayBack } from '../../../adapters/replication/way-back.ts';
import { cutOverTo, expectSound, fingerprint, flipTo, makeReady, stateOf, writeOn } from './move-bench.ts';
import { useTwoPools } from './two-pools.ts';

const pools = useTwoPools(2);

describe('a tenant that was moved', () => {
  test('moves back with everything that it wrote there, and its neighbours are as they were', async () => {
    const before = [await fingerprint(pools.ends.source, 'globex'), await fingerprint(pools.ends.target, 'initech')];
    const { board, load } = await writeOn(pools.ends.source, 'acme');
    await makeReady(pools.ends, pools.move);
    const out = await cutOverTo(pools.ends, pools.move, board);
    await startWayBack(pools.request());
    await load.more(50);
    await startWayBack(pools.request());
    await load.more(50);
    const back = await moveBack({ ...pools.request(), ...flipTo(board, pools.ends.source) });
    await load.more(50);
    await load.stop();
    expect(out.verification?.equal).toBe(true);
    expect(back.verification?.equal).toBe(true);
    expect(back.epoch).toBeGreaterThan(out.epoch);
    expect(await pools.operationsOn(pools.ends.source, load)).toMatchObject({ lost: [], duplicated: [], unasked: [] });
    expect(load.refused).toEqual([]);
    expect([await stateOf(pools.ends.source, 'acme'), await stateOf(pools.ends.target, 'acme')]).toEqual([
      'open',
      'moved',
    ]);
    expect((await finishMove(pools.request())).deleted).toBeGreaterThan(200);
    expect(await finishMove(pools.request())).toEqual({ deleted: 0 });
    expect(await fingerprint(pools.ends.target, 'acme')).toEqual({});
    expect(await stateOf(pools.ends.target, 'acme')).toBeUndefined();
    expect([await fingerprint(pools.ends.source, 'globex'), await fingerprint(pools.ends.target, 'initech')]).toEqual(
      before,
    );
    await expectSound(pools.ends.source, 'acme');
    await pools.expectClean();
  });

  test('there and back without a write is the same tenant', async () => {
    const before = await fingerprint(pools.ends.source, 'acme');
    const { board, load } = await writeOn(pools.ends.source, 'acme', { writers: 0 });
    await makeReady(pools.ends, pools.move);
    await cutOverTo(pools.ends, pools.move, board);
    expect(await fingerprint(pools.ends.target, 'acme')).toEqual(before);
    await startWayBack(pools.request());
    await moveBack({ ...pools.request(), ...flipTo(board, pools.ends.source) });
    expect(await fingerprint(pools.ends.source, 'acme')).toEqual(before);
    await load.stop();
    await finishMove(pools.request());
    await pools.expectClean();
  });

  test('is compared a second time when the held snapshot was lost, while it is written to', async () => {
    const { board, load } = await writeOn(pools.ends.source, 'acme');
    await makeReady(pools.ends, pools.move);
    const { verification } = await cutOverTo(pools.ends, pools.move, board, { verify: false });
    expect(verification).toBeUndefined();
    await expect(verifyCopy(pools.request())).rejects.toMatchObject({ name: 'MoveRefused' });
    await startWayBack(pools.request());
    await load.more(50);
    expect(await verifyCopy(pools.request())).toMatchObject({ equal: true });
    // A row that only one side has: both comparisons must see it.
    await pools.ends.source.look(
      `SET session_replication_role = 'replica'; DELETE FROM activity WHERE tenant_id = 'acme' AND happened_on = '2025-12-18'`,
    );
    const again = await verifyCopy(pools.request());
    expect(again.tables.filter(({ equal }) => !equal)).toEqual([
      { table: 'public.activity_2025', sourceRows: 0, targetRows: 1, equal: false },
    ]);
    await load.more(20);
    await load.stop();
    expect(await pools.operationsOn(pools.ends.target, load)).toMatchObject({ lost: [], duplicated: [], unasked: [] });
    await finishMove(pools.request());
    expect(await stateOf(pools.ends.source, 'acme')).toBeUndefined();
    await pools.expectClean();
    await pools.releaseFromTarget();
  });
});

test('a copy that differs is told by the held snapshot', async () => {
  const { board, load } = await writeOn(pools.ends.source, 'acme', { writers: 0 });
  await makeReady(pools.ends, pools.move);
  await pools.ends.target.look(
    `SET session_replication_role = 'replica'; UPDATE users SET full_name = 'somebody else' WHERE tenant_id = 'acme';
     DELETE FROM streams WHERE tenant_id = 'acme'`,
  );
  const { verification } = await cutOverTo(pools.ends, pools.move, board);
  expect(verification?.equal).toBe(false);
  expect(verification?.tables.filter(({ equal }) => !equal).map(({ table }) => table)).toEqual([
    'public.users',
    'public.streams',
  ]);
  expect(verification?.orphans.map(({ table, references }) => [table, references])).toContainEqual([
    'public.messages',
    'public.streams',
  ]);
  await startWayBack(pools.request());
  await moveBack({ ...pools.request(), ...flipTo(board, pools.ends.source) });
  expect(await stateOf(pools.ends.source, 'acme')).toBe('open');
  await load.stop();
  await finishMove(pools.request());
  await pools.expectClean();
});
