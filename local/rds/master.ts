import pg from 'pg';
import type { Instance } from './instance.ts';
import { dynamicSettings, type ParameterValues } from './parameters.ts';
import type { Servers } from './servers.ts';

const { escapeIdentifier: ident, escapeLiteral: literal } = pg;

const exists = async (client: pg.Client, catalog: 'pg_roles' | 'pg_database', name: string): Promise<boolean> => {
  const column = catalog === 'pg_roles' ? 'rolname' : 'datname';
  return (await client.query(`SELECT FROM ${catalog} WHERE ${column} = $1`, [name])).rows.length > 0;
};

const ensureDatabase = async (client: pg.Client, name: string, owner: string): Promise<void> => {
  if (!(await exists(client, 'pg_database', name)))
    await client.query(`CREATE DATABASE ${ident(name)} OWNER ${ident(owner)} TEMPLATE template0`);
};

/** Statements with a password must not reach the server's log when they fail. */
const silently = (client: pg.Client): Promise<unknown> => client.query('SET log_min_error_statement = panic');

/**
 * Makes the roles and databases that RDS gives a new instance: `rds_superuser`, `rds_replication`, the master user, `rdsadmin`
 * with its heartbeat, and the database that was asked for. Safe to repeat.
 *
 * On RDS the master user is no superuser, but RDS's PostgreSQL lets members of `rds_superuser` do what stock PostgreSQL 15 keeps
 * for superusers: CREATE SUBSCRIPTION, roles with BYPASSRLS or REPLICATION, session_replication_role. Stock 15 has no grant for
 * these, so here the master user is a superuser besides ours.
 */
export const setUpMaster = async (servers: Servers, instance: Instance, password: string): Promise<void> => {
  const { id, masterUsername: master, database } = instance;
  await servers.connected(id, 'postgres', async (client) => {
    await silently(client);
    for (const [role, attributes] of [
      ['rds_superuser', 'NOLOGIN CREATEDB CREATEROLE'],
      ['rds_replication', 'NOLOGIN REPLICATION'],
      ['rds_password', 'NOLOGIN'],
    ] as const)
      if (!(await exists(client, 'pg_roles', role))) await client.query(`CREATE ROLE ${role} ${attributes}`);
    if (!(await exists(client, 'pg_roles', master)))
      await client.query(
        `CREATE ROLE ${ident(master)} LOGIN SUPERUSER CREATEDB CREATEROLE REPLICATION BYPASSRLS IN ROLE rds_superuser, rds_replication`,
      );
    await client.query(`ALTER ROLE ${ident(master)} PASSWORD ${literal(password)}`);
    await client.query(`ALTER DATABASE postgres OWNER TO ${ident(master)}`);
    await ensureDatabase(client, 'rdsadmin', 'rdsadmin');
    await client.query('REVOKE CONNECT ON DATABASE rdsadmin FROM PUBLIC');
    if (database !== undefined) await ensureDatabase(client, database, master);
  });
  await servers.connected(id, 'rdsadmin', (client) =>
    client.query('CREATE TABLE IF NOT EXISTS rds_heartbeat2 (id int PRIMARY KEY, value bigint NOT NULL)'),
  );
};

export const changePassword = async (servers: Servers, instance: Instance, password: string): Promise<void> => {
  await servers.connected(instance.id, 'postgres', async (client) => {
    await silently(client);
    await client.query(`ALTER ROLE ${ident(instance.masterUsername)} PASSWORD ${literal(password)}`);
  });
};

/** Sets the group's dynamic parameters on the running server, and takes back those that it no longer has. */
export const applyDynamic = async (servers: Servers, id: string, values: ParameterValues): Promise<void> => {
  await servers.connected(id, 'postgres', async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `SELECT name FROM pg_file_settings WHERE sourcefile LIKE '%postgresql.auto.conf'`,
    );
    const set = new Set(rows.map(({ name }) => name));
    for (const [name, value] of dynamicSettings(values)) {
      if (value !== undefined) await client.query(`ALTER SYSTEM SET ${ident(name)} = ${literal(value)}`);
      else if (set.has(name)) await client.query(`ALTER SYSTEM RESET ${ident(name)}`);
    }
    await client.query('SELECT pg_reload_conf()');
  });
};

/** The version that runs, such as `15.18`. */
export const serverVersion = (servers: Servers, id: string): Promise<string> =>
  servers.connected(id, 'postgres', async (client) => {
    const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
    return /^[\d.]+/.exec(rows[0]!.server_version)![0];
  });
