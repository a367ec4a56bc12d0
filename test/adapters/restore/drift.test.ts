import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Bench, fillTenant, openBench } from './restore-bench.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
  await fillTenant(bench, 'acme');
});
afterAll(() => bench.stop());

const alter = (sql: string): Promise<unknown> =>
  bench.pool.master.query(
    `SET row_security = off; SET tenantry.migrating = 'on'; ${sql}; RESET tenantry.migrating; RESET row_security`,
  );

describe('a backup from before a migration', () => {
  test('leaves an added column of rows that exist now, and gives it its default in rows that come back', async () => {
    const taken = await bench.take('acme');
    await alter(`ALTER TABLE gadgets ADD COLUMN note text NOT NULL DEFAULT 'none'`);
    await bench.as('acme', (app) =>
      app.query(
        `UPDATE gadgets SET note = 'kept', price = 9; DELETE FROM gadgets WHERE id = (SELECT max(id) FROM gadgets)`,
      ),
    );
    const restoring = await bench.begin('acme', taken, { tables: ['public.gadgets'] });
    expect(restoring.report.tables).toMatchObject([{ changed: 4, onlyThen: 1 }]);
    expect(await bench.swap(restoring)).toMatchObject({ updated: 4, inserted: 1 });
    const { rows } = await bench.pool.master.query<{ price: string; note: string }>(
      `SELECT price::text, note FROM gadgets WHERE tenant_id = 'acme' ORDER BY id`,
    );
    expect(rows).toEqual([
      { price: '1.50', note: 'kept' },
      { price: '3.00', note: 'kept' },
      { price: '4.50', note: 'kept' },
      { price: '6.00', note: 'kept' },
      { price: '7.50', note: 'none' },
    ]);
  });

  test('is restored without a column that was dropped since', async () => {
    const taken = await bench.take('acme');
    await alter(`ALTER TABLE gadgets DROP COLUMN tags`);
    await bench.as('acme', (app) => app.query('UPDATE gadgets SET price = 1'));
    expect(await bench.swap(await bench.begin('acme', taken, { tables: ['public.gadgets'] }))).toMatchObject({
      updated: 5,
    });
  });

  test('is read as the type of today where that works, and refused with the differing lines where it does not', async () => {
    const taken = await bench.take('acme');
    await alter(`ALTER TABLE gadgets ALTER COLUMN price TYPE text`);
    expect(await bench.swap(await bench.begin('acme', taken, { tables: ['public.gadgets'] }))).toMatchObject({
      updated: 0,
    });
    await alter(`ALTER TABLE gadgets ALTER COLUMN price TYPE integer USING price::numeric::integer`);
    await expect(bench.begin('acme', taken, { tables: ['public.gadgets'] })).rejects.toMatchObject({
      name: 'RestoreRefused',
      message: expect.stringMatching(
        /- column public\.gadgets\.price numeric \| \+ column public\.gadgets\.price integer/,
      ),
    });
  });

  test('is refused where a rule was added that its rows break, and nothing changes', async () => {
    const taken = await bench.take('acme');
    await bench.as('acme', (app) => app.query(`DELETE FROM labels WHERE code = 'red'`));
    await alter(`ALTER TABLE labels ADD CONSTRAINT no_red CHECK (code <> 'red')`);
    const meanwhile = await bench.fingerprints('acme');
    await expect(bench.swap(await bench.begin('acme', taken, { tables: ['public.labels'] }))).rejects.toMatchObject({
      name: 'RestoreRefused',
      message: expect.stringMatching(/constraint no_red/),
    });
    expect(await bench.fingerprints('acme')).toEqual(meanwhile);
  });
});
