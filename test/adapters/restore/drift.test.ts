import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Bench, fillTenant, openBench, type Restoring, type Taken } from './restore-bench.ts';

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
    const restoring = await bench.begin('acme', taken, { tables: ['public.labels'] });
    expect(restoring.report.unfit).toMatchObject([
      { table: 'public.labels', rule: expect.stringMatching(/^no_red CHECK/), rows: 1, samples: ['red'] },
    ]);
    await expect(bench.swap(restoring)).rejects.toMatchObject({
      name: 'RestoreRefused',
      message: expect.stringMatching(/1 row of public\.labels .*no_red CHECK/),
    });
    // PostgreSQL itself is the second guard, whatever a report says.
    const blind = { ...restoring, report: { ...restoring.report, unfit: [] } };
    await expect(bench.swap(blind, { operation: 'blind' })).rejects.toMatchObject({
      name: 'RestoreRefused',
      message: expect.stringMatching(/constraint no_red/),
    });
    expect(await bench.fingerprints('acme')).toEqual(meanwhile);
  });
});

describe('a backup of an older schema', () => {
  const boxes = ['public.boxes'];
  const shelves = ['public.shelves', 'public.boxes'];
  beforeEach(async () => {
    await alter(`
      DROP TABLE IF EXISTS boxes, shelves; DROP TYPE IF EXISTS size CASCADE;
      CREATE TYPE size AS ENUM ('small', 'large', 'huge');
      CREATE TABLE shelves (tenant_id text NOT NULL, id integer NOT NULL, PRIMARY KEY (tenant_id, id));
      CREATE TABLE boxes (tenant_id text NOT NULL, id integer NOT NULL, shelf integer, name varchar(20), weight numeric,
        size size, spec json, "at noon" timestamp, PRIMARY KEY (tenant_id, id));`);
    await bench.as('acme', (app) =>
      app.query(`
        INSERT INTO shelves VALUES ('acme', 1);
        INSERT INTO boxes VALUES ('acme', 1, 1, 'first', 1.5, 'small', '{"b":  1, "a": 2}', '2026-01-01 12:00:00'),
          ('acme', 2, 7, 'second', 2.25, 'large', NULL, NULL), ('acme', 3, NULL, NULL, NULL, NULL, NULL, NULL);`),
    );
  });

  const emptied = async (taken: Taken, sql: string, tables = boxes): Promise<Restoring> => {
    await bench.as('acme', (app) => app.query('DELETE FROM boxes'));
    await alter(sql);
    return bench.begin('acme', taken, { tables });
  };
  const rows = async (columns: string): Promise<unknown[]> =>
    (await bench.pool.master.query({ text: `SELECT ${columns} FROM boxes ORDER BY id`, rowMode: 'array' })).rows;

  test('comes back through wider and other types, value for value', async () => {
    const restoring = await emptied(
      await bench.take('acme'),
      `ALTER TABLE boxes ALTER COLUMN id TYPE bigint, ALTER COLUMN name TYPE text, ALTER COLUMN weight TYPE numeric(10,2),
         ALTER COLUMN spec TYPE jsonb, ALTER COLUMN "at noon" TYPE timestamptz USING "at noon" AT TIME ZONE 'UTC',
         ALTER COLUMN size TYPE text`,
    );
    expect(await bench.swap(restoring)).toMatchObject({ inserted: 3 });
    expect(await rows(`id::int, name, weight::text, size, spec::text, ("at noon" AT TIME ZONE 'UTC')::text`)).toEqual([
      [1, 'first', '1.50', 'small', '{"a": 2, "b": 1}', '2026-01-01 12:00:00'],
      [2, 'second', '2.25', 'large', null, null],
      [3, null, null, null, null, null],
    ]);
  });

  test.each([
    [
      'a number loses its digits',
      'ALTER COLUMN weight TYPE numeric(10,1)',
      /1 values of weight .*numeric\(10,1\) \(2\.25\)/,
    ],
    ['a text is cut', 'ALTER COLUMN name TYPE varchar(5)', /1 values of name .* \(second\)/],
    ['a number is no truth value', 'ALTER COLUMN shelf TYPE boolean USING true', /1 values of shelf .*boolean \(7\)/],
    ['a time loses its hour', 'ALTER COLUMN "at noon" TYPE date', /1 values of at noon .*date/],
    ['a text is no number', 'ALTER COLUMN name TYPE integer USING 1', /name is no integer: .*"first"/],
  ])('is refused where %s, with value and lines', async (_, change, message) => {
    const refused = emptied(await bench.take('acme'), `ALTER TABLE boxes ${change}`);
    await expect(refused).rejects.toMatchObject({ name: 'RestoreRefused', message: expect.stringMatching(message) });
    await expect(refused).rejects.toMatchObject({
      message: expect.stringMatching(/- column public\.boxes\.\S.* \| \+ column public\.boxes\./),
    });
  });

  test('comes back where an enum got labels or lost an unused one, and is refused where it lost one', async () => {
    const taken = await bench.take('acme');
    await bench.swap(await emptied(taken, `ALTER TYPE size ADD VALUE 'tiny' BEFORE 'small'`));
    expect(await rows('size::text')).toEqual([['small'], ['large'], [null]]);
    const without = (labels: string): string =>
      `ALTER TYPE size RENAME TO size_old; CREATE TYPE size AS ENUM (${labels});
       ALTER TABLE boxes ALTER COLUMN size TYPE size USING size::text::size; DROP TYPE size_old CASCADE`;
    await bench.swap(await emptied(taken, without(`'small', 'large'`)));
    expect(await rows('size::text')).toEqual([['small'], ['large'], [null]]);
    await expect(emptied(taken, without(`'small'`))).rejects.toMatchObject({
      name: 'RestoreRefused',
      message: expect.stringMatching(
        /size is no public\.size: .*"large".* - type public\.size enum 'small','large','huge' \| \+ type public\.size enum 'small'/,
      ),
    });
  });

  test('leaves a renamed column as one that was dropped and one that was added', async () => {
    const restoring = await emptied(await bench.take('acme'), 'ALTER TABLE boxes RENAME COLUMN name TO title');
    expect(restoring.work.drift).toMatchObject([{ removed: ['name'], added: ['title'], required: [] }]);
    expect(await bench.swap(restoring)).toMatchObject({ inserted: 3 });
    expect(await rows('id, title, weight::text')).toEqual([
      [1, null, '1.5'],
      [2, null, '2.25'],
      [3, null, null],
    ]);
  });

  test('brings no row back into a table that wants a value which the backup lacks, and changes those that are there', async () => {
    const taken = await bench.take('acme');
    await alter(
      `ALTER TABLE boxes ADD COLUMN owner text; UPDATE boxes SET owner = 'me'; ALTER TABLE boxes ALTER COLUMN owner SET NOT NULL`,
    );
    await bench.as('acme', (app) => app.query(`UPDATE boxes SET weight = 0 WHERE id = 1`));
    expect(await bench.swap(await bench.begin('acme', taken, { tables: boxes }))).toMatchObject({ updated: 1 });
    expect(await rows('weight::text, owner')).toContainEqual(['1.5', 'me']);
    await bench.as('acme', (app) => app.query(`DELETE FROM boxes WHERE id = 2`));
    const restoring = await bench.begin('acme', taken, { tables: boxes });
    expect(restoring.report.unfit).toMatchObject([
      { rule: 'column owner, NOT NULL without a default', rows: 1, samples: ['2'] },
    ]);
    await expect(bench.swap(restoring)).rejects.toMatchObject({ name: 'RestoreRefused' });
    expect(await rows('id')).toEqual([[1], [3]]);
  });

  test.each([
    ['NOT NULL', `ALTER TABLE boxes ALTER COLUMN name SET NOT NULL`, { rule: 'column name, NOT NULL', samples: ['3'] }],
    [
      'a unique index',
      `CREATE UNIQUE INDEX one_light ON boxes (tenant_id) WHERE weight < 2.5`,
      { rule: expect.stringMatching(/^one_light UNIQUE INDEX/), rows: 2, samples: ['acme'] },
    ],
    [
      'a primary key',
      `ALTER TABLE boxes DROP CONSTRAINT boxes_pkey, ALTER COLUMN name SET NOT NULL, ADD PRIMARY KEY (tenant_id, name)`,
      { rule: 'column name, NOT NULL', samples: [''] },
    ],
  ])('is refused where %s was added that rows of it break', async (_, change, found) => {
    const restoring = await emptied(await bench.take('acme'), change);
    expect(restoring.report.unfit).toMatchObject([found]);
    await expect(bench.swap(restoring)).rejects.toMatchObject({ name: 'RestoreRefused' });
    expect(await rows('id')).toEqual([]);
  });

  test('is refused where a foreign key was added that rows of it break', async () => {
    const change = 'ALTER TABLE boxes ADD FOREIGN KEY (tenant_id, shelf) REFERENCES shelves (tenant_id, id)';
    const restoring = await emptied(await bench.take('acme'), change, shelves);
    expect(restoring.report.broken).toMatchObject([{ table: 'public.boxes', rows: 1, samples: ['7'] }]);
    await expect(bench.swap(restoring)).rejects.toMatchObject({ name: 'BrokenReferences' });
    expect(await rows('id')).toEqual([]);
  });
});
