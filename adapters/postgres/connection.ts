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
  /**
   * Runs `work` on a connection that this process keeps for the next call: to connect costs the server a new process, a
   * password check and empty caches: for PrepareDatabase 17 ms of the server's processor a call, and 1 ms with a kept one
   * (measured). For places that nobody drops, and for work that leaves no session state and no open transaction behind. Calls of one place and role take turns.
   */
  lend<Result>(
    place: DatabasePlace,
    role: DatabaseRole,
    work: (client: pg.ClientBase) => Promise<Result>,
  ): Promise<Result>;
  /** Ends the kept connections. */
  close(): Promise<void>;
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

const ignore = (): void => undefined;

/** Milliseconds that a lent connection waits for the next call. */
const lentMillis = 60_000;

/**
 * Connections to the databases of cells. TLS follows PGSSLMODE, which pg reads itself: `verify-full` on AWS. `leastSeconds`
 * raises the time that a statement or an idle transaction has, for a process that may run longer than a Lambda.
 */
export const openDatabases = (
  secrets: Secrets,
  { application = 'tenantry', leastSeconds = 0 }: { application?: string; leastSeconds?: number } = {},
): Databases => {
  const least = leastSeconds * 1_000;
  const configOf = (place: DatabasePlace, role: DatabaseRole, login: Credentials): pg.ClientConfig => ({
    host: place.host,
    port: place.port,
    database: place.database,
    user: login.username,
    password: login.password,
    application_name: `${application} ${role}`,
    connectionTimeoutMillis: connectMillis,
    keepAlive: true,
    options: startupOptions({
      statement_timeout: Math.max(limits[role].statement, least),
      lock_timeout: 5_000,
      idle_in_transaction_session_timeout: Math.max(limits[role].idle, least),
      DateStyle: 'ISO',
      TimeZone: 'UTC',
      extra_float_digits: 1,
      jit: 'off',
    }),
  });
  const lent = new Map<string, pg.Pool>();
  const lender = (key: string, config: pg.ClientConfig): pg.Pool => {
    const known = lent.get(key);
    if (known) return known;
    const pool = new pg.Pool({ ...config, max: 1, idleTimeoutMillis: lentMillis, allowExitOnIdle: true });
    // An idle connection that the server closed is replaced by the pool; nobody has to hear of it.
    pool.on('error', ignore);
    lent.set(key, pool);
    return pool;
  };
  return {
    connect: (place, role) =>
      withLogin(secrets, roleSecret(place, role), async (login) => {
        const client = new pg.Client(configOf(place, role, login));
        // Without a listener a server that goes away between two queries ends the process; the next query reports it.
        client.on('error', ignore);
        try {
          await client.connect();
        } catch (error) {
          client.end().catch(ignore);
          throw error;
        }
        return client;
      }),
    lend: async (place, role, work) => {
      const key = JSON.stringify([place.host, place.port, place.database, roleSecret(place, role)]);
      const client = await withLogin(secrets, roleSecret(place, role), async (login) => {
        try {
          return await lender(key, configOf(place, role, login)).connect();
        } catch (error) {
          // The password belongs to the pool: the next login needs a new one.
          if (sqlState(error) === '28P01') lent.delete(key);
          throw error;
        }
      });
      client.on('error', ignore);
      try {
        const result = await work(client);
        client.off('error', ignore);
        client.release();
        return result;
      } catch (error) {
        // Whatever went wrong may have left something in the session; the listener stays with the client that is thrown away.
        client.release(true);
        throw error;
      }
    },
    close: async () => {
      const pools = [...lent.values()];
      lent.clear();
      await Promise.all(pools.map((pool) => pool.end()));
    },
  };
};

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
  let opened: { readonly pool: pg.Pool; readonly sql: Sql } | undefined;
  const open = (login: Credentials): Sql => {
    if (opened) return opened.sql;
    const pool = new pg.Pool({
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
    pool.on('error', ignore);
    opened = { pool, sql: poolSql(pool) };
    return opened.sql;
  };
  const close = async (): Promise<void> => {
    const closing = opened;
    opened = undefined;
    await closing?.pool.end();
  };
  const use = <Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> =>
    withLogin(secrets, place.secretId, async (login) => {
      try {
        return await work(open(login));
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
