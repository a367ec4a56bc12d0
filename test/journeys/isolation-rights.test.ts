import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { setUpPool } from '../../adapters/pool/set-up.ts';
import { chatMigrations, credentials } from '../adapters/pool/chat-pool.ts';
import { type Neighbours, openNeighbours, tables } from './isolation-pool.ts';

let pool: Neighbours;
let globexBefore: string;

beforeAll(async () => {
  pool = await openNeighbours();
  globexBefore = await pool.digestOf('globex');
});

afterAll(() => pool.stop());

const setUpAgain = async () => setUpPool(pool.world.pool.master, { credentials, migrations: await chatMigrations() });

test('the pool as it was set up shows acme its rows alone in every table, and the schema rule has nothing to say', async () => {
  for (const table of tables)
    expect({ table, foreign: await pool.foreignRows(`SELECT tenant_id FROM ${table}`) }).toEqual({ table, foreign: 0 });
  expect(await pool.findings()).toEqual([]);
});

describe('roles that policies do not bind', () => {
  test('1. the owner of a table: policies are forced on every table and leaf; who lifts that is overruled at once, or by the next set-up', async () => {
    await pool.planted(
      'CREATE ROLE plain_owner; GRANT ALL ON SCHEMA public TO plain_owner; ALTER TABLE streams OWNER TO plain_owner; ALTER TABLE streams NO FORCE ROW LEVEL SECURITY',
      'ALTER TABLE streams OWNER TO CURRENT_USER; DROP OWNED BY plain_owner; DROP ROLE plain_owner',
      async () => {
        const seen = async () => {
          await pool.master('SET ROLE plain_owner');
          const { rowCount } = await pool.master('SELECT FROM streams');
          await pool.master('RESET ROLE');
          return rowCount;
        };
        expect(await seen()).toBe(0);
        // A managed server may refuse the event trigger that has just overruled it.
        await pool.master(
          'ALTER EVENT TRIGGER tenantry_protect DISABLE; ALTER TABLE streams NO FORCE ROW LEVEL SECURITY; ALTER EVENT TRIGGER tenantry_protect ENABLE',
        );
        expect(await seen()).toBeGreaterThan(0);
        await setUpAgain();
        expect(await seen()).toBe(0);
      },
    );
    const { rows } = await pool.master(
      `SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
       WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND NOT (c.relrowsecurity AND c.relforcerowsecurity)`,
    );
    expect(rows).toEqual([]);
  });

  test('2. a superuser: set-up refuses an app login that is one', async () => {
    await pool.planted('ALTER ROLE tenantry_app SUPERUSER', 'ALTER ROLE tenantry_app NOSUPERUSER', async () => {
      expect(await pool.foreignRows('SELECT tenant_id FROM messages')).toBeGreaterThan(0);
      await expect(setUpAgain()).rejects.toThrow(/tenantry_app of role app is a superuser/);
    });
  });

  test('3. BYPASSRLS: set-up takes it away', async () => {
    await pool.planted('ALTER ROLE tenantry_app BYPASSRLS', 'ALTER ROLE tenantry_app NOBYPASSRLS', async () => {
      expect(await pool.foreignRows('SELECT tenant_id FROM messages')).toBeGreaterThan(0);
      await setUpAgain();
      expect(await pool.foreignRows('SELECT tenant_id FROM messages')).toBe(0);
    });
  });
});

describe('objects that read with the rights of somebody else', () => {
  test('4. a view without security_invoker: found by the schema rule, closed by its fix', async () => {
    await pool.planted(
      'CREATE VIEW inbox AS SELECT * FROM messages; GRANT SELECT ON inbox TO tenantry_app',
      'DROP VIEW inbox',
      async () => {
        expect(await pool.foreignRows('SELECT tenant_id FROM inbox')).toBeGreaterThan(0);
        expect(await pool.findings()).toEqual([expect.stringContaining('public.inbox: it reads tenant tables')]);
        await pool.master('ALTER VIEW inbox SET (security_invoker = true)');
        expect(await pool.foreignRows('SELECT tenant_id FROM inbox')).toBe(0);
        expect(await pool.findings()).toEqual([]);
      },
    );
  });

  test('5. a SECURITY DEFINER function: safe where its owner is bound by the policies', async () => {
    await pool.planted(
      `CREATE ROLE bound_owner; GRANT USAGE ON SCHEMA public TO bound_owner; GRANT SELECT ON messages TO bound_owner;
       CREATE FUNCTION everything() RETURNS SETOF messages LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS 'SELECT * FROM messages'`,
      'DROP FUNCTION everything(); DROP OWNED BY bound_owner; DROP ROLE bound_owner',
      async () => {
        expect(await pool.foreignRows('SELECT tenant_id FROM everything()')).toBeGreaterThan(0);
        expect(await pool.findings()).toEqual([
          expect.stringMatching(/everything\(\): SECURITY DEFINER owned by \w+, whom row-level security does not bind/),
        ]);
        await pool.master('ALTER FUNCTION everything() OWNER TO bound_owner');
        expect(await pool.foreignRows('SELECT tenant_id FROM everything()')).toBe(0);
      },
    );
    const { rows } = await pool.master(
      `SELECT p.oid::regprocedure::text AS name FROM pg_proc p JOIN pg_roles o ON o.oid = p.proowner
       WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace AND (o.rolsuper OR o.rolbypassrls)`,
    );
    expect(rows).toEqual([]);
  });

  const door = (path: string) => `CREATE TABLE keepers (name text); INSERT INTO keepers VALUES ('operator');
    CREATE FUNCTION is_keeper(who text) RETURNS boolean LANGUAGE sql SECURITY DEFINER ${path} AS 'SELECT EXISTS (SELECT FROM keepers WHERE name = who)';
    ALTER FUNCTION is_keeper(text) OWNER TO pg_monitor; GRANT SELECT ON keepers TO pg_monitor`;
  const noDoor = 'DROP FUNCTION is_keeper(text); DROP TABLE keepers';
  const hijack = () =>
    pool.asAcme(async (sql) => {
      await sql.query("CREATE TEMP TABLE keepers AS SELECT 'acme'::text AS name");
      await sql.query('GRANT SELECT ON keepers TO PUBLIC');
      const [row] = await sql.query<{ yes: boolean }>("SELECT public.is_keeper('acme') AS yes");
      return row!.yes;
    });

  test('6. SECURITY DEFINER without search_path: found by the schema rule; the app cannot make a schema to stand in the path', async () => {
    await pool.planted(door(''), noDoor, async () => {
      expect(await hijack()).toBe(true);
      expect(await pool.findings()).toEqual([
        expect.stringMatching(/is_keeper\(text\): SECURITY DEFINER with no search_path/),
      ]);
    });
    await expect(pool.asAcme((sql) => sql.query('CREATE SCHEMA trap'))).rejects.toMatchObject({ code: '42501' });
    await expect(pool.asAcme((sql) => sql.query('CREATE TABLE public.trap (name text)'))).rejects.toMatchObject({
      code: '42501',
    });
  });

  test('7. search_path without pg_temp at its end: hijacked by a temporary table, found by the schema rule, closed by its fix', async () => {
    await pool.planted(door('SET search_path = public'), noDoor, async () => {
      expect(await hijack()).toBe(true);
      expect(await pool.findings()).toEqual([
        expect.stringMatching(/is_keeper\(text\): SECURITY DEFINER with search_path public/),
      ]);
      await pool.master('ALTER FUNCTION is_keeper(text) SET search_path = pg_catalog, public, pg_temp');
      expect(await hijack()).toBe(false);
      expect(await pool.findings()).toEqual([]);
    });
  });

  test('8. a materialized view: found by the schema rule, and set-up gives the app no right to it', async () => {
    await pool.planted(
      'CREATE MATERIALIZED VIEW digest AS SELECT tenant_id, body FROM messages',
      'DROP MATERIALIZED VIEW digest',
      async () => {
        await expect(pool.foreignRows('SELECT tenant_id FROM digest')).rejects.toMatchObject({ code: '42501' });
        await pool.master('GRANT SELECT ON digest TO tenantry_app');
        expect(await pool.foreignRows('SELECT tenant_id FROM digest')).toBeGreaterThan(0);
        expect(await pool.findings()).toEqual([
          expect.stringContaining('public.digest: a materialized view has no row-level security'),
        ]);
      },
    );
  });
});

test('after all of it no row of the neighbour has changed', async () => {
  expect(await pool.digestOf('globex')).toBe(globexBefore);
});
