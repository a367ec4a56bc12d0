import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ident } from '../../../adapters/postgres/identifier.ts';
import { undoBytes } from '../../../adapters/restore/undo.ts';
import { type Bench, fillTenant, openBench } from './restore-bench.ts';

let bench: Bench;
let quiet: Record<string, string>;
beforeAll(async () => {
  bench = await openBench();
  for (const tenant of ['acme', 'globex']) await fillTenant(bench, tenant);
});
afterAll(() => bench.stop());
beforeEach(async () => {
  quiet = await bench.fingerprints('globex');
});
afterEach(async () => {
  expect(await bench.fingerprints('globex')).toEqual(quiet);
});

/** Swaps a backup in that differs from now in every way; answers the restore and how the rows were before it. */
const swapped = async () => {
  const taken = await bench.take('acme');
  await bench.as('acme', (app) =>
    app.query(`DELETE FROM labels WHERE code = 'red'; INSERT INTO labels VALUES ('acme', 'green');
      UPDATE gadgets SET price = price + 1, spec = '[]'; DELETE FROM activity WHERE happened_on > '2026-06-01'`),
  );
  const before = await bench.fingerprints('acme');
  const restoring = await bench.begin('acme', taken);
  const result = await bench.swap(restoring);
  return { restoring, before, result, taken };
};

describe('undo', () => {
  test('puts back exactly what the swap replaced, once', async () => {
    const { restoring, before, result, taken } = await swapped();
    const undone = await bench.undo(restoring);
    expect(await bench.fingerprints('acme')).toEqual(before);
    expect(undone).toEqual({ removed: result.inserted, inserted: result.removed, updated: result.updated });
    expect(await bench.undo(restoring)).toEqual(undone);
    const left = await bench.pool.master.query('SELECT FROM pg_namespace WHERE nspname = $1', [
      restoring.work.undoSchema,
    ]);
    expect(left.rowCount).toBe(0);
    await bench.swap(await bench.begin('acme', taken));
  });

  test('is as large as the rows that it keeps, before and after the swap, and nothing once it is made', async () => {
    const { restoring, taken } = await swapped();
    const kept = await undoBytes(bench.pool.master, restoring.work);
    expect(kept).toBeGreaterThan(0);
    const { undoSchema } = restoring.work;
    await bench.pool.master.query(
      `CREATE TABLE ${ident(undoSchema)}.more AS SELECT repeat('x', 1000) AS text FROM generate_series(1, 1000)`,
    );
    expect(await undoBytes(bench.pool.master, restoring.work)).toBeGreaterThan(kept + 1_000_000);
    await bench.undo(restoring);
    expect(await undoBytes(bench.pool.master, restoring.work)).toBe(0);
    await bench.swap(await bench.begin('acme', taken));
  });

  test('keeps what users wrote to other rows after the swap', async () => {
    const { restoring, taken } = await swapped();
    await bench.as('acme', (app) => app.query(`INSERT INTO labels VALUES ('acme', 'after the swap')`));
    await bench.undo(restoring);
    const { rows } = await bench.pool.master.query<{ code: string }>(
      `SELECT code FROM labels WHERE tenant_id = 'acme' ORDER BY code`,
    );
    expect(rows.map(({ code }) => code)).toEqual(['after the swap', 'blue', 'green']);
    await bench.swap(await bench.begin('acme', taken));
  });

  test.each([
    ['changed a restored row', `UPDATE gadgets SET price = 99 WHERE id = (SELECT min(id) FROM gadgets)`, 'gadgets'],
    ['deleted a restored row', `DELETE FROM labels WHERE code = 'red'`, 'labels'],
    ['made a removed row anew', `INSERT INTO labels VALUES ('acme', 'green')`, 'labels'],
  ])('is refused where somebody %s, unless forced', async (_what, write, table) => {
    const { restoring, before, taken } = await swapped();
    await bench.as('acme', (app) => app.query(write));
    const meanwhile = await bench.fingerprints('acme');
    await expect(bench.undo(restoring)).rejects.toMatchObject({
      name: 'RestoreRefused',
      message: expect.stringMatching(new RegExp(`1 of public\\.${table}.*force`)),
    });
    expect(await bench.fingerprints('acme')).toEqual(meanwhile);
    await bench.undo(restoring, { force: true });
    expect(await bench.fingerprints('acme')).toEqual(before);
    await bench.swap(await bench.begin('acme', taken));
  });

  test('is refused where it would leave rows of users without their parent', async () => {
    const taken = await bench.take('acme');
    await bench.as('acme', (app) =>
      app.query(`DELETE FROM attachments; DELETE FROM reactions;
      DELETE FROM messages WHERE reply_to IS NOT NULL; DELETE FROM messages`),
    );
    const restoring = await bench.begin('acme', taken);
    await bench.swap(restoring);
    await bench.as('acme', (app) =>
      app.query(
        `INSERT INTO attachments (tenant_id, message_id, file_name, content) SELECT 'acme', min(id), 'new', '' FROM messages`,
      ),
    );
    await expect(bench.undo(restoring)).rejects.toMatchObject({
      name: 'BrokenReferences',
      message: expect.stringMatching(/1 row of public\.attachments/),
    });
    await bench.swap(await bench.begin('acme', taken));
  });

  test('is refused once a table has got a column, naming it', async () => {
    const { restoring, taken } = await swapped();
    await bench.pool.master.query('ALTER TABLE labels ADD COLUMN colour text');
    await expect(bench.undo(restoring)).rejects.toMatchObject({
      name: 'RestoreRefused',
      message: expect.stringMatching(/public\.labels got colour/),
    });
    await bench.pool.master.query('ALTER TABLE labels DROP COLUMN colour');
    await bench.swap(await bench.begin('acme', taken));
  });
});

const part = fc.integer({ min: 0, max: 3 });
const damage = fc.oneof(
  fc
    .tuple(fc.constantFrom('reactions', 'attachments', 'activity', 'labels', 'gadgets', 'audit_trail'), part)
    .map(([table, rest]) => `DELETE FROM ${table} x WHERE abs(hashtext(x::text)) % 4 = ${rest}`),
  fc
    .tuple(
      fc.constantFrom(
        `messages SET body = body || '!'`,
        `users SET full_name = upper(full_name)`,
        `gadgets SET tags = NULL, seen = NULL`,
        `attachments SET content = content || '\\x00'`,
        `activity SET happened_on = happened_on + 400`,
        `streams SET visibility = 'private'`,
        `messages SET reply_to = NULL`,
      ),
      part,
    )
    .map(([set, rest]) => `UPDATE ${set} WHERE abs(hashtext(${set.split(' ')[0]}::text)) % 4 = ${rest}`),
  fc.uuid().map((code) => `INSERT INTO labels VALUES ('acme', '${code}')`),
  fc.nat(1_000).map((price) => `INSERT INTO gadgets (tenant_id, price, spec) VALUES ('acme', ${price}, 'null')`),
  fc.constant(
    `INSERT INTO messages (tenant_id, stream_id, sender_id, body) SELECT tenant_id, id, created_by, 'new' FROM streams`,
  ),
);

describe('random damage', () => {
  test('is undone by a restore of the whole tenant, and the restore by its undo', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 8 }), async (statements) => {
        const taken = await bench.take('acme');
        const before = await bench.fingerprints('acme');
        await bench.as('acme', async (app) => {
          for (const statement of statements) await app.query(statement);
        });
        const damaged = await bench.fingerprints('acme');
        const restoring = await bench.begin('acme', taken);
        expect(restoring.report.broken).toEqual([]);
        await bench.swap(restoring);
        expect(await bench.fingerprints('acme')).toEqual(before);
        await bench.undo(restoring);
        expect(await bench.fingerprints('acme')).toEqual(damaged);
      }),
      { numRuns: 12 },
    );
  });
});
