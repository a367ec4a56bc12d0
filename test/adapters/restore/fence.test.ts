import type { ClientBase } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { abandonEffects } from '../../../adapters/restore/effects.ts';
import { raiseSequences } from '../../../adapters/restore/sequences.ts';
import { asTenant } from '../../../adapters/restore/transaction.ts';
import { tableName } from '../../../domain/scope.ts';
import { type Bench, fillTenant, openBench } from './restore-bench.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
  for (const tenant of ['acme', 'globex']) await fillTenant(bench, tenant);
});
afterAll(() => bench.stop());

/** Holds a swap up in the middle, fence taken: its DELETE on labels waits for this table lock. */
const holdLabels = async (): Promise<() => Promise<void>> => {
  const holder = await bench.pool.connect('migrate');
  await holder.query('BEGIN; LOCK TABLE labels IN SHARE MODE');
  return async () => {
    await holder.query('COMMIT');
  };
};

const undoSchemas = async (): Promise<number> =>
  (await bench.pool.master.query(`SELECT FROM pg_namespace WHERE nspname LIKE 'tn_undo_%'`)).rowCount ?? 0;

describe('while a swap is under way', () => {
  test('a writer of the tenant waits, goes on after it and loses nothing', async () => {
    const taken = await bench.take('acme');
    await bench.as('acme', (app) => app.query(`DELETE FROM labels WHERE code = 'red'`));
    const restoring = await bench.begin('acme', taken, { tables: ['public.labels'] });
    const release = await holdLabels();
    const swapping = bench.swap(restoring);
    await bench.awaitWaiting('relation');
    const writing = bench.as('acme', (app) =>
      app.query(`INSERT INTO gadgets (tenant_id, price) VALUES ('acme', 4711)`),
    );
    await bench.awaitWaiting('advisory');
    await release();
    expect(await swapping).toMatchObject({ inserted: 1 });
    await writing;
    const found = await bench.pool.master.query(`SELECT FROM gadgets WHERE tenant_id = 'acme' AND price = 4711`);
    expect(found.rowCount).toBe(1);
  });

  test('a neighbour writes on without waiting', async () => {
    const taken = await bench.take('acme');
    await bench.as('acme', (app) => app.query(`DELETE FROM labels WHERE code = 'red'`));
    const restoring = await bench.begin('acme', taken, { tables: ['public.labels'] });
    const release = await holdLabels();
    const swapping = bench.swap(restoring);
    await bench.awaitWaiting('relation');
    await bench.as('globex', (app) => app.query(`UPDATE gadgets SET price = price + 1`));
    await release();
    await swapping;
  });

  test('a repeated swap by another process waits for the first and answers the same', async () => {
    const taken = await bench.take('acme');
    await bench.as('acme', (app) => app.query(`DELETE FROM labels WHERE code = 'red'`));
    const restoring = await bench.begin('acme', taken, { tables: ['public.labels'] });
    const other = await bench.pool.connect('restore');
    const release = await holdLabels();
    const first = bench.swap(restoring);
    await bench.awaitWaiting('relation');
    const second = bench.swap(restoring, { client: other });
    await bench.awaitWaiting('advisory');
    await release();
    const { fencedMs: _, ...result } = await first;
    expect(await second).toMatchObject(result);
    expect(await bench.swap(restoring)).toMatchObject(result);
    expect(result).toMatchObject({ inserted: 1, removed: 0, updated: 0 });
  });

  test('a killed connection leaves the live rows and the undo schemas as they were', async () => {
    const taken = await bench.take('acme');
    await bench.as('acme', (app) => app.query(`UPDATE gadgets SET price = 5; DELETE FROM labels WHERE code = 'red'`));
    const meanwhile = await bench.fingerprints('acme');
    const schemas = await undoSchemas();
    const restoring = await bench.begin('acme', taken);
    const other = await bench.pool.connect('restore');
    const { rows } = await other.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const release = await holdLabels();
    const swapping = bench.swap(restoring, { client: other });
    const failed = expect(swapping).rejects.toThrow(/terminat/i);
    await bench.awaitWaiting('relation');
    await bench.pool.master.query('SELECT pg_terminate_backend($1)', [rows[0]!.pid]);
    await failed;
    await release();
    expect(await bench.fingerprints('acme')).toEqual(meanwhile);
    expect(await undoSchemas()).toBe(schemas);
    expect(await bench.swap(restoring)).toMatchObject({ inserted: 1 });
  });
});

describe('a swap', () => {
  test('gives up after two seconds where a writer does not end, and succeeds afterwards with that write undone', async () => {
    const taken = await bench.take('acme');
    const before = await bench.fingerprints('acme');
    const restoring = await bench.begin('acme', taken);
    const slow = await bench.pool.connect('app');
    await slow.query(
      `BEGIN; SELECT set_config('app.tenant_id', 'acme', true); INSERT INTO labels VALUES ('acme', 'slow')`,
    );
    await expect(bench.swap(restoring)).rejects.toMatchObject({ name: 'FenceTimeout' });
    await slow.query('COMMIT');
    expect(await bench.swap(restoring)).toMatchObject({ removed: 1, report: { comparedAgain: true } });
    expect(await bench.fingerprints('acme')).toEqual(before);
  });

  test('makes a writer with an older snapshot fail instead of writing through it', async () => {
    const restoring = await bench.begin('acme', await bench.take('acme'));
    const old = await bench.pool.connect('app');
    await old.query(`BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT set_config('app.tenant_id', 'acme', true)`);
    await old.query('SELECT count(*) FROM labels');
    await bench.swap(restoring);
    await expect(old.query(`INSERT INTO labels VALUES ('acme', 'through')`)).rejects.toMatchObject({ code: '40001' });
    await old.query('ROLLBACK');
  });

  test('of an operation with an older fence is refused', async () => {
    const restoring = await bench.begin('acme', await bench.take('acme'));
    await bench.pool.master.query(`UPDATE tenantry.tenants SET fence = 50 WHERE tenant_id = 'acme'`);
    await expect(bench.swap(restoring, { fence: 49 })).rejects.toMatchObject({ name: 'StaleOperation' });
    await bench.swap(restoring, { fence: 50 });
    await bench.pool.master.query(`UPDATE tenantry.tenants SET fence = 1 WHERE tenant_id = 'acme'`);
  });

  test('of a tenant that is fenced or moved is refused', async () => {
    const restoring = await bench.begin('acme', await bench.take('acme'));
    await bench.pool.master.query(`UPDATE tenantry.tenants SET state = 'moved' WHERE tenant_id = 'acme'`);
    await expect(bench.swap(restoring)).rejects.toMatchObject({ name: 'RestoreRefused', message: /acme is moved/ });
    await bench.pool.master.query(`UPDATE tenantry.tenants SET state = 'open' WHERE tenant_id = 'acme'`);
  });

  test('that arrives after its operation was abandoned changes nothing', async () => {
    const taken = await bench.take('acme');
    await bench.as('acme', (app) => app.query(`DELETE FROM labels WHERE code = 'red'`));
    const meanwhile = await bench.fingerprints('acme');
    const restoring = await bench.begin('acme', taken);
    const abandoned = { operation: 'op-late', restoreId: restoring.work.id, tenantId: 'acme' };
    const effects = await asTenant(bench.restorer, 'acme', () => abandonEffects(bench.restorer, abandoned));
    expect(effects).toEqual({ swapped: undefined, undone: undefined });
    await expect(bench.swap(restoring, { operation: 'op-late' })).rejects.toMatchObject({ name: 'StaleOperation' });
    expect(await bench.fingerprints('acme')).toEqual(meanwhile);
    await bench.swap(restoring);
  });
});

describe('a sequence', () => {
  const users = async () => {
    const table = (await bench.scope()).tables.find((candidate) => tableName(candidate) === 'public.users')!;
    return { table, live: 'public.users' };
  };
  const last = async (): Promise<number> =>
    Number((await bench.pool.master.query<{ v: string }>('SELECT last_value AS v FROM users_id_seq')).rows[0]!.v);
  const raise = async (): Promise<void> => {
    const table = await users();
    await asTenant(bench.restorer, 'acme', () => raiseSequences(bench.restorer, 'acme', [table]));
  };

  test('that fell behind is raised above the restored ids, by a little or by a lot', async () => {
    await bench.pool.master.query('ALTER SEQUENCE users_id_seq RESTART WITH 1');
    await bench.swap(await bench.begin('acme', await bench.take('acme')));
    const { rows } = await bench.pool.master.query<{ max: string }>(
      `SELECT max(id) AS max FROM users WHERE tenant_id = 'acme'`,
    );
    expect(await last()).toBe(Number(rows[0]!.max));
    await bench.as('acme', (app) =>
      app.query(
        `INSERT INTO users (tenant_id, id, email, full_name) VALUES ('acme', 900000, 'far@acme.example', 'Far')`,
      ),
    );
    await raise();
    expect(await last()).toBe(900_000);
    await bench.as('acme', (app) =>
      app.query(`INSERT INTO users (tenant_id, email, full_name) VALUES ('acme', 'next@acme.example', 'Next')`),
    );
  });

  test('that is ahead is never rewound', async () => {
    await bench.pool.master.query(`SELECT setval('users_id_seq', 2000000)`);
    await bench.swap(await bench.begin('acme', await bench.take('acme')));
    expect(await last()).toBe(2_000_000);
  });

  test('gives no value twice when neighbours draw from it in the middle of the raise', async () => {
    const drawer = await bench.pool.connect('app');
    const drawn: number[] = [];
    const draw = async (count: number): Promise<void> => {
      const { rows } = await drawer.query<{ v: string }>(
        `SELECT nextval('users_id_seq') AS v FROM generate_series(1, ${count})`,
      );
      drawn.push(...rows.map(({ v }) => Number(v)));
    };
    await bench.as('acme', (app) =>
      app.query(`INSERT INTO users (tenant_id, id, email, full_name)
        SELECT 'acme', last_value + 30, 'ahead@acme.example', 'Ahead' FROM users_id_seq`),
    );
    const table = await users();
    await asTenant(bench.restorer, 'acme', async () => {
      // The neighbour overtakes the gap of 30 after it was read and before it is closed.
      const interleaved = {
        query: async (text: string, values: unknown[]) => {
          const result = await bench.restorer.query(text, values);
          if (text.includes('AS gap')) await draw(50);
          return result;
        },
      } as unknown as ClientBase;
      await raiseSequences(interleaved, 'acme', [table]);
    });
    await draw(50);
    expect(new Set(drawn).size).toBe(100);
  });
});
