import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { commitSwitch, raiseFence, reopen } from '../../../adapters/replication/fence.ts';
import { openSession } from '../../../adapters/replication/side.ts';
import type { Move } from '../../../domain/move.ts';
import { newMove, stateOf, until } from './move-bench.ts';
import { openServer, type TestDatabase, type TestServer } from './servers.ts';

let server: TestServer;
let pool: TestDatabase;
let mover: pg.Client;
let move: Move;

beforeAll(async () => {
  server = await openServer();
  pool = await server.database('pool');
  for (const tenant of ['acme', 'globex']) await pool.addTenant(tenant, 5);
  mover = await openSession(pool.side);
});
afterAll(() => server?.stop());

beforeEach(async () => {
  await pool.look(`UPDATE tenantry.tenants SET state = 'open', deadline = NULL, fence = 0; DELETE FROM tenantry.moves`);
  move = newMove('acme');
  await pool.look(`INSERT INTO tenantry.moves (move_id, tenant_id, phase) VALUES ($1, 'acme', 'copying')`, [move.id]);
});

const raise = (deadlineMs: number, extra: { move?: Move; attempts?: number; lockMs?: number } = {}) =>
  raiseFence(mover, { move, phase: 'copying', deadlineMs, ...extra });

const commit = (epoch: number) => commitSwitch(mover, { move, epoch, before: 'copying', after: 'switched' });

const begin = async (tenantId: string, isolation = 'read committed'): Promise<pg.Client> => {
  const app = await pool.login('app');
  await app.query(`BEGIN ISOLATION LEVEL ${isolation}`);
  await app.query(`SELECT set_config('app.tenant_id', $1, true)`, [tenantId]);
  return app;
};

const write = (app: pg.Client, tenantId = 'acme'): Promise<unknown> =>
  app.query('INSERT INTO audit_trail (tenant_id, action) VALUES ($1, $2)', [tenantId, 'written']);

const row = async () =>
  (
    await pool.look<{ state: string; epoch: string }>(
      `SELECT state, epoch FROM tenantry.tenants WHERE tenant_id = 'acme'`,
    )
  )[0]!;

const awaitDeadline = (): Promise<void> =>
  until('the deadline has passed', async () => {
    const { rows } = await mover.query('SELECT FROM tenantry.tenants WHERE deadline < clock_timestamp()');
    return rows.length === 1;
  });

describe('a fence whose mover has died', () => {
  test.each(['read committed', 'repeatable read', 'serializable'])(
    'is taken down by the first writer after the deadline, under %s, and the dead mover then loses',
    async (isolation) => {
      const epoch = await raise(30);
      await awaitDeadline();
      const app = await begin('acme', isolation);
      await write(app);
      await app.query('COMMIT');
      expect(await row()).toEqual({ state: 'open', epoch: String(epoch + 1) });
      expect(await commit(epoch)).toBe(false);
      expect(await stateOf(pool, 'acme')).toBe('open');
    },
  );

  test('is not switched after its deadline, even if nobody has written', async () => {
    const epoch = await raise(1);
    await awaitDeadline();
    expect(await commit(epoch)).toBe(false);
    expect(await row()).toEqual({ state: 'fenced', epoch: String(epoch) });
  });

  test('stays up when the writer that took it down rolls back, and falls for the next', async () => {
    await raise(1);
    await awaitDeadline();
    const undone = await begin('acme');
    await write(undone);
    await undone.query('ROLLBACK');
    expect(await stateOf(pool, 'acme')).toBe('fenced');
    const app = await begin('acme');
    await write(app);
    await app.query('COMMIT');
    expect(await stateOf(pool, 'acme')).toBe('open');
  });
});

describe('a fence that stands', () => {
  test('keeps the tenant’s writers out until it is taken down or the tenant has moved', async () => {
    const epoch = await raise(60_000);
    const app = await begin('acme');
    await expect(write(app)).rejects.toMatchObject({ code: 'TN001' });
    await app.query('ROLLBACK');
    await reopen(mover, move, epoch);
    const again = await begin('acme');
    await write(again);
    await again.query('COMMIT');
    const next = await raise(60_000);
    expect(next).toBeGreaterThan(epoch);
    expect(await commit(epoch)).toBe(false);
    expect(await commit(next)).toBe(true);
    expect(await row()).toEqual({ state: 'moved', epoch: String(next) });
    const late = await begin('acme');
    await expect(write(late)).rejects.toMatchObject({ code: 'TN001' });
    await late.query('ROLLBACK');
  });

  test('is replaced by a later attempt, and the earlier one loses by its epoch', async () => {
    const [first, second] = [await raise(60_000), await raise(60_000)];
    expect(second).toBe(first + 1);
    expect(await commit(first)).toBe(false);
    await reopen(mover, move, first);
    expect(await stateOf(pool, 'acme')).toBe('fenced');
    expect(await commit(second)).toBe(true);
  });

  test('has its barrier in the same transaction', async () => {
    const epoch = await raise(60_000);
    expect(await pool.look('SELECT epoch FROM tenantry.barriers')).toEqual([{ epoch: String(epoch) }]);
    await reopen(mover, move, epoch);
  });
});

describe('a fence is not put up', () => {
  test('while a long transaction of the tenant writes; its other writers go on between the attempts, neighbours always', async () => {
    const long = await begin('acme');
    await write(long);
    const raising = raise(60_000, { attempts: 3, lockMs: 100 });
    raising.catch(() => undefined);
    const neighbour = await begin('globex');
    await write(neighbour, 'globex');
    await neighbour.query('COMMIT');
    const other = await begin('acme');
    await write(other);
    await other.query('COMMIT');
    await expect(raising).rejects.toMatchObject({ name: 'FenceTimeout' });
    expect(await stateOf(pool, 'acme')).toBe('open');
    await long.query('COMMIT');
    await raise(60_000);
  });

  test('by an operation with an older token', async () => {
    await pool.look(`UPDATE tenantry.tenants SET fence = 11`);
    await expect(raise(60_000)).rejects.toMatchObject({ name: 'MoveRefused' });
    expect(await stateOf(pool, 'acme')).toBe('open');
  });

  test('around a tenant that is being released, whose fence has no deadline', async () => {
    await pool.look(`UPDATE tenantry.tenants SET state = 'fenced' WHERE tenant_id = 'acme'`);
    await expect(raise(60_000)).rejects.toMatchObject({ name: 'MoveRefused' });
  });

  test('and nothing is switched, for a move that was abandoned', async () => {
    const epoch = await raise(60_000);
    await pool.look(`UPDATE tenantry.moves SET phase = 'abandoned'`);
    expect(await commit(epoch)).toBe(false);
    await expect(raise(60_000)).rejects.toMatchObject({ name: 'MoveRefused' });
  });
});

test('the fence of a tenant under release never falls by itself', async () => {
  await pool.look(`UPDATE tenantry.tenants SET state = 'fenced', deadline = NULL WHERE tenant_id = 'acme'`);
  const app = await begin('acme');
  await expect(write(app)).rejects.toMatchObject({ code: 'TN001' });
  await app.query('ROLLBACK');
});
