import pg from 'pg';
import type { Credentials, Secrets } from '../secrets.ts';
import { poolSql, type Sql, sqlState } from './sql.ts';

/** Where one database is and under which prefix its logins are kept: `<secretPrefix>/<role>`. */
export interface DatabasePlace {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly secretPrefix: string;
}

export type DatabaseRole = 'app' | 'provision' | 'backup' | 'restore' | 'replicate' | 'migrate';

export interface Databases {
  /**
   * A connected client of one role; the caller ends it. Times come as ISO text in UTC, floats are exact.
   * A refused password is fetched again once: the secret may have been rotated since.
   */
  connect(place: DatabasePlace, role: DatabaseRole): Promise<pg.Client>;
}

interface Limits {
  /** Milliseconds for one statement: under the Lambda time-out of the steps that log in as this role. */
  readonly statement: number;
  /** Milliseconds that an open transaction may wait for its client: a killed Lambda leaves its transaction open. */
  readonly idle: number;
}

const limits = {
  app: { statement: 30_000, idle: 60_000 },
  provision: { statement: 240_000, idle: 60_000 },
  // An exported snapshot is an idle transaction for as long as the dump takes (840 s at most).
  backup: { statement: 840_000, idle: 900_000 },
  restore: { statement: 840_000, idle: 300_000 },
  replicate: { statement: 840_000, idle: 300_000 },
  migrate: { statement: 240_000, idle: 60_000 },
} as const satisfies Record<DatabaseRole, Limits>;

const connectMillis = 5_000;

/** Secret that holds the login of a role in the databases of a cell. */
export const roleSecret = (place: Pick<DatabasePlace, 'secretPrefix'>, role: DatabaseRole): string =>
  `${place.secretPrefix}/${role}`;

/** Server settings as start-up options: they hold from the first statement and cost no round trip. */
const startupOptions = (settings: Readonly<Record<string, string | number>>): string =>
  Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${String(value).replaceAll('\\', '\\\\').replaceAll(' ', '\\ ')}`)
    .join(' ');

/** Runs `connect` with the kept login, and once more with a fresh one when the server refuses the password. */
const withLogin = async <Result>(
  secrets: Secrets,
  secretId: string,
  connect: (login: Credentials) => Promise<Result>,
): Promise<Result> => {
  try {
    return await connect(await secrets.credentials(secretId));
  } catch (error) {
    if (sqlState(error) !== '28P01') throw error;
    secrets.forget(secretId);
    return connect(await secrets.credentials(secretId));
  }
};

/** Connections to the databases of cells. TLS follows PGSSLMODE, which pg reads itself: `verify-full` on AWS. */
export const openDatabases = (secrets: Secrets, application = 'tenantry'): Databases => ({
  connect: (place, role) =>
    withLogin(secrets, roleSecret(place, role), async (login) => {
      const client = new pg.Client({
        host: place.host,
        port: place.port,
        database: place.database,
        user: login.username,
        password: login.password,
        application_name: `${application} ${role}`,
        connectionTimeoutMillis: connectMillis,
        keepAlive: true,
        options: startupOptions({
          statement_timeout: limits[role].statement,
          lock_timeout: 5_000,
          idle_in_transaction_session_timeout: limits[role].idle,
          DateStyle: 'ISO',
          TimeZone: 'UTC',
          extra_float_digits: 1,
          jit: 'off',
        }),
      });
      // Without a listener a server that goes away between two queries ends the process; the next query reports it.
      client.on('error', () => undefined);
      try {
        await client.connect();
      } catch (error) {
        client.end().catch(() => undefined);
        throw error;
      }
      return client;
    }),
});

export interface RegistryPlace {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly secretId: string;
}

/** bigint columns of the registry are counters (fences, sequences) far below 2^53. */
const registryTypes: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === 20 ? Number : pg.types.getTypeParser(oid, format ?? 'text')) as pg.CustomTypesConfig['getTypeParser'],
};

export type RegistryConnection = Sql & { close(): Promise<void> };

/**
 * The registry, two connections per process: 1,000 concurrent Lambdas then need 2,000, what one Aurora writer of
 * 16 GiB gives. Opened by the first query, kept warm across invocations, opened anew after a refused password.
 */
export const openRegistryConnection = (place: RegistryPlace, secrets: Secrets): RegistryConnection => {
  let pool: pg.Pool | undefined;
  const open = (login: Credentials): pg.Pool => {
    if (pool) return pool;
    pool = new pg.Pool({
      host: place.host,
      port: place.port,
      database: place.database,
      user: login.username,
      password: login.password,
      application_name: 'tenantry registry',
      max: 2,
      connectionTimeoutMillis: connectMillis,
      keepAlive: true,
      allowExitOnIdle: true,
      types: registryTypes,
      options: startupOptions({
        statement_timeout: 15_000,
        lock_timeout: 5_000,
        idle_in_transaction_session_timeout: 30_000,
        TimeZone: 'UTC',
      }),
    });
    // An idle connection that the server closed is replaced by the pool; nobody has to hear of it.
    pool.on('error', () => undefined);
    return pool;
  };
  const close = async (): Promise<void> => {
    const closing = pool;
    pool = undefined;
    await closing?.end();
  };
  const use = <Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> =>
    withLogin(secrets, place.secretId, async (login) => {
      try {
        return await work(poolSql(open(login)));
      } catch (error) {
        // The password belongs to the pool; 28P01 comes while connecting, so no statement of `work` has run.
        if (sqlState(error) === '28P01') await close();
        throw error;
      }
    });
  return {
    query: (text, values) => use((sql) => sql.query(text, values)),
    transaction: (work) => use((sql) => sql.transaction(work)),
    close,
  };
};
