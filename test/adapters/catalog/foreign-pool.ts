import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { setUpPool } from '../../../adapters/pool/set-up.ts';
import { ident, identPath } from '../../../adapters/postgres/identifier.ts';
import type { TestPostgres } from '../../postgres.ts';
import { credentials } from '../pool/chat-pool.ts';

export const schemaFile = (name: string): Promise<string> =>
  readFile(new URL(`./schemas/${name}.sql`, import.meta.url), 'utf8');

/** A new database on the server; `app` logs in as the app's role once set-up has made it. The caller ends both. */
export const openForeign = async (server: TestPostgres, database: string) => {
  const connect = async (name: string, user: string, password: string): Promise<pg.Client> => {
    const client = new pg.Client({ host: server.host, port: server.port, database: name, user, password });
    await client.connect();
    return client;
  };
  const { username, password } = server.superuser;
  const admin = await connect('postgres', username, password);
  await admin.query(`CREATE DATABASE ${ident(database)} TEMPLATE template0`);
  await admin.end();
  const master = await connect(database, username, password);
  return {
    master,
    app: () => connect(database, credentials.app.username, credentials.app.password),
    setUp: (sql: readonly string[]) =>
      setUpPool(master, {
        credentials,
        migrations: sql.map((text, place) => ({ version: `00${place}.sql`, sql: text })),
      }),
  };
};

const tablesSql = `
SELECT n.nspname || '.' || c.relname AS path FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^(pg_|tenantry$|information_schema$)' ORDER BY 1`;

/** Every row of every table as text without tenant_id, and with it apart. */
export const contents = async (
  client: pg.Client,
): Promise<ReadonlyMap<string, readonly { row: string; tenant: string | null }[]>> => {
  const { rows } = await client.query<{ path: string }>(tablesSql);
  const found = new Map<string, { row: string; tenant: string | null }[]>();
  for (const { path } of rows) {
    const table = await client.query<{ row: string; tenant: string | null }>(
      `SELECT (to_jsonb(t) - 'tenant_id')::text AS row, to_jsonb(t) ->> 'tenant_id' AS tenant FROM ${identPath(path)} t ORDER BY 1`,
    );
    found.set(path, table.rows);
  }
  return found;
};
