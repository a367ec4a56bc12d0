import { expect, test } from 'vitest';
import { abandonMove } from '../../../adapters/replication/abandon.ts';
import { finishMove } from '../../../adapters/replication/finish.ts';
import { freezeMove } from '../../../adapters/replication/freeze.ts';
import { startWayBack } from '../../../adapters/replication/way-back.ts';
import { expectSound, flipTo, stateOf, writeOn } from './move-bench.ts';
import { useTwoPools } from './two-pools.ts';

const pools = useTwoPools(1);

test('a frozen move copies everything, and its writers only wait', async () => {
  const { board, load } = await writeOn(pools.ends.source, 'acme');
  await load.more(30);
  const { verification, timings } = await freezeMove({ ...pools.request(), ...flipTo(board, pools.ends.target) });
  await load.more(30);
  await load.stop();
  expect(verification).toMatchObject({ equal: true, orphans: [] });
  expect(timings?.fenced).toBeGreaterThan(0);
  expect(await pools.operationsOn(pools.ends.target, load)).toMatchObject({ lost: [], duplicated: [], unasked: [] });
  await expectSound(pools.ends.target, 'acme');
  await expect(startWayBack(pools.request())).rejects.toMatchObject({ name: 'MoveRefused' });
  await finishMove(pools.request());
  expect(await stateOf(pools.ends.source, 'acme')).toBeUndefined();
  await pools.expectClean();
  await pools.releaseFromTarget();
});

test('a frozen move whose copy differs leaves the tenant where it was', async () => {
  const { board, load } = await writeOn(pools.ends.source, 'acme', { writers: 0 });
  await load.stop();
  const spoil = async (step: string): Promise<void> => {
    if (step === 'fenced')
      await pools.ends.target.look(
        `SET session_replication_role = 'replica';
         INSERT INTO audit_trail (tenant_id, id, action) VALUES ('acme', 999999999, 'not from here')`,
      );
  };
  await expect(
    freezeMove({ ...pools.request(), ...flipTo(board, pools.ends.target), onStep: spoil }),
  ).rejects.toMatchObject({
    name: 'CopyDiffers',
    message: expect.stringContaining('public.audit_trail has'),
  });
  expect([await stateOf(pools.ends.source, 'acme'), board.flips()]).toEqual(['open', 0]);
  await abandonMove(pools.request());
  await pools.expectClean();
});

test('a frozen move whose copy fails in the middle opens the tenant at once', async () => {
  const { board, load } = await writeOn(pools.ends.source, 'acme', { writers: 0 });
  await load.stop();
  const spoil = async (step: string): Promise<void> => {
    if (step !== 'fenced') return;
    const [user] = await pools.ends.source.look<{ id: string }>(
      `SELECT id FROM users WHERE tenant_id = 'acme' LIMIT 1`,
    );
    await pools.ends.target.look(
      `SET session_replication_role = 'replica';
       INSERT INTO users (tenant_id, id, email, full_name) VALUES ('acme', ${user?.id}, 'first', 'come')`,
    );
  };
  const failing = freezeMove({ ...pools.request(), ...flipTo(board, pools.ends.target), onStep: spoil });
  await expect(failing).rejects.toThrow('duplicate key');
  expect([await stateOf(pools.ends.source, 'acme'), board.flips()]).toEqual(['open', 0]);
  await abandonMove(pools.request());
  await pools.expectClean();
});
