import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adoptSchema, lintSchema } from '../../../adapters/catalog/adopt-schema.ts';
import type { AdoptionRequest } from '../../../domain/adoption/facts.ts';
import { explainFindings } from '../../../domain/schema-rule.ts';
import { startTestPostgres, type TestPostgres } from '../../postgres.ts';
import { openForeign } from './foreign-pool.ts';

let server: TestPostgres;
let client: pg.Client;
beforeAll(async () => {
  server = await startTestPostgres();
  client = (await openForeign(server, 'refused')).master;
});
afterAll(async () => {
  await client.end();
  await server.stop();
});

const base = `
CREATE TABLE org (id int PRIMARY KEY, slug text NOT NULL UNIQUE, alias text);
CREATE TABLE item (id int PRIMARY KEY, org_id int NOT NULL REFERENCES org, name text);
INSERT INTO org VALUES (1, 'north'), (2, 'south'); INSERT INTO item VALUES (1, 1, 'a'), (2, 2, 'b');`;

/** What an adoption of `base` with `change` says; everything is gone afterwards. */
const adopt = async (change: string, request: Partial<AdoptionRequest> = {}): Promise<string> => {
  await client.query(`${base}\n${change}`);
  const lines = async () => (await client.query("SELECT count(*) FROM pg_attribute WHERE attname = 'tenant_id'")).rows;
  try {
    const before = await lines();
    const adoption = await adoptSchema(client, { tenantRoot: 'org', ...request });
    expect(await lines()).toEqual(before);
    return adoption.outcome === 'refused' ? explainFindings(adoption.refusals) : adoption.outcome;
  } finally {
    await client.query(`DROP SCHEMA public CASCADE; DROP SCHEMA IF EXISTS "a.b" CASCADE; CREATE SCHEMA public;
      SELECT lo_unlink(oid) FROM pg_largeobject_metadata; DROP EXTENSION IF EXISTS postgres_fdw CASCADE`);
  }
};

describe('an adoption is refused, and nothing written, for', () => {
  test.each<[string, string, string, Partial<AdoptionRequest>?]>([
    [
      'a nullable way',
      'CREATE TABLE t (id int PRIMARY KEY, item int REFERENCES item)',
      'public.t: its only way to a tenant may be NULL: t_item_fkey (item) to public.item; a row without it would belong to nobody (fix: SET NOT NULL on item',
    ],
    [
      'what hangs on such a table',
      'CREATE TABLE t (id int PRIMARY KEY, item int REFERENCES item); CREATE TABLE u (id int PRIMARY KEY, t int NOT NULL REFERENCES t)',
      'public.u: it hangs on tables that have no sure way to a tenant themselves: u_t_fkey (t) to public.t (fix: mend public.t first',
    ],
    [
      'a cycle that never reaches the root surely',
      'CREATE TABLE t (id int PRIMARY KEY, item int REFERENCES item); ALTER TABLE t ADD up int NOT NULL REFERENCES t',
      'public.t: its only way to a tenant may be NULL',
    ],
    ['no primary key', 'CREATE TABLE t (item int NOT NULL REFERENCES item)', 'public.t: it has no primary key'],
    ['an unlogged table', 'ALTER TABLE item SET UNLOGGED', 'public.item: it is unlogged'],
    [
      'inheritance',
      'CREATE TABLE special () INHERITS (item)',
      'public.item: it shares rows with public.special by inheritance',
    ],
    [
      'a table of a type',
      'CREATE TYPE ty AS (id int, item int); CREATE TABLE t OF ty (item NOT NULL, PRIMARY KEY (id), FOREIGN KEY (item) REFERENCES item)',
      'public.t: it is a table OF a type',
    ],
    ['a rewrite rule', 'CREATE RULE r AS ON DELETE TO item DO INSTEAD NOTHING', 'public.item: rule r rewrites'],
    ['a permissive policy', 'CREATE POLICY p ON item USING (true)', 'public.item: policy p is permissive'],
    [
      'a tenant_id of another type',
      'ALTER TABLE item ADD tenant_id uuid NOT NULL DEFAULT gen_random_uuid()',
      "public.item: its own column tenant_id is uuid, and Tenantry's is text",
    ],
    ['a tenant_id that may be NULL', 'ALTER TABLE item ADD tenant_id text', 'public.item: tenant_id may be NULL'],
    [
      'ON UPDATE SET NULL',
      'CREATE TABLE t (id int PRIMARY KEY, org_id int NOT NULL REFERENCES org, item int REFERENCES item ON UPDATE SET NULL)',
      'public.t: foreign key t_item_fkey has ON UPDATE SET NULL, which would clear tenant_id too',
    ],
    [
      'ON UPDATE SET DEFAULT',
      'CREATE TABLE t (id int PRIMARY KEY, item int NOT NULL REFERENCES item ON UPDATE SET DEFAULT)',
      'has ON UPDATE SET DEFAULT',
    ],
    [
      'a key that is not valid',
      'CREATE TABLE t (id int PRIMARY KEY, item int NOT NULL); ALTER TABLE t ADD FOREIGN KEY (item) REFERENCES item NOT VALID',
      'public.t: foreign key t_item_fkey is NOT VALID',
    ],
    [
      'a key of one partition',
      `CREATE TABLE t (id int PRIMARY KEY, org_id int NOT NULL REFERENCES org, item int) PARTITION BY LIST (id);
      CREATE TABLE t1 PARTITION OF t DEFAULT; ALTER TABLE t1 ADD FOREIGN KEY (item) REFERENCES item`,
      'public.t: foreign key t1_item_fkey stands on or points to a single partition',
    ],
    [
      'an exclusion constraint without btree_gist',
      'ALTER TABLE item ADD span int4range, ADD EXCLUDE USING gist (span WITH &&)',
      'public.item: exclusion item_span_excl uses gist, which takes no text beside its columns (fix: CREATE EXTENSION btree_gist',
    ],
    [
      'a hash exclusion constraint',
      'ALTER TABLE item ADD EXCLUDE USING hash (name WITH =)',
      'item_name_excl uses hash',
    ],
    [
      'a materialized view',
      'CREATE MATERIALIZED VIEW m AS SELECT * FROM item',
      'public.m: a materialized view has no row-level security: it shows every tenant to whoever may read it (fix: name it with --unmaterialize public.m',
    ],
    [
      'a materialized view behind a view',
      'CREATE VIEW v AS SELECT * FROM item; CREATE MATERIALIZED VIEW m AS SELECT * FROM v',
      'public.m: a materialized view',
    ],
    [
      'a view that leans on the old primary key',
      'CREATE VIEW v AS SELECT i.id, i.name, count(o.id) FROM item i LEFT JOIN org o ON o.id = i.org_id GROUP BY i.id',
      'public.v: it groups by the primary key of public.item alone',
    ],
    [
      'a function that uses a view to be made again',
      'CREATE MATERIALIZED VIEW m AS SELECT * FROM item; CREATE FUNCTION f() RETURNS SETOF m LANGUAGE sql AS $$ SELECT * FROM m $$',
      'public.m: it has to be made again, and public.f() depends on it',
      { unmaterialize: ['m'] },
    ],
    [
      'a function that leans on the old primary key',
      'CREATE FUNCTION f() RETURNS SETOF text LANGUAGE sql BEGIN ATOMIC SELECT name FROM item GROUP BY id; END',
      'public.item: function public.f() depends on constraint item_pkey',
    ],
    [
      'a SECURITY DEFINER function',
      'CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER RETURN 1',
      'public.f(): SECURITY DEFINER with no search_path',
    ],
    ['large objects', 'SELECT lo_create(0)', 'pg_largeobject: 1 large objects belong to no tenant'],
    [
      'a column that looks like the tenant’s',
      'CREATE TABLE t (id int PRIMARY KEY, org_id int)',
      "public.t: column org_id looks like the tenant's, but is no foreign key to public.org (fix: add the foreign key, or say --tenant-column public.t.org_id, or --reference public.t",
    ],
    [
      'a foreign table of tenants',
      'CREATE EXTENSION postgres_fdw; CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw; CREATE FOREIGN TABLE f (org_id int) SERVER s',
      'public.f: a foreign table seems to hold rows of tenants',
    ],
    [
      'a shared table that hangs on a tenant',
      'CREATE TABLE t (id int PRIMARY KEY, item int NOT NULL REFERENCES item)',
      'public.t: it is called shared, but foreign key t_item_fkey (item) hangs it on public.item',
      { references: ['t'] },
    ],
    [
      'a --tenant-column that may be NULL',
      'CREATE TABLE t (id int PRIMARY KEY, org int)',
      'public.t: column org may be NULL',
      { tenantColumns: ['t.org'] },
    ],
    [
      'a --tenant-column of another type',
      'CREATE TABLE t (id int PRIMARY KEY, org bigint NOT NULL)',
      'public.t: column org is bigint, unlike the key of public.org',
      { tenantColumns: ['org'] },
    ],
    [
      'a --tenant-column that leads nowhere',
      'CREATE TABLE t (id int PRIMARY KEY, org int NOT NULL); INSERT INTO t VALUES (1, 77)',
      'public.t: 1 rows have a org that is in no row of public.org',
      { tenantColumns: ['org'] },
    ],
    [
      'a key column that may be NULL',
      '',
      'public.org: column alias cannot name tenants: it is not NOT NULL',
      { tenantKey: 'alias' },
    ],
    [
      'a key column that is not unique',
      "UPDATE org SET alias = 'x'; ALTER TABLE org ALTER alias SET NOT NULL",
      'public.org: column alias cannot name tenants: it is not unique',
      { tenantKey: 'alias' },
    ],
    [
      'ids that nobody can sign up with',
      "UPDATE org SET slug = 'Bad_Name' WHERE id = 1",
      'public.org: 1 of 2 tenant ids cannot be used: "Bad_Name" must be 2 to 40 characters',
      { tenantKey: 'slug' },
    ],
    [
      'rows that reach two tenants',
      'CREATE TABLE t (id int PRIMARY KEY, org_id int NOT NULL REFERENCES org, item int REFERENCES item); INSERT INTO t VALUES (1, 1, 1), (2, 1, 2), (3, 1, NULL)',
      'public.t: 1 rows reach another tenant by t_item_fkey (item) than by t_org_id_fkey (fix: correct these rows, or drop t_item_fkey',
    ],
    [
      'rows that hang on their like of another tenant',
      'ALTER TABLE item ADD up int REFERENCES item; UPDATE item SET up = 2',
      'public.item: 1 rows reach another tenant by item_up_fkey (up)',
    ],
    [
      'a schema whose name has a dot',
      'CREATE SCHEMA "a.b"; CREATE TABLE "a.b".t (id int PRIMARY KEY, org int NOT NULL REFERENCES public.org)',
      'a.b.t: the name of its schema has a dot',
    ],
  ])('%s', async (_what, change, message, request) => {
    expect(await adopt(change, request)).toContain(message);
  });

  test.each<[string, Partial<AdoptionRequest>, string]>([
    ['a root that is not there', { tenantRoot: 'firms' }, '--tenant-root: there is no "firms"'],
    [
      'a key that is not there',
      { tenantKey: 'code' },
      '--tenant-key: public.org has no column "code"; it has id, slug, alias',
    ],
    ['a shared root', { references: ['org'] }, '--reference: public.org is the tenant root'],
    ['a column that no table has', { tenantColumns: ['nothing'] }, '--tenant-column: no table has a column "nothing"'],
    ['a view that is not there', { unmaterialize: ['m'] }, '--unmaterialize: there is no "m"'],
  ])('a request with %s', async (_what, request, message) => {
    await expect(adopt('', request)).rejects.toMatchObject({
      name: 'InvalidStepInput',
      message: expect.stringContaining(message),
    });
  });
});

test('a table with a sure way is adopted though another way may be NULL', async () => {
  expect(
    await adopt('CREATE TABLE t (id int PRIMARY KEY, org int REFERENCES org, item int NOT NULL REFERENCES item)'),
  ).toBe('planned');
});

test('a table that all share may keep a column that looks like the tenant’s', async () => {
  expect(await adopt('CREATE TABLE t (id int PRIMARY KEY, org_id int)', { references: ['t'] })).toBe('planned');
});

test('a lint of a schema in which nothing has tenant_id says so', async () => {
  await client.query(base);
  const { findings } = await lintSchema(client);
  expect(findings).toMatchObject([
    { object: 'public.item, public.org', breaks: expect.stringContaining('no table has tenant_id') },
  ]);
});
