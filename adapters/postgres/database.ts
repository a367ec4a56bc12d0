import pg from 'pg';
import type { Credentials } from '../secrets.ts';
import { ident } from './identifier.ts';
import { isMadeMeanwhile } from './sql.ts';

interface Server {
  readonly host: string;
  readonly port: number;
}

/** Makes the database unless it is there; `login` may create databases and can reach the one named `postgres`. */
export const ensureDatabase = async ({ host, port }: Server, database: string, login: Credentials): Promise<void> => {
  const client = new pg.Client({
    host,
    port,
    database: 'postgres',
    user: login.username,
    password: login.password,
    connectionTimeoutMillis: 5_000,
    application_name: 'tenantry set-up',
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query('SELECT FROM pg_database WHERE datname = $1', [database]);
    // template0: it holds nothing that somebody added to template1, so every pool starts alike.
    if (rows.length === 0) await client.query(`CREATE DATABASE ${ident(database)} TEMPLATE template0`);
  } catch (error) {
    if (!isMadeMeanwhile(error)) throw error;
  } finally {
    await client.end();
  }
};
