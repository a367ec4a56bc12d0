import { setTimeout as delay } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import { ident, literal } from '../postgres/identifier.ts';
import { clientSql, isChangedMeanwhile, isMadeMeanwhile } from '../postgres/sql.ts';
import type { Credentials } from '../secrets.ts';
import type { PoolLogins } from './schema.ts';

export type PoolCredentials = Readonly<Record<keyof PoolLogins, Credentials>>;

export const loginsOf = (credentials: PoolCredentials): PoolLogins => ({
  app: credentials.app.username,
  provision: credentials.provision.username,
  backup: credentials.backup.username,
  restore: credentials.restore.username,
  replicate: credentials.replicate.username,
});

/** On RDS no login may have REPLICATION, which only a superuser may give; being a member of this role stands for it. */
const managedReplication = 'rds_replication';

const managedSql = `
SELECT FROM pg_roles r WHERE r.rolname = $1 AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)`;

/** Attributes are set again at every set-up: a hand that gave the app BYPASSRLS once must not outlive it. */
const attributes = (role: keyof PoolLogins, managed: boolean): string =>
  [
    'LOGIN NOINHERIT NOCREATEDB NOCREATEROLE',
    role === 'replicate' && !managed ? 'REPLICATION' : 'NOREPLICATION',
    role === 'backup' || role === 'replicate' ? 'BYPASSRLS' : 'NOBYPASSRLS',
  ].join(' ');

const writeLogin = async (client: ClientBase, role: keyof PoolLogins, { username, password }: Credentials) => {
  const { rows } = await client.query<{ super: boolean }>('SELECT rolsuper AS super FROM pg_roles WHERE rolname = $1', [
    username,
  ]);
  const managed = await client.query(managedSql, [managedReplication]);
  if (rows[0]?.super)
    throw new RangeError(`login ${username} of role ${role} is a superuser; keep another username in its secret`);
  const verb = rows.length > 0 ? 'ALTER' : 'CREATE';
  const isManaged = managed.rows.length > 0;
  await client.query(`${verb} ROLE ${ident(username)} ${attributes(role, isManaged)} PASSWORD ${literal(password)}`);
  if (isManaged && role === 'replicate') await client.query(`GRANT ${managedReplication} TO ${ident(username)}`);
};

/**
 * Creates or renews the five logins of a pooled database and what they may do in it as a whole. `provision` and `restore`
 * may switch triggers off for a transaction (PostgreSQL 15's SET ON PARAMETER), which otherwise takes a superuser:
 * deleting or inserting a tenant's rows in batches is impossible while its foreign keys fire.
 */
const setLogins = async (client: ClientBase, credentials: PoolCredentials): Promise<void> => {
  for (const role of ['app', 'provision', 'backup', 'restore', 'replicate'] as const)
    await writeLogin(client, role, credentials[role]);
  const { app, provision, backup, restore, replicate } = loginsOf(credentials);
  const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name');
  const database = ident(rows[0]?.name ?? '');
  await client.query(`
    REVOKE CONNECT, CREATE ON DATABASE ${database} FROM PUBLIC;
    GRANT CONNECT ON DATABASE ${database} TO ${[app, provision, backup, restore, replicate].map(ident).join(', ')};
    GRANT CREATE ON DATABASE ${database} TO ${ident(restore)};
    GRANT SET ON PARAMETER session_replication_role TO ${ident(provision)}, ${ident(restore)};`);
};

/** The work, in a transaction of its own, again when another set-up was at the same roles: advisory locks end at the database. */
export const againInRoleRace = async (work: () => Promise<void>): Promise<void> => {
  for (let attempt = 1; ; attempt += 1)
    try {
      return await work();
    } catch (error) {
      if (attempt === 10 || !(isMadeMeanwhile(error) || isChangedMeanwhile(error))) throw error;
      await delay(20 * attempt * Math.random());
    }
};

/** `setLogins` in a transaction of its own. */
export const writeLogins = (client: ClientBase, credentials: PoolCredentials): Promise<void> =>
  againInRoleRace(() => clientSql(client).transaction(() => setLogins(client, credentials)));
