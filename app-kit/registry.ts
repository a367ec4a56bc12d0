import pg from 'pg';
import { isConnectionLost, sqlState } from './failure.ts';
import type { Route, RouteSource } from './route.ts';
import type { Logins } from './secrets.ts';

export interface RegistryPlace {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  /** Secret with the login that may read the view `router` and nothing else. */
  readonly secretId: string;
}

interface RouterRow {
  readonly tenant_id: string;
  readonly state: 'on' | 'off';
  readonly database_host: string;
  readonly database_port: number;
  readonly database: string;
  readonly secret_id: string;
}

const columns = 'tenant_id, state, database_host, database_port, database, secret_id';

const routeOf = (row: RouterRow): Route => ({
  tenantId: row.tenant_id,
  state: row.state === 'on' ? 'active' : 'suspended',
  host: row.database_host,
  port: row.database_port,
  database: row.database,
  secretId: row.secret_id,
});

/** Routes from the registry's view `router`. Asked anew once when the connection broke, and once when the login was refused. */
export const registryRoutes = (place: RegistryPlace, logins: Logins): RouteSource & { close(): Promise<void> } => {
  let pool: pg.Pool | undefined;
  const opened = async (): Promise<pg.Pool> => {
    const login = await logins.login(place.secretId);
    if (pool) return pool;
    pool = new pg.Pool({
      host: place.host,
      port: place.port,
      database: place.database,
      user: login.username,
      password: login.password,
      application_name: 'tenantry app router',
      max: 2,
      connectionTimeoutMillis: 5_000,
      statement_timeout: 5_000,
      allowExitOnIdle: true,
      keepAlive: true,
    });
    pool.on('error', () => undefined);
    return pool;
  };
  const close = async (): Promise<void> => {
    const closing = pool;
    pool = undefined;
    await closing?.end();
  };
  const query = async (text: string, values: string[], tried = ''): Promise<RouterRow[]> => {
    try {
      return (await (await opened()).query<RouterRow>(text, values)).rows;
    } catch (error) {
      const trouble = sqlState(error) === '28P01' ? 'refused ' : isConnectionLost(error) ? 'lost ' : '';
      if (trouble === '' || tried.includes(trouble)) throw error;
      if (trouble === 'refused ') {
        logins.forget(place.secretId);
        await close();
      }
      return query(text, values, tried + trouble);
    }
  };
  const ask = async (condition: string, value: string): Promise<Route | undefined> => {
    const text = `SELECT ${columns} FROM router WHERE ${condition} ORDER BY kind DESC LIMIT 1`;
    const [row] = await query(text, [value]);
    return row && routeOf(row);
  };
  return {
    byHost: (host) => ask('host = $1', host),
    byTenant: (tenantId) => ask('tenant_id = $1', tenantId),
    check: async () => {
      await query('SELECT 1', []);
    },
    close,
  };
};
