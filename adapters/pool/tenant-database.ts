import type pg from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import { ident, literal } from '../postgres/identifier.ts';
import { clientSql, sqlState } from '../postgres/sql.ts';
import { restoreSetUpSql } from '../restore/effects.ts';
import type { Credentials } from '../secrets.ts';
import type { AppMigration } from './migrations.ts';
import { againInRoleRace, loginsOf, type PoolCredentials } from './roles.ts';
import { type PoolState, setUpPool } from './set-up.ts';

/**
 * Group of the logins of apps whose tenant has a database of its own: it holds the grants on the tables. No login of it may
 * connect to a pool, which grants to another role, or to another tenant's database, which lets in one login only.
 */
export const tenantGroup = 'tenantry_tenant';

/** Database that new databases of single tenants are copied from: a copy takes 33 ms, migrations take 360 to 700 ms. */
export const readyDatabase = 'tn_ready';

/** App connections of one tenant: 200 are on a laptop's server, and a runaway app must leave the neighbours some. */
const connectionsOfTenant = 60;

export type TenantDatabaseCredentials = Omit<PoolCredentials, 'app'>;

const groupCredentials = (credentials: TenantDatabaseCredentials): PoolCredentials => ({
  ...credentials,
  app: { username: tenantGroup, password: 'no login' },
});

/** Brings one database of a single tenant, or the one that they are copied from, to the app's schema. Safe to repeat. */
export const setUpTenantDatabase = async (
  master: pg.Client,
  { credentials, migrations }: { credentials: TenantDatabaseCredentials; migrations: readonly AppMigration[] },
): Promise<PoolState> => {
  const state = await setUpPool(master, { credentials: groupCredentials(credentials), migrations });
  const writeGroup = () =>
    clientSql(master).transaction(async (within) => {
      // Set-up makes logins; this one is a group that nobody logs in as.
      await within.query('SELECT pg_advisory_xact_lock(7003, 2)');
      await within.query(`ALTER ROLE ${ident(tenantGroup)} NOLOGIN PASSWORD NULL`);
      await within.query(`REVOKE CONNECT ON DATABASE ${ident(master.database ?? '')} FROM ${ident(tenantGroup)}`);
      await within.query(restoreSetUpSql(credentials.restore.username));
    });
  await againInRoleRace(writeGroup);
  return state;
};

export interface TenantDatabase {
  readonly database: string;
  /** Login of the app; its username is the database's name. */
  readonly app: Credentials;
  /** Logins of the server that work in every database. */
  readonly credentials: TenantDatabaseCredentials;
}

const exists = async (client: pg.Client, text: string, value: string): Promise<boolean> =>
  ((await client.query(text, [value])).rowCount ?? 0) > 0;

const writeAppLogin = async (client: pg.Client, { username, password }: Credentials): Promise<void> => {
  const verb = (await exists(client, 'SELECT FROM pg_roles WHERE rolname = $1', username)) ? 'ALTER' : 'CREATE';
  await client.query(
    `${verb} ROLE ${ident(username)} LOGIN INHERIT NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
     CONNECTION LIMIT ${connectionsOfTenant} PASSWORD ${literal(password)}`,
  );
  await client.query(`GRANT ${ident(tenantGroup)} TO ${ident(username)}`);
};

const copyReady = async (master: pg.Client, name: string): Promise<void> => {
  try {
    await master.query(`CREATE DATABASE ${name} TEMPLATE ${ident(readyDatabase)}`);
  } catch (error) {
    // object_in_use: a set-up brings the ready database to a new schema, and a copy of half of it would be worse than a wait.
    if (sqlState(error) !== '55006') throw error;
    throw new StepFailure('DatabaseUnavailable', `database ${readyDatabase} is being set up; the copy is tried again`, {
      cause: error,
    });
  }
};

/**
 * Makes the database of one tenant out of the ready one, with the login that alone may use it. `master` owns the server's
 * databases and is connected to another one. Safe to repeat. Throws what PostgreSQL says when the ready database is missing.
 */
export const createTenantDatabase = async (
  master: pg.Client,
  { database, app, credentials }: TenantDatabase,
): Promise<void> => {
  // Two attempts at once would both create; the lock belongs to the session and goes with it.
  await master.query('SELECT pg_advisory_lock(7003, hashtext($1))', [database]);
  await writeAppLogin(master, app);
  const name = ident(database);
  if (!(await exists(master, 'SELECT FROM pg_database WHERE datname = $1', database))) await copyReady(master, name);
  const { app: _, ...logins } = loginsOf(groupCredentials(credentials));
  const workers = Object.values(logins).map(ident).join(', ');
  await master.query(`
    REVOKE ALL ON DATABASE ${name} FROM PUBLIC;
    GRANT CONNECT ON DATABASE ${name} TO ${workers}, ${ident(app.username)};
    GRANT CREATE ON DATABASE ${name} TO ${ident(logins.restore)};`);
  await master.query('SELECT pg_advisory_unlock(7003, hashtext($1))', [database]);
};

/**
 * Drops the database of one tenant and its login, whoever is connected. Safe to repeat. A subscription or slot of a move that
 * is not finished makes PostgreSQL refuse (55006): finish or abandon the move first.
 */
export const dropTenantDatabase = async (master: pg.Client, database: string): Promise<void> => {
  await master.query(`DROP DATABASE IF EXISTS ${ident(database)} WITH (FORCE)`);
  try {
    await master.query(`DROP ROLE IF EXISTS ${ident(database)}`);
  } catch (error) {
    // Two attempts at once: the other one dropped it between the question and the order.
    if (sqlState(error) !== '42704') throw error;
  }
};
