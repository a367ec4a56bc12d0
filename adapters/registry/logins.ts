import { ident, literal } from '../postgres/identifier.ts';
import type { Sql } from '../postgres/sql.ts';
import type { Credentials } from '../secrets.ts';

/** Tables that handlers may only add to or change: what happened stays, and a fence that is deleted could shrink. */
const narrower: Readonly<Record<string, string>> = {
  audit: 'SELECT, INSERT',
  cells: 'SELECT',
  drills: 'SELECT, INSERT, UPDATE',
  leases: 'SELECT, INSERT, UPDATE',
  migrations: 'SELECT',
  operations: 'SELECT, INSERT, UPDATE',
  settings: 'SELECT',
  steps: 'SELECT, INSERT, UPDATE',
  events: 'SELECT, INSERT, UPDATE',
  requests: 'SELECT, INSERT, UPDATE',
};

const writeLogin = async (sql: Sql, { username, password }: Credentials): Promise<void> => {
  const [known] = await sql.query<{ super: boolean }>('SELECT rolsuper AS super FROM pg_roles WHERE rolname = $1', [
    username,
  ]);
  if (known?.super) throw new RangeError(`login ${username} is a superuser; keep another username in its secret`);
  await sql.query(
    `${known ? 'ALTER' : 'CREATE'} ROLE ${ident(username)} LOGIN NOINHERIT NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
     PASSWORD ${literal(password)}`,
  );
};

/**
 * Creates or renews the registry's logins and says anew what each may do: `control` for handlers (owns nothing, cannot
 * change or remove audit rows, cells or operations), `router` for apps (reads the view `router` and nothing else).
 */
export const writeRegistryLogins = (sql: Sql, logins: { control: Credentials; router: Credentials }): Promise<void> =>
  sql.transaction(async (within) => {
    // Roles belong to the whole server: two set-ups at once would both create them.
    await within.query('SELECT pg_advisory_xact_lock(7003, 2)');
    await writeLogin(within, logins.control);
    await writeLogin(within, logins.router);
    const [control, router] = [ident(logins.control.username), ident(logins.router.username)];
    const [{ database }] = (await within.query('SELECT current_database() AS database')) as [{ database: string }];
    await within.query(`REVOKE ALL ON DATABASE ${ident(database)} FROM PUBLIC`);
    await within.query(`REVOKE ALL ON SCHEMA public FROM PUBLIC`);
    await within.query(`GRANT CONNECT ON DATABASE ${ident(database)} TO ${control}, ${router}`);
    await within.query(`GRANT USAGE ON SCHEMA public TO ${control}, ${router}`);
    const tables = await within.query<{ name: string }>(
      `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') ORDER BY relname`,
    );
    for (const { name } of tables) {
      await within.query(`REVOKE ALL ON ${ident(name)} FROM ${control}, ${router}`);
      const rights = name === 'router' ? 'SELECT' : (narrower[name] ?? 'SELECT, INSERT, UPDATE, DELETE');
      await within.query(`GRANT ${rights} ON ${ident(name)} TO ${control}`);
    }
    // FOR UPDATE, the lock that placements queue on, takes the right to change one column.
    await within.query(`GRANT UPDATE (updated_at) ON cells TO ${control}`);
    await within.query(`GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ${control}`);
    await within.query(`GRANT SELECT ON router TO ${router}`);
  });
