import { appSchema, notOfExtension } from '../catalog/app-schemas.ts';
import { tenantPolicy } from '../catalog/fingerprint.ts';
import { ident, literal } from '../postgres/identifier.ts';

/**
 * Login names of the five roles that steps, apps and other servers use; none is a superuser. Only `backup` and `replicate`
 * see past row-level security: a policy that binds the login of a replication makes its initial copy empty, without an error.
 */
export interface PoolLogins {
  readonly app: string;
  readonly provision: string;
  readonly backup: string;
  readonly restore: string;
  readonly replicate: string;
}

/** Trigger and policy are named in the fingerprint, which leaves them out. */
const fenceTrigger = 'tenantry_fence';

/** First key of the advisory lock that writers of a tenant share and that a fence takes alone; the second is hashtext(tenant). */
export const fenceLockClass = 7001;

const tables = `
CREATE SCHEMA IF NOT EXISTS tenantry;
REVOKE ALL ON SCHEMA tenantry FROM PUBLIC;
CREATE TABLE IF NOT EXISTS tenantry.tenants (
  tenant_id text PRIMARY KEY CHECK (tenant_id <> ''),
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'fenced', 'moved')),
  epoch bigint NOT NULL DEFAULT 0,
  deadline timestamptz,
  fence bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now()
);
-- All of schema tenantry that a move publishes: the epoch of a fence arrives behind every earlier commit of its tenant.
-- The beat goes the same way before a fence and tells how long one takes.
CREATE TABLE IF NOT EXISTS tenantry.barriers (
  tenant_id text PRIMARY KEY,
  epoch bigint NOT NULL,
  beat bigint NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS tenantry.moves (
  move_id text PRIMARY KEY,
  tenant_id text NOT NULL,
  phase text NOT NULL CHECK (phase IN ('copying', 'switched', 'returned', 'finished', 'abandoned')),
  epoch bigint,
  -- Where this side's own writes begin: what lies before was applied here and must not go back.
  lsn pg_lsn,
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS tenantry.schema_versions (
  version text PRIMARY KEY,
  sha256 text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);`;

/**
 * Statement trigger on every tenant table. The shared advisory lock makes a fence wait for writers under way and makes
 * writers wait for a fence that is being put up. Above READ COMMITTED the transaction would read the state of its old
 * snapshot and write through the fence; FOR SHARE turns that into 40001. TRUNCATE ignores row-level security, so it is
 * refused altogether. Migrations change rows of all tenants at once: the tables' owner may, by a setting that is void for
 * everybody else. A fence whose deadline has passed belongs to a move that died: the first writer takes it down, and the
 * move's compare-and-set loses by the new epoch.
 */
const checkFence = `
CREATE OR REPLACE FUNCTION tenantry.check_fence() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tenant text := current_setting('app.tenant_id', true);
  found_state text;
  found_deadline timestamptz;
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    RAISE EXCEPTION 'TRUNCATE of %.% would remove the rows of every tenant', TG_TABLE_SCHEMA, TG_TABLE_NAME
      USING ERRCODE = '42501', HINT = 'Delete the rows of one tenant.';
  END IF;
  IF tenant IS NULL OR tenant = '' THEN
    IF current_setting('tenantry.migrating', true) = 'on'
      AND pg_has_role(session_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
      RETURN NULL;
    END IF;
    RAISE EXCEPTION 'set app.tenant_id before writing to %.%', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = '42501';
  END IF;
  PERFORM pg_advisory_xact_lock_shared(${fenceLockClass}, hashtext(tenant));
  IF current_setting('transaction_isolation') = 'read committed' THEN
    SELECT state, deadline INTO found_state, found_deadline FROM tenantry.tenants WHERE tenant_id = tenant;
  ELSE
    SELECT state, deadline INTO found_state, found_deadline FROM tenantry.tenants WHERE tenant_id = tenant FOR SHARE;
  END IF;
  IF found_state IS DISTINCT FROM 'open' THEN
    IF found_state = 'fenced' AND found_deadline < clock_timestamp() THEN
      UPDATE tenantry.tenants SET state = 'open', epoch = epoch + 1, deadline = NULL
        WHERE tenant_id = tenant AND state = 'fenced' AND deadline < clock_timestamp();
      IF FOUND OR EXISTS (SELECT FROM tenantry.tenants WHERE tenant_id = tenant AND state = 'open') THEN
        RETURN NULL;
      END IF;
    END IF;
    RAISE EXCEPTION 'tenant % is % here', tenant, coalesce(found_state, 'unknown') USING ERRCODE = 'TN001';
  END IF;
  RETURN NULL;
END $$;`;

/**
 * How an app begins a transaction of a tenant: sets it, and refuses with TN001 where the tenant is not, so that an app which
 * has not heard of a move reads no rows of yesterday. A fence lets readers pass: what they see is still the truth.
 */
const enter = `
CREATE OR REPLACE FUNCTION tenantry.enter(tenant text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found_state text;
BEGIN
  SELECT state INTO found_state FROM tenantry.tenants WHERE tenant_id = tenant;
  IF found_state IS NULL OR found_state = 'moved' THEN
    RAISE EXCEPTION 'tenant % is % here', tenant, coalesce(found_state, 'unknown') USING ERRCODE = 'TN001';
  END IF;
  PERFORM set_config('app.tenant_id', tenant, true);
END $$;`;

/** Waits on the side that a tenant moves to, in one round trip; false when the epoch does not come in time. */
const awaitBarrier = `
CREATE OR REPLACE FUNCTION tenantry.await_barrier(tenant text, wanted bigint, millis integer) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  until timestamptz := clock_timestamp() + millis * interval '1 millisecond';
BEGIN
  WHILE NOT EXISTS (SELECT FROM tenantry.barriers WHERE tenant_id = tenant AND epoch >= wanted) LOOP
    IF clock_timestamp() > until THEN
      RETURN false;
    END IF;
    PERFORM pg_sleep(0.0005);
  END LOOP;
  RETURN true;
END $$;`;

/** Puts what is missing on one table or partition; does nothing on a table that has it all. */
const protectTable = (logins: PoolLogins): string => {
  const writers = [logins.provision, logins.restore].map(ident).join(', ');
  return `
CREATE OR REPLACE FUNCTION tenantry.protect_table(target regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  facts pg_class;
BEGIN
  SELECT * INTO facts FROM pg_class WHERE oid = target;
  IF NOT facts.relrowsecurity THEN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
  END IF;
  IF NOT facts.relforcerowsecurity THEN
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
  END IF;
  IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = target AND polname = ${literal(tenantPolicy)}) THEN
    EXECUTE format('CREATE POLICY ${tenantPolicy} ON %s USING (tenant_id = current_setting(''app.tenant_id'', true))
      WITH CHECK (tenant_id = current_setting(''app.tenant_id'', true))', target);
  END IF;
  IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = target AND tgname = ${literal(fenceTrigger)} AND tgenabled = 'O') THEN
    EXECUTE format('DROP TRIGGER IF EXISTS ${fenceTrigger} ON %s', target);
    EXECUTE format('CREATE TRIGGER ${fenceTrigger} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s
      FOR EACH STATEMENT EXECUTE FUNCTION tenantry.check_fence()', target);
  END IF;
  EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', target);
  EXECUTE format('GRANT SELECT ON %s TO ${ident(logins.backup)}, ${ident(logins.replicate)}', target);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO ${writers}', target);
  -- The app goes through the root of a partition tree and needs nothing on its leaves.
  IF NOT facts.relispartition THEN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO ${ident(logins.app)}', target);
  END IF;
END $$;`;
};

/** Everything in the app's schemas: tenant tables with their leaves, reference tables, views, sequences. */
const protectApp = (logins: PoolLogins): string => {
  const all = Object.values(logins).map(ident).join(', ');
  return `
CREATE OR REPLACE FUNCTION tenantry.protect_app() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found record;
BEGIN
  PERFORM set_config('tenantry.protecting', 'on', true);
  FOR found IN
    SELECT n.nspname AS name FROM pg_namespace n WHERE ${appSchema('n.nspname')}
  LOOP
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', found.name);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO ${all}', found.name);
  END LOOP;
  FOR found IN
    SELECT c.oid::regclass AS target, c.relkind AS kind,
      EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped) AS tenant
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'S') AND ${appSchema('n.nspname')} AND ${notOfExtension('pg_class', 'c.oid')}
  LOOP
    IF found.kind = 'S' THEN
      EXECUTE format('GRANT USAGE, SELECT ON SEQUENCE %s TO ${ident(logins.app)}, ${ident(logins.provision)}', found.target);
      EXECUTE format('GRANT USAGE, SELECT, UPDATE ON SEQUENCE %s TO ${ident(logins.restore)}', found.target);
      EXECUTE format('GRANT SELECT ON SEQUENCE %s TO ${ident(logins.backup)}', found.target);
    ELSIF found.kind = 'v' OR NOT found.tenant THEN
      EXECUTE format('GRANT SELECT ON %s TO ${all}', found.target);
    ELSE
      PERFORM tenantry.protect_table(found.target);
    END IF;
  END LOOP;
  PERFORM set_config('tenantry.protecting', 'off', true);
END $$;`;
};

/**
 * A policy on the root does not hold for a leaf that is read directly, so a partition made by a nightly job would be open
 * to every tenant (measured: 547,208 foreign rows in each dump). This runs in the transaction that makes it.
 */
const protectNew = `
CREATE OR REPLACE FUNCTION tenantry.protect_new() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found record;
BEGIN
  -- Protecting a table is DDL itself and would come back here.
  IF current_setting('tenantry.protecting', true) = 'on' THEN
    RETURN;
  END IF;
  PERFORM set_config('tenantry.protecting', 'on', true);
  FOR found IN
    SELECT DISTINCT c.oid::regclass AS target
    FROM pg_event_trigger_ddl_commands() d
    CROSS JOIN LATERAL (SELECT d.objid AS relid UNION SELECT p.relid FROM pg_partition_tree(d.objid) p) tree
    JOIN pg_class c ON c.oid = tree.relid AND c.relkind IN ('r', 'p')
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE d.classid = 'pg_class'::regclass AND ${appSchema('n.nspname')}
      AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
  LOOP
    PERFORM tenantry.protect_table(found.target);
  END LOOP;
  PERFORM set_config('tenantry.protecting', 'off', true);
END $$;`;

const grants = (logins: PoolLogins): string => {
  const [app, provision, backup, restore, replicate] = [
    logins.app,
    logins.provision,
    logins.backup,
    logins.restore,
    logins.replicate,
  ].map(ident);
  return `
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tenantry FROM PUBLIC;
GRANT USAGE ON SCHEMA tenantry TO ${app}, ${provision}, ${backup}, ${restore}, ${replicate};
GRANT EXECUTE ON FUNCTION tenantry.enter(text) TO ${app};
GRANT SELECT ON tenantry.barriers TO ${replicate};
GRANT SELECT ON tenantry.schema_versions TO ${provision}, ${backup}, ${restore};
GRANT SELECT, INSERT, UPDATE, DELETE ON tenantry.tenants TO ${provision};
GRANT SELECT, UPDATE ON tenantry.tenants TO ${restore};
GRANT SELECT ON tenantry.tenants TO ${backup};`;
};

/** Schema `tenantry` of a pooled database; safe to run again. Nothing of the app is touched yet. */
export const tenantrySchema = (logins: PoolLogins): string =>
  [tables, checkFence, enter, awaitBarrier, protectTable(logins), protectApp(logins), protectNew, grants(logins)].join(
    '\n',
  );

/** Needs a superuser, or rds_superuser on RDS. */
export const watchNewTables = `
DROP EVENT TRIGGER IF EXISTS tenantry_protect;
CREATE EVENT TRIGGER tenantry_protect ON ddl_command_end
  WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE')
  EXECUTE FUNCTION tenantry.protect_new();`;
