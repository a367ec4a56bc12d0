import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSchemaFacts } from '../../../adapters/catalog/read-facts.ts';
import { readScope } from '../../../adapters/catalog/read-scope.ts';
import { checkSchemaRule } from '../../../domain/schema-rule.ts';
import { tableName } from '../../../domain/scope.ts';
import { startTestPostgres, type TestPostgres } from '../../postgres.ts';

let server: TestPostgres;
let client: pg.Client;
beforeAll(async () => {
  server = await startTestPostgres();
  const { host, port, superuser } = server;
  client = new pg.Client({ host, port, user: superuser.username, password: superuser.password, database: 'postgres' });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await server.stop();
});

/** Runs `work` on a schema that is gone afterwards. */
const withSchema = async <Result>(sql: string, work: () => Promise<Result>): Promise<Result> => {
  await client.query('BEGIN');
  try {
    await client.query(sql);
    return await work();
  } finally {
    await client.query('ROLLBACK');
  }
};

const sound = `
CREATE TABLE plans (code text PRIMARY KEY);
CREATE TABLE org (tenant_id text PRIMARY KEY);
CREATE TABLE zebra (tenant_id text NOT NULL REFERENCES org, id bigint GENERATED ALWAYS AS IDENTITY, plan text REFERENCES plans,
  twice int GENERATED ALWAYS AS (2) STORED, PRIMARY KEY (tenant_id, id));
CREATE TABLE ant (tenant_id text NOT NULL, id bigserial, zebra bigint, PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, zebra) REFERENCES zebra (tenant_id, id));
CREATE TABLE tree (tenant_id text NOT NULL, id int, at date, PRIMARY KEY (tenant_id, id, at)) PARTITION BY RANGE (at);
CREATE TABLE tree_old PARTITION OF tree FOR VALUES FROM ('2020-01-01') TO ('2025-01-01') PARTITION BY LIST (id);
CREATE TABLE tree_old_1 PARTITION OF tree_old FOR VALUES IN (1);
CREATE TABLE tree_rest PARTITION OF tree DEFAULT;`;

const scopeOf = (sql: string) => withSchema(sql, () => readScope(client));
const findingsOf = (sql: string) =>
  withSchema(sql, async () => checkSchemaRule(await readScope(client), await readSchemaFacts(client)));

describe('the scope of a schema', () => {
  test('has referenced tables first, reference data apart, and Tenantry’s own schemas not at all', async () => {
    const scope = await scopeOf(`${sound}
      CREATE SCHEMA tenantry; CREATE TABLE tenantry.tenants (tenant_id text);
      CREATE SCHEMA tn_r1; CREATE TABLE tn_r1.ant (tenant_id text);`);
    const names = scope.tables.map(tableName);
    expect(new Set(names)).toEqual(new Set(['public.org', 'public.zebra', 'public.ant', 'public.tree']));
    expect(names.indexOf('public.org')).toBeLessThan(names.indexOf('public.zebra'));
    expect(names.indexOf('public.zebra')).toBeLessThan(names.indexOf('public.ant'));
    expect(scope.reference).toEqual(['public.plans']);
  });

  test('tells leaves at any depth, keys, sequences, identity and computed columns', async () => {
    const { tables } = await scopeOf(sound);
    const table = (name: string) => tables.find((one) => one.name === name)!;
    expect(table('tree').leaves).toEqual(['public.tree_old_1', 'public.tree_rest']);
    expect(table('tree').primaryKey).toEqual(['tenant_id', 'id', 'at']);
    expect(table('zebra').sequences).toEqual({ 'public.zebra_id_seq': 'id' });
    expect(table('ant').sequences).toEqual({ 'public.ant_id_seq': 'id' });
    expect(
      table('zebra')
        .columns.filter(({ generated }) => generated)
        .map(({ name }) => name),
    ).toEqual(['twice']);
    expect(table('zebra').columns.find(({ name }) => name === 'id')?.identity).toBe('always');
    expect(table('ant').foreignKeys).toEqual([
      {
        name: 'ant_tenant_id_zebra_fkey',
        columns: ['tenant_id', 'zebra'],
        references: 'public.zebra',
        referencedColumns: ['tenant_id', 'id'],
      },
    ]);
  });

  test('names types with their schema, and leaves the session’s settings as they were', async () => {
    await withSchema(
      `CREATE SCHEMA app; CREATE TYPE app.mood AS ENUM ('a'); SET LOCAL search_path = app, public; SET LOCAL TimeZone = 'Asia/Tokyo';
      CREATE TABLE app.t (tenant_id text NOT NULL, id int, m mood, PRIMARY KEY (tenant_id, id))`,
      async () => {
        const { tables } = await readScope(client);
        expect(tables[0]?.columns[2]?.type).toBe('app.mood');
        const { rows } = await client.query(
          `SELECT current_setting('search_path') AS path, current_setting('TimeZone') AS zone`,
        );
        expect(rows).toEqual([{ path: 'app, public', zone: 'Asia/Tokyo' }]);
      },
    );
  });
});

describe('the fingerprint', () => {
  const changed = async (change: string) =>
    (await scopeOf(sound)).fingerprint !== (await scopeOf(`${sound}\n${change}`)).fingerprint;

  test.each([
    ['a column', 'ALTER TABLE ant ADD note text'],
    ['a type', 'ALTER TABLE ant ALTER zebra TYPE int'],
    ['NOT NULL', 'ALTER TABLE ant ALTER zebra SET NOT NULL'],
    ['a default', 'ALTER TABLE ant ALTER zebra SET DEFAULT 1'],
    ['a constraint', 'ALTER TABLE ant ADD CHECK (zebra > 0)'],
    ['an index', 'CREATE INDEX ON ant (tenant_id, zebra)'],
    ['a partition', `CREATE TABLE tree_new PARTITION OF tree FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')`],
    [
      'a trigger',
      'CREATE TRIGGER t BEFORE UPDATE ON ant FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
    ],
    ['a policy', 'CREATE POLICY mine ON ant USING (true)'],
    ['a function', 'CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1'],
    ['an enum', `CREATE TYPE e AS ENUM ('a', 'b')`],
    ['a domain', 'CREATE DOMAIN d AS text CHECK (VALUE <> $$x$$)'],
    ['a view', 'CREATE VIEW v AS SELECT 1 AS one'],
    ['a sequence', 'CREATE SEQUENCE s'],
  ])('changes with %s', async (_what, change) => {
    expect(await changed(change)).toBe(true);
  });

  test.each([
    ['the order of columns', 'ALTER TABLE zebra DROP COLUMN plan; ALTER TABLE zebra ADD plan text REFERENCES plans'],
    ['a dropped column', 'ALTER TABLE ant ADD gone int; ALTER TABLE ant DROP gone'],
    ['rows', `INSERT INTO org VALUES ('acme')`],
    [
      'what Tenantry puts on tables',
      `ALTER TABLE ant ENABLE ROW LEVEL SECURITY; CREATE POLICY tenantry_tenant ON ant USING (true);
      CREATE TRIGGER tenantry_fence BEFORE UPDATE ON ant EXECUTE FUNCTION suppress_redundant_updates_trigger()`,
    ],
    ['staging schemas', 'CREATE SCHEMA tn_x; CREATE TABLE tn_x.t (a int)'],
  ])('does not change with %s', async (_what, change) => {
    expect(await changed(change)).toBe(false);
  });
});

describe('the schema rule', () => {
  test('is satisfied by a sound schema', async () => {
    expect(await findingsOf(sound)).toEqual([]);
  });

  test.each([
    [
      'a table that hangs on a tenant through two keys',
      'CREATE TABLE a (id int PRIMARY KEY, org text REFERENCES org); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a)',
      ['public.a', 'public.b'],
    ],
    ['a nullable tenant_id', 'CREATE TABLE a (tenant_id text, id uuid PRIMARY KEY)', ['public.a']],
    [
      'a tenant_id of another type',
      'CREATE TABLE a (tenant_id int NOT NULL, id int, PRIMARY KEY (tenant_id, id))',
      ['public.a'],
    ],
    ['a primary key without the tenant', 'CREATE TABLE a (tenant_id text NOT NULL, id int PRIMARY KEY)', ['public.a']],
    ['no primary key', 'CREATE TABLE a (tenant_id text NOT NULL, id int)', ['public.a']],
    [
      'a foreign key without the tenant',
      'CREATE TABLE a (tenant_id text NOT NULL, id uuid PRIMARY KEY, up uuid REFERENCES a)',
      ['public.a'],
    ],
    ['a unique index without the tenant', 'CREATE UNIQUE INDEX ON ant (zebra)', ['public.ant']],
    ['a unique index on an expression without the tenant', 'CREATE UNIQUE INDEX ON ant ((zebra + 1))', ['public.ant']],
    [
      'an exclusion constraint without the tenant',
      'ALTER TABLE tree_rest ADD EXCLUDE USING btree (id WITH =)',
      ['public.tree_rest'],
    ],
    ['a view with its owner’s rights', 'CREATE VIEW v AS SELECT * FROM ant', ['public.v']],
    [
      'such a view over a safe one',
      'CREATE VIEW inner_v WITH (security_invoker = on) AS SELECT * FROM ant; CREATE VIEW v AS SELECT * FROM inner_v',
      ['public.v'],
    ],
    ['a materialized view', 'CREATE MATERIALIZED VIEW v AS SELECT * FROM ant', ['public.v']],
    [
      'a SECURITY DEFINER function without a path',
      'CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER RETURN 1; ALTER FUNCTION f() OWNER TO pg_monitor',
      ['public.f()'],
    ],
    [
      'one whose path leaves pg_temp first',
      'CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = public RETURN 1; ALTER FUNCTION f() OWNER TO pg_monitor',
      ['public.f()'],
    ],
    [
      'one whose owner no policy binds',
      'CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp RETURN 1',
      ['public.f()'],
    ],
    ['a large object', 'SELECT lo_create(0)', ['pg_largeobject']],
    ['a permissive policy', 'CREATE POLICY mine ON tree_rest USING (true)', ['public.tree_rest']],
    ['a table that inherits', 'CREATE TABLE a (PRIMARY KEY (tenant_id, id)) INHERITS (ant)', ['public.a']],
    [
      'an unlogged table',
      'CREATE UNLOGGED TABLE a (tenant_id text NOT NULL, id int, PRIMARY KEY (tenant_id, id))',
      ['public.a'],
    ],
  ])('names %s', async (_what, change, objects) => {
    const findings = await findingsOf(`${sound}\n${change}`);
    expect(findings.map(({ object }) => object)).toEqual(objects);
    for (const { breaks, fix } of findings) expect([breaks, fix].every((text) => text.length > 10)).toBe(true);
  });

  test.each([
    ['a uuid as the only key', 'CREATE TABLE a (tenant_id text NOT NULL, id uuid PRIMARY KEY)'],
    ['an invoker view', 'CREATE VIEW v WITH (security_invoker = true) AS SELECT * FROM ant'],
    ['a view on reference data', 'CREATE VIEW v AS SELECT * FROM plans'],
    [
      'a safe SECURITY DEFINER function of an owner whom policies bind',
      'CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp RETURN 1; ALTER FUNCTION f() OWNER TO pg_monitor',
    ],
    ['a restrictive policy', 'CREATE POLICY less ON ant AS RESTRICTIVE USING (id > 0)'],
    ['a foreign key to reference data', 'ALTER TABLE ant ADD plan text REFERENCES plans'],
  ])('lets pass %s', async (_what, change) => {
    expect(await findingsOf(`${sound}\n${change}`)).toEqual([]);
  });
});
