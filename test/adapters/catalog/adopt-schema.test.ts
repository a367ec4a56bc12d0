import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adoptSchema, lintSchema, type SchemaAdoption } from '../../../adapters/catalog/adopt-schema.ts';
import { readScope } from '../../../adapters/catalog/read-scope.ts';
import type { AdoptionRequest } from '../../../domain/adoption/facts.ts';
import { startTestPostgres, type TestPostgres } from '../../postgres.ts';
import { contents, openForeign, schemaFile } from './foreign-pool.ts';

interface Foreign {
  readonly file: string;
  readonly request: AdoptionRequest;
  /** Tenant ids of the tenants whose rows name north, south and west. */
  readonly ids: readonly [string, string, string];
  readonly shared: readonly string[];
  /** What an app of `north` does that does not know tenant_id, and the table that then has one row more. */
  readonly inserts: readonly (readonly [table: string, sql: string])[];
  /** Statements of `north` that a foreign key refuses: a row of another tenant, or of nobody. */
  readonly refused: readonly string[];
  /** Half of it is a tenant's already, so no pool takes it as it is: the migration runs before set-up. */
  readonly unsound?: true;
}

const schemas: readonly Foreign[] = [
  {
    file: 'shop',
    request: { tenantRoot: 'organisations' },
    ids: ['t-1', 't-2', 't-3'],
    shared: ['public.cities', 'public.countries'],
    inserts: [
      ['public.people', "INSERT INTO people (organisation_id, email, manager_id) VALUES (1, 'new north', 1)"],
      ['public.products', "INSERT INTO products VALUES (1, 'sku9', 5, DEFAULT, 'north')"],
      ['public.log', "INSERT INTO orders (person_id, number) VALUES (1, 'n-north')"],
    ],
    refused: [
      "INSERT INTO people (organisation_id, email) VALUES (2, 'spy')",
      "INSERT INTO people (organisation_id, email, manager_id) VALUES (1, 'spy', 5)",
      "INSERT INTO orders (person_id, number) VALUES (5, 'spy')",
      "INSERT INTO orders (person_id, number) VALUES (999, 'nobody')",
      "UPDATE order_lines SET sku = 'none' WHERE line = 2",
    ],
  },
  {
    file: 'bookings',
    request: { tenantRoot: 'public.account', unmaterialize: ['occupancy'] },
    ids: [
      't-11111111-1111-4111-8111-111111111111',
      't-22222222-2222-4222-8222-222222222222',
      't-33333333-3333-4333-8333-333333333333',
    ],
    shared: [],
    inserts: [
      ['public.rooms', "INSERT INTO rooms (account, code) VALUES ('11111111-1111-4111-8111-111111111111', 'south1')"],
      ['public.bookings', "INSERT INTO bookings VALUES (900, 'north1', NULL, 1, '[500,501)', 'north')"],
    ],
    refused: [
      "INSERT INTO bookings VALUES (901, 'south2', NULL, NULL, '[1,2)', 'spy')",
      "INSERT INTO bookings VALUES (901, 'north1', 103, NULL, '[900,901)', 'spy')",
    ],
  },
  {
    file: 'events',
    request: { tenantRoot: 'customer' },
    ids: ['t-7', 't-8', 't-9'],
    shared: [],
    inserts: [
      ['public.device', "INSERT INTO device (customer, serial, region) VALUES (7, 'north9', 'eu')"],
      ['public.reading', "INSERT INTO reading (at, device, region, value) VALUES ('2025-05-05', 1, 'eu', 'north')"],
      ['public.reading', "INSERT INTO reading (at, device, region, value) VALUES ('2030-05-05', 1, 'eu', 'north')"],
    ],
    refused: [
      "INSERT INTO reading (at, device, region, value) VALUES ('2025-05-05', 3, 'eu', 'spy')",
      "INSERT INTO alarm VALUES (900, '2031-01-01', 1, 'nothing')",
    ],
  },
  {
    file: 'names',
    request: { tenantRoot: 'select.Tenant', tenantPrefix: 'x' },
    ids: ['x1', 'x2', 'x3'],
    shared: [],
    inserts: [
      ['Sales Dept.order', `INSERT INTO "Sales Dept"."order" VALUES (900, 1, 'north')`],
      [
        'Sales Dept.a.b',
        `INSERT INTO "Sales Dept"."Größe; DROP" VALUES (110, 'north', 901); INSERT INTO "Sales Dept"."a.b" VALUES (901, 1, 'north')`,
      ],
    ],
    refused: [`INSERT INTO public."order" VALUES (900, 21, 'spy')`],
  },
  {
    file: 'slugs',
    request: { tenantRoot: 'firm', tenantKey: 'slug', tenantColumns: ['public.usage.firm_id'] },
    ids: ['north', 'south', 'west'],
    shared: [],
    inserts: [
      ['public.usage', "INSERT INTO usage (firm_id, name) VALUES (1, 'south1')"],
      ['public.version', "INSERT INTO version VALUES (11, 4, 3, 'north')"],
    ],
    refused: ["INSERT INTO doc VALUES (900, 2, 'spy')", "INSERT INTO version VALUES (21, 9, NULL, 'spy')"],
  },
  {
    file: 'half',
    unsound: true,
    request: { tenantRoot: 'orgs' },
    ids: ['north', 'south', 'west'],
    shared: ['public.plans'],
    inserts: [
      ['public.eggs', "INSERT INTO eggs VALUES (900, 1, 'north')"],
      ['public.l3', "INSERT INTO l3 VALUES (900, 1, 'north', 'north')"],
    ],
    refused: ["INSERT INTO l3 VALUES (901, 1, 'south', 'north')", "INSERT INTO l2 VALUES (901, 2, 'spy')"],
  },
];

let server: TestPostgres;
beforeAll(async () => {
  server = await startTestPostgres();
});
afterAll(() => server.stop());

const planned = (adoption: SchemaAdoption): string => {
  if (adoption.outcome !== 'planned') throw new Error(JSON.stringify(adoption, null, 2));
  return adoption.sql;
};

const asTenant = async <Result>(client: pg.Client, tenantId: string, work: () => Promise<Result>): Promise<Result> => {
  await client.query('BEGIN');
  try {
    await client.query(`SELECT set_config('app.tenant_id', $1, true)`, [tenantId]);
    return await work();
  } finally {
    await client.query('ROLLBACK');
  }
};

describe.each(schemas)(
  'a schema that somebody else wrote: $file',
  ({ file, request, ids, shared, inserts, refused, unsound }) => {
    let foreign: Awaited<ReturnType<typeof openForeign>>;
    let before: Awaited<ReturnType<typeof contents>>;
    let lines: readonly string[];
    let migration: string;
    beforeAll(async () => {
      const sql = await schemaFile(file);
      foreign = await openForeign(server, file);
      await (unsound ? foreign.master.query(sql) : foreign.setUp([sql]));
      before = await contents(foreign.master);
      lines = (await readScope(foreign.master)).lines;
      migration = planned(await adoptSchema(foreign.master, request));
      if (unsound) {
        await foreign.master.query(`BEGIN; ${migration}; COMMIT`);
        await foreign.setUp([]);
      } else {
        const { drift } = await foreign.setUp([sql, migration]);
        expect(drift).toEqual([]);
      }
      await foreign.master.query('INSERT INTO tenantry.tenants (tenant_id) SELECT unnest($1::text[])', [ids]);
    });
    afterAll(() => foreign.master.end());

    test('keeps every row as it was and gives each to the tenant whose it is', async () => {
      const after = await contents(foreign.master);
      expect([...after.keys()]).toEqual([...before.keys()]);
      const tags = ['north', 'south', 'west'];
      for (const [path, rows] of after) {
        expect(
          rows.map(({ row }) => row),
          path,
        ).toEqual(before.get(path)?.map(({ row }) => row));
        expect(rows.length, path).toBeGreaterThan(0);
        const whose = rows.map(({ row }) =>
          shared.includes(path) ? null : ids[tags.findIndex((tag) => row.includes(tag))],
        );
        expect(
          rows.map(({ tenant }) => tenant),
          path,
        ).toEqual(whose);
      }
    });

    test('keeps the rule afterwards, and a second adoption has nothing to do', async () => {
      expect(await lintSchema(foreign.master)).toMatchObject({ findings: [], shared });
      expect(await adoptSchema(foreign.master, request)).toEqual({ outcome: 'adopted', shared });
    });

    test('leaves columns, triggers with their state, sequences, types, functions, policies and checks as they were', async () => {
      const kept = lines.filter((line) =>
        /^(table|column|trigger|policy|sequence|type|function|extension) |^constraint .* CHECK /.test(line),
      );
      expect((await readScope(foreign.master)).lines).toEqual(expect.arrayContaining(kept));
    });

    test('serves an app that does not know tenant_id, and shows it no other tenant', async () => {
      const app = await foreign.app();
      try {
        for (const [table, sql] of inserts) {
          const [schema, name] = [table.slice(0, table.indexOf('.')), table.slice(table.indexOf('.') + 1)];
          const count = async () =>
            (
              await app.query<{ tenant: string; rows: number }>(
                `SELECT tenant_id AS tenant, count(*)::int AS rows FROM "${schema}"."${name}" GROUP BY 1`,
              )
            ).rows;
          await asTenant(app, ids[0], async () => {
            const [had] = await count();
            await app.query(sql);
            await app.query('SET CONSTRAINTS ALL IMMEDIATE');
            expect(await count(), sql).toEqual([{ tenant: ids[0], rows: (had?.rows ?? 0) + 1 }]);
          });
        }
      } finally {
        await app.end();
      }
    });

    test('enforces every foreign key still, and none reaches another tenant', async () => {
      for (const sql of refused) {
        const write = asTenant(foreign.master, ids[0], async () => {
          await foreign.master.query(sql);
          await foreign.master.query('SET CONSTRAINTS ALL IMMEDIATE');
        });
        await expect(write, sql).rejects.toMatchObject({ code: '23503' });
      }
    });
  },
);

describe('foreign keys with actions, after the adoption of the shop', () => {
  let foreign: Awaited<ReturnType<typeof openForeign>>;
  beforeAll(async () => {
    const sql = await schemaFile('shop');
    foreign = await openForeign(server, 'shop_actions');
    await foreign.master.query(sql);
    const migration = planned(await adoptSchema(foreign.master, { tenantRoot: 'organisations' }));
    await foreign.master.query(`BEGIN; ${migration}; COMMIT`);
  });
  afterAll(() => foreign.master.end());
  const resultOf = async (change: string, question: string): Promise<unknown[]> => {
    await foreign.master.query("BEGIN; SET LOCAL app.tenant_id = 't-1'");
    try {
      await foreign.master.query(change);
      return (await foreign.master.query(question)).rows;
    } finally {
      await foreign.master.query('ROLLBACK');
    }
  };

  test('SET NULL clears the reference and never the tenant', async () => {
    expect(
      await resultOf(
        'DELETE FROM line_notes; DELETE FROM orders; SET CONSTRAINTS ALL IMMEDIATE; DELETE FROM people WHERE id = 1',
        "SELECT count(*)::int AS rows FROM people WHERE tenant_id = 't-1' AND manager_id IS NULL",
      ),
    ).toEqual([{ rows: 3 }]);
    expect(
      await resultOf(
        "DELETE FROM products WHERE tenant_id = 't-1' AND sku = 'sku1'",
        "SELECT DISTINCT organisation_id, sku FROM order_lines WHERE tenant_id = 't-1'",
      ),
    ).toEqual([{ organisation_id: null, sku: null }]);
  });

  test('CASCADE follows a natural key and a whole tenant', async () => {
    expect(
      await resultOf(
        "UPDATE products SET sku = 'new' WHERE organisation_id = 1 AND sku = 'sku1'",
        "SELECT DISTINCT tenant_id, sku FROM order_lines WHERE sku <> 'sku1'",
      ),
    ).toEqual([{ tenant_id: 't-1', sku: 'new' }]);
    expect(
      await resultOf(
        "DELETE FROM line_notes WHERE tenant_id = 't-1'; DELETE FROM orders WHERE tenant_id = 't-1'; DELETE FROM products WHERE tenant_id = 't-1'; DELETE FROM organisations WHERE id = 1",
        "SELECT count(*)::int AS rows FROM people WHERE tenant_id = 't-1'",
      ),
    ).toEqual([{ rows: 0 }]);
  });

  test('MATCH FULL still takes all columns or none', async () => {
    await expect(resultOf('UPDATE order_lines SET sku = NULL WHERE line = 2', 'SELECT')).rejects.toMatchObject({
      code: '23514',
    });
  });

  test('a deferred key and a deferred unique key wait for the end of the transaction', async () => {
    await expect(
      resultOf('UPDATE organisations SET owner_id = 999 WHERE id = 1', 'SET CONSTRAINTS owner IMMEDIATE'),
    ).rejects.toMatchObject({ code: '23503' });
    await expect(
      resultOf("UPDATE orders SET number = 'same' WHERE tenant_id = 't-1'", 'SET CONSTRAINTS ALL IMMEDIATE'),
    ).rejects.toMatchObject({ code: '23505' });
  });

  test('comments stay', async () => {
    const { rows } = await foreign.master.query(
      "SELECT obj_description(oid, 'pg_constraint') AS boss, obj_description('people_email'::regclass, 'pg_class') AS mail FROM pg_constraint WHERE conname = 'people_manager_id_fkey'",
    );
    expect(rows).toEqual([{ boss: "who's the boss", mail: 'any case' }]);
  });
});
