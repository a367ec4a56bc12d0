import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import { ident } from '../postgres/identifier.ts';
import { sqlState } from '../postgres/sql.ts';

/** A server on which databases may be made and dropped. */
export interface ScratchServer {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
}

const prefix = 'tenantry_scratch_';

/** A scratch database of a process that was killed; a lint takes seconds. */
const staleAfter = 3_600_000;

const refusedLogin: Readonly<Record<string, string>> = {
  '28P01': 'the password is wrong',
  '28000': 'the login is refused',
  '3D000': 'there is no such database',
  '42501': 'the login may not connect to it',
};

/** What stopped a connection, without the URL: it may hold a password. */
const explain = (error: unknown, client: pg.Client | undefined): StepFailure => {
  if (!client)
    return new StepFailure(
      'InvalidStepInput',
      '--database: what was given is no URL of PostgreSQL; give postgres://user:password@host:port/database',
    );
  const state = sqlState(error);
  const why = refusedLogin[state ?? ''] ?? state ?? (error as Error).message;
  return new StepFailure(
    'DatabaseUnavailable',
    `--database: ${client.database} on ${client.host}:${client.port} cannot be read (${why}); look at host, port, login and database`,
    { cause: error },
  );
};

/**
 * Runs `work` on the database of a connection URL, or of the PG* environment where there is none. Throws StepFailure
 * InvalidStepInput for a URL that is none and DatabaseUnavailable where nobody lets in; neither repeats the URL.
 */
export const withDatabase = async <Result>(
  url: string | undefined,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> => {
  let client: pg.Client | undefined;
  try {
    if (url !== undefined && !/^postgres(ql)?:\/\//.test(url)) throw new Error('no scheme');
    client = new pg.Client({
      ...(url === undefined ? {} : { connectionString: url }),
      application_name: 'tenantry schema',
      connectionTimeoutMillis: 10_000,
    });
    client.on('error', () => undefined);
    await client.connect();
  } catch (error) {
    await client?.end().catch(() => undefined);
    throw explain(error, client);
  }
  try {
    return await work(client);
  } finally {
    await client.end();
  }
};

const dropStale = async (admin: pg.Client): Promise<void> => {
  const { rows } = await admin.query<{ name: string }>(
    'SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)',
    [prefix],
  );
  for (const { name } of rows) {
    const made = Number.parseInt(name.slice(prefix.length).split('_')[0] ?? '', 36);
    if (Date.now() - made > staleAfter) await admin.query(`DROP DATABASE IF EXISTS ${ident(name)} WITH (FORCE)`);
  }
};

/**
 * Runs `work` on an empty database that is gone afterwards, after the migrations, each in a transaction of its own.
 * Throws StepFailure SchemaRefused with the name of a migration that fails.
 */
export const withScratch = async <Result>(
  server: ScratchServer,
  migrations: readonly { readonly version: string; readonly sql: string }[],
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> => {
  const { host, port, username: user, password } = server;
  const name = `${prefix}${Date.now().toString(36)}_${randomBytes(4).toString('hex')}`;
  const open = async (database: string): Promise<pg.Client> => {
    const client = new pg.Client({ host, port, user, password, database, application_name: 'tenantry schema' });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  const admin = await open('postgres');
  try {
    await dropStale(admin);
    await admin.query(`CREATE DATABASE ${ident(name)} TEMPLATE template0`);
    const client = await open(name);
    try {
      for (const { version, sql } of migrations) {
        try {
          await client.query(`BEGIN; ${sql}\n; COMMIT`);
        } catch (error) {
          throw new StepFailure('SchemaRefused', `migration ${version} fails: ${(error as Error).message}`, {
            cause: error,
          });
        }
      }
      return await work(client);
    } finally {
      await client.end();
      await admin.query(`DROP DATABASE IF EXISTS ${ident(name)} WITH (FORCE)`);
    }
  } finally {
    await admin.end();
  }
};
