import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keepLeases } from '../../../adapters/registry/keep-leases.ts';
import { startTestRegistry, type TestRegistry } from './database.ts';

let world: TestRegistry;
beforeAll(async () => {
  world = await startTestRegistry(8);
});
afterAll(() => world.stop());

const hold = (tenantId: string, holder: string, seconds = 60) =>
  world.registry.leases.hold({ tenantId, holder, seconds });

const expire = (tenantId: string) =>
  world.sql.query(`UPDATE leases SET expires_at = now() - interval '1 second' WHERE tenant_id = $1`, [tenantId]);

describe('a lease', () => {
  test('is refused to a second operation, and the refusal names the first', async () => {
    await hold('acme', 'op-1');
    await expect(hold('acme', 'op-2')).rejects.toMatchObject({
      name: 'TenantBusy',
      message: expect.stringContaining('held by operation op-1'),
    });
  });

  test('is renewed with the same fence by its holder, and never shortened', async () => {
    const { fence } = await hold('beta', 'op-1', 3_600);
    const before = await world.registry.leases.get('beta');
    expect(await hold('beta', 'op-1', 5)).toEqual({ fence });
    expect((await world.registry.leases.get('beta'))?.expiresAt).toEqual(before?.expiresAt);
  });

  test('is kept for as long as a long step works, and no longer', async () => {
    const { leases } = world.registry;
    const kept = { tenantIds: ['kept'], holder: 'op-1', seconds: 1 };
    await hold('kept', 'op-1', 1);
    const until = async (): Promise<number> => (await leases.get('kept'))!.expiresAt!.getTime();
    const first = await until();
    await keepLeases(leases, kept, () =>
      // Past its first end it is still the holder's.
      expect.poll(until, { timeout: 10_000 }).toBeGreaterThan(first + 1_000),
    );
    await expire('kept');
    expect(await hold('kept', 'op-2')).toMatchObject({ fence: expect.any(Number) });
  });

  test('that has run out goes to whoever asks, with a higher fence', async () => {
    const first = await hold('gamma', 'op-1');
    await expire('gamma');
    const second = await hold('gamma', 'op-2');
    expect(second.fence).toBeGreaterThan(first.fence);
    await expect(hold('gamma', 'op-1')).rejects.toMatchObject({ name: 'TenantBusy' });
  });

  test('that was released by its holder is free, and by another is not', async () => {
    await hold('delta', 'op-1');
    await world.registry.leases.release({ tenantId: 'delta', holder: 'op-2' });
    await expect(hold('delta', 'op-2')).rejects.toMatchObject({ name: 'TenantBusy' });
    await world.registry.leases.release({ tenantId: 'delta', holder: 'op-1' });
    expect((await hold('delta', 'op-2')).fence).toBe(2);
  });

  test('taken again after a release has a higher fence, even for the same holder', async () => {
    const first = await hold('epsilon', 'op-1');
    await world.registry.leases.release({ tenantId: 'epsilon', holder: 'op-1' });
    expect((await hold('epsilon', 'op-1')).fence).toBe(first.fence + 1);
  });

  test('is refused to an operation that has ended, even where the lease is free', async () => {
    const { operations } = world.registry;
    await operations.open({ id: 'op-ended', kind: 'provision-tenant', executionArn: 'arn', input: {} });
    await operations.succeed('op-ended');
    await expect(hold('zeta', 'op-ended')).rejects.toMatchObject({ name: 'StaleOperation' });
    expect(await world.registry.leases.get('zeta')).toBeUndefined();
  });

  test('waits for an end that is under way, and then is refused', async () => {
    const { operations } = world.registry;
    await operations.open({ id: 'op-ending', kind: 'provision-tenant', executionArn: 'arn', input: {} });
    let late: Promise<unknown> = Promise.resolve();
    await world.registry.transaction(async (within) => {
      await within.operations.succeed('op-ending');
      late = hold('eta', 'op-ending').catch((error: unknown) => error);
      // The late hold must be waiting for the row of the operation before the end commits.
      for (let waiting = 0; waiting === 0; ) {
        const [row] = await world.sql.query<{ n: number }>(
          `SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO leases%'`,
        );
        waiting = row!.n;
      }
    });
    expect(await late).toMatchObject({ name: 'StaleOperation' });
  });

  test('keeps its fence when somebody tries to turn it back by hand', async () => {
    await hold('theta', 'op-1');
    await expect(world.sql.query(`UPDATE leases SET fence = 0 WHERE tenant_id = 'theta'`)).rejects.toMatchObject({
      code: '23514',
    });
    await expect(world.sql.query(`UPDATE leases SET holder = 'op-2' WHERE tenant_id = 'theta'`)).rejects.toMatchObject({
      code: '23514',
    });
  });
});

type Move = { readonly who: number; readonly what: 'hold' | 'release' | 'expire' };
const moves = fc.array(
  fc.record({
    who: fc.integer({ min: 0, max: 3 }),
    what: fc.constantFrom<Move['what']>('hold', 'hold', 'release', 'expire'),
  }),
  { minLength: 4, maxLength: 24 },
);

let runs = 0;
test('under random interleavings over several connections has one holder at a time and a fence that only grows', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(moves, { minLength: 1, maxLength: 6 }), async (batches) => {
      const tenantId = `storm-${runs++}`;
      let holder: string | null = null;
      let fence = 0;
      for (const batch of batches) {
        // One batch runs at once over eight connections; expiry comes between batches, so the model knows when.
        const outcomes = await Promise.all(
          batch
            .filter(({ what }) => what !== 'expire')
            .map(async ({ who, what }) => {
              const name = `op-${who}`;
              if (what === 'release') return void (await world.registry.leases.release({ tenantId, holder: name }));
              return hold(tenantId, name).then(
                ({ fence: given }) => ({ name, given }),
                (error: { name: string }) => void expect(error.name).toBe('TenantBusy'),
              );
            }),
        );
        const given = outcomes.filter((outcome) => outcome !== undefined);
        // One fence is never given to two holders, and none is older than what was seen before this batch.
        const owners = new Map<number, string>();
        for (const { name, given: number } of given) {
          expect(number).toBeGreaterThanOrEqual(fence);
          expect(owners.get(number) ?? name).toBe(name);
          owners.set(number, name);
          if (number === fence) expect(name).toBe(holder);
        }
        const now = await world.registry.leases.get(tenantId);
        expect(now?.fence ?? 0).toBeGreaterThanOrEqual(Math.max(fence, ...given.map((one) => one.given)));
        if (now?.holder) expect(owners.get(now.fence) ?? holder).toBe(now.holder);
        fence = now?.fence ?? 0;
        holder = owners.get(fence) ?? holder;
        if (batch.some(({ what }) => what === 'expire')) await expire(tenantId);
      }
    }),
    { numRuns: 60 },
  );
});
