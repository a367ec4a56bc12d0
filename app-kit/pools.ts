import pg from 'pg';
import { timedCache } from './cache.ts';
import type { Route } from './route.ts';
import type { Logins } from './secrets.ts';

export interface Pools {
  /** A connected client of the route's database. The caller releases it. */
  connect(route: Route): Promise<pg.PoolClient>;
  /** Closes the route's pool and forgets its login: the server refused it. */
  forget(route: Route): void;
  close(): Promise<void>;
}

export interface PoolLimits {
  /** Connections for one database, 10 unless told. */
  readonly connections?: number;
  /** Milliseconds that one statement may take, 30,000 unless told. */
  readonly statementTimeout?: number;
}

const keyOf = ({ host, port, database, secretId }: Route): string => `${host}:${port}/${database}/${secretId}`;

/**
 * One pool per place and login, so all pooled tenants of a cell share one. Connections go after 10 s of rest (5,000 tenants with a
 * database each cannot all stay connected) and at most 200 pools are kept.
 */
export const openPools = (logins: Logins, limits: PoolLimits = {}): Pools => {
  const all = new Set<pg.Pool>();
  const end = async (pool: pg.Pool): Promise<void> => {
    if (!all.delete(pool)) return;
    await pool.end();
  };
  const pools = timedCache<pg.Pool>({
    capacity: 200,
    ttl: Number.POSITIVE_INFINITY,
    evicted: (pool) => void end(pool),
  });
  const open = (route: Route, login: { username: string; password: string }): pg.Pool => {
    const pool = new pg.Pool({
      host: route.host,
      port: route.port,
      database: route.database,
      user: login.username,
      password: login.password,
      application_name: 'tenantry app',
      max: limits.connections ?? 10,
      connectionTimeoutMillis: 5_000,
      idleTimeoutMillis: 10_000,
      allowExitOnIdle: true,
      keepAlive: true,
      statement_timeout: limits.statementTimeout ?? 30_000,
      idle_in_transaction_session_timeout: 30_000,
    });
    // A resting connection that the server closed is replaced by the pool; without a listener it would end the process.
    pool.on('error', () => undefined);
    // The pool listens to resting clients only: a server that goes away between two queries of a transaction would end the process.
    pool.on('connect', (client) => client.on('error', () => undefined));
    all.add(pool);
    pools.set(keyOf(route), pool);
    return pool;
  };
  return {
    connect: async (route) => {
      const login = await logins.login(route.secretId);
      return (pools.get(keyOf(route)) ?? open(route, login)).connect();
    },
    forget: (route) => {
      logins.forget(route.secretId);
      const pool = pools.get(keyOf(route));
      pools.delete(keyOf(route));
      if (pool) void end(pool);
    },
    close: async () => {
      await Promise.all([...all].map(end));
    },
  };
};
