import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Bench, fillTenant, openBench } from './restore-bench.ts';

let bench: Bench;
let quiet: Record<string, string>;
let busy: Awaited<ReturnType<Bench['writeAs']>>;

beforeAll(async () => {
  bench = await openBench();
  for (const tenant of ['acme', 'globex', 'initech']) await fillTenant(bench, tenant);
});
afterAll(() => bench.stop());

// Every test runs beside a neighbour that writes and one that does not: the first loses nothing, the second nothing changes.
beforeEach(async () => {
  quiet = await bench.fingerprints('globex');
  busy = await bench.writeAs('initech');
});
afterEach(async () => {
  const { acknowledged, found, errors } = await busy.stop();
  expect(errors).toEqual([]);
  expect(found).toBe(acknowledged);
  expect(await bench.fingerprints('globex')).toEqual(quiet);
});

describe('a whole tenant', () => {
  test('is as it was, whatever happened to its rows', async () => {
    const taken = await bench.take('acme');
    const before = await bench.fingerprints('acme');
    await bench.as('acme', async (app) => {
      await app.query(`DELETE FROM attachments WHERE file_name IN (SELECT file_name FROM attachments LIMIT 2)`);
      await app.query(`DELETE FROM activity WHERE happened_on < '2026-03-01'`);
      await app.query(`UPDATE messages SET body = 'overwritten by a script'`);
      await app.query(`UPDATE gadgets SET spec = '{"b":1,"a":2}', place = point(9, 9), price = 1.5`);
      await app.query(`UPDATE users SET email = 'swap-' || id`);
      await app.query(
        `INSERT INTO messages (tenant_id, stream_id, sender_id, body) SELECT tenant_id, id, created_by, 'new' FROM streams`,
      );
      await app.query(`INSERT INTO labels VALUES ('acme', 'green')`);
    });
    const restoring = await bench.begin('acme', taken);
    expect(restoring.report.tables.find(({ table }) => table === 'public.messages')).toMatchObject({
      onlyNow: 1,
      changed: 25,
    });
    expect(restoring.report.broken).toEqual([]);
    const result = await bench.swap(restoring);
    expect(await bench.fingerprints('acme')).toEqual(before);
    expect(result).toMatchObject({ inserted: expect.any(Number), report: { comparedAgain: false } });
    expect(result.fencedMs).toBeGreaterThan(0);
  });
});
