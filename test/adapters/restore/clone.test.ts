import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { readScope } from '../../../adapters/catalog/read-scope.ts';
import { prepareTenant } from '../../../adapters/pool/tenant.ts';
import { type Cloned, loadClone } from '../../../adapters/restore/clone.ts';
import { dropSchemas } from '../../../adapters/restore/layout.ts';
import { type Bench, fillTenant, openBench, type Restoring, type Taken } from './restore-bench.ts';

let bench: Bench;
let taken: Taken;
let tenantId: string;
let firstRows: Record<string, string>;
let others: Record<string, string>[];
const neighbours = (): Promise<Record<string, string>[]> =>
  Promise.all(['acme', 'globex'].map((tenant) => bench.fingerprints(tenant)));

beforeAll(async () => {
  bench = await openBench();
  for (const tenant of ['acme', 'globex']) await fillTenant(bench, tenant);
  taken = await bench.take('acme');
});
afterAll(() => bench.stop());
beforeEach(async () => {
  tenantId = `new-${randomUUID().slice(0, 8)}`;
  const provision = await bench.pool.connect('provision');
  await prepareTenant(provision, { tenantId, profile: { name: 'New' }, fence: 3 });
  firstRows = await bench.fingerprints(tenantId);
  others = await neighbours();
});

const load = (
  { work }: Restoring,
  { fence = 3, operation = `clone-${tenantId}` }: { fence?: number; operation?: string } = {},
): Promise<Cloned> =>
  loadClone(bench.restorer, {
    restore: { ...work, tenantId },
    sourceTenantId: 'acme',
    operation,
    fence,
    readScope,
  });

/** Rows of all tables with the tenant's name taken out, one text. */
const nameless = async (tenant: string): Promise<string> => {
  const found: string[] = [];
  for (const { schema, name } of (await bench.scope()).tables) {
    const { rows } = await bench.pool.master.query<{ row: string }>(
      `SELECT (to_jsonb(t) - 'tenant_id')::text AS row FROM "${schema}"."${name}" t WHERE tenant_id = $1 ORDER BY 1`,
      [tenant],
    );
    found.push(name, ...rows.map(({ row }) => row));
  }
  return found.join('\n');
};

test('a new tenant has the rows of the backup under its name, none of its hook, and nobody else changed', async () => {
  const restoring = await bench.begin('acme', taken);
  const cloned = await load(restoring);
  expect(cloned.rows).toBe(taken.manifest.members.reduce((sum, { rows }) => sum + rows, 0));
  expect(await nameless(tenantId)).toBe(await nameless('acme'));
  expect(await neighbours()).toEqual(others);
});

test('a repeat answers the same and loads nothing, also when its staging is gone', async () => {
  const restoring = await bench.begin('acme', taken);
  const { rows, tables } = await load(restoring);
  await bench.as(tenantId, (app) => app.query('DELETE FROM labels'));
  const after = await bench.fingerprints(tenantId);
  await dropSchemas(bench.restorer, [restoring.work.stagingSchema]);
  expect(await load(restoring)).toMatchObject({ rows, tables });
  expect(await bench.fingerprints(tenantId)).toEqual(after);
});

test('a late attempt, one of an abandoned tenant and one whose staging was lost change nothing', async () => {
  const restoring = await bench.begin('acme', taken);
  await expect(load(restoring, { fence: 2 })).rejects.toMatchObject({ name: 'StaleOperation' });
  await bench.pool.master.query(`TRUNCATE "${restoring.work.stagingSchema}".labels`);
  await expect(load(restoring)).rejects.toMatchObject({
    name: 'RestoreRefused',
    message: expect.stringMatching(/public\.labels are not what was loaded/),
  });
  expect(await bench.fingerprints(tenantId)).toEqual(firstRows);
  const whole = await bench.begin('acme', taken);
  await bench.pool.master.query('DELETE FROM tenantry.tenants WHERE tenant_id = $1', [tenantId]);
  await expect(load(whole)).rejects.toMatchObject({ name: 'StaleOperation' });
  expect(await bench.fingerprints(tenantId)).toEqual(firstRows);
});

test('rows that something changed on their way in are found by their digest', async () => {
  const { master } = bench.pool;
  await master.query(`
    CREATE FUNCTION tamper() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.code := upper(NEW.code); RETURN NEW; END $$;
    CREATE TRIGGER tamper BEFORE INSERT ON labels FOR EACH ROW EXECUTE FUNCTION tamper();
    ALTER TABLE labels ENABLE ALWAYS TRIGGER tamper`);
  try {
    await expect(load(await bench.begin('acme', taken))).rejects.toMatchObject({
      name: 'CopyDiffers',
      message: expect.stringMatching(/public\.labels: 2 rows/),
    });
  } finally {
    await master.query('DROP FUNCTION tamper CASCADE');
  }
  expect(await bench.fingerprints(tenantId)).toEqual(firstRows);
});

test('a unique index without the tenant keeps a clone out of the database of its source, by name', async () => {
  const { master } = bench.pool;
  await master.query('CREATE TABLE tokens (tenant_id text NOT NULL, id uuid PRIMARY KEY)');
  try {
    await bench.as('acme', (app) => app.query(`INSERT INTO tokens VALUES ('acme', gen_random_uuid())`));
    await expect(load(await bench.begin('acme', await bench.take('acme')))).rejects.toMatchObject({
      name: 'RestoreRefused',
      message: expect.stringMatching(/tokens_pkey of tokens does not hold tenant_id; clone .* into isolation database/),
    });
    const { tokens: _, ...rest } = Object.fromEntries(
      Object.entries(await bench.fingerprints(tenantId)).map(([table, text]) => [table.replace('public.', ''), text]),
    );
    expect(Object.values(rest)).toEqual(Object.values(firstRows));
  } finally {
    await master.query('DROP TABLE tokens');
  }
});

test('a backup of an older schema gives columns that were added since their default', async () => {
  await bench.pool.master.query(`ALTER TABLE gadgets ADD COLUMN note text NOT NULL DEFAULT 'none'`);
  await load(await bench.begin('acme', taken, { tables: ['public.gadgets'] }));
  const { rows } = await bench.pool.master.query('SELECT DISTINCT note FROM gadgets WHERE tenant_id = $1', [tenantId]);
  expect(rows).toEqual([{ note: 'none' }]);
});
