import pg from 'pg';
import { clientSql } from '../../adapters/postgres/sql.ts';
import { migrateRegistry } from '../../adapters/registry/migrate.ts';
import { type RegistryPlace, registryRoutes } from '../../app-kit/registry.ts';
import type { RouteSource } from '../../app-kit/route.ts';
import type { Login, Logins } from '../../app-kit/secrets.ts';
import { openTenancy, type Tenancy, type TenancyParts } from '../../app-kit/tenancy.ts';
import { credentials, openTestPool, type TestPool } from '../adapters/pool/chat-pool.ts';

export interface TestTenancy {
  readonly pool: TestPool;
  /** The registry as its owner. */
  readonly control: pg.Client;
  readonly registry: RegistryPlace;
  /** Secret id -> login; a test may change what a secret holds. */
  readonly secrets: Map<string, Login>;
  readonly logins: Logins;
  /** Tenants that the router was asked for past its cache. */
  readonly refreshed: string[];
  /** Told once for each ask past the cache, after it was recorded. */
  onRefresh: (tenantId: string) => void;
  readonly tenancy: Tenancy;
  /** A tenant with a chat of its own and the route `<id>.localhost`. */
  addTenant(tenantId: string, messages?: number): Promise<void>;
  open(parts?: Partial<TenancyParts>): Tenancy;
  stop(): Promise<void>;
}

const routerLogin: Login = { username: 'test_router', password: 'router-secret' };

/** The real thing in small: a pooled database, a registry with the view `router`, app-kit on top. */
export const openTestTenancy = async (): Promise<TestTenancy> => {
  const pool = await openTestPool();
  const { host, port } = pool;
  await pool.master.query('CREATE DATABASE control');
  const { user, password } = pool.master;
  const control = new pg.Client({ host, port, user, password: password ?? '', database: 'control' });
  control.on('error', () => undefined);
  await control.connect();
  await migrateRegistry(clientSql(control));
  await control.query(
    `CREATE ROLE ${routerLogin.username} LOGIN PASSWORD '${routerLogin.password}'; GRANT SELECT ON router TO ${routerLogin.username}`,
  );
  await control.query(
    `INSERT INTO cells (id, region, host, port, database, secret_prefix, capacity) VALUES ('local-1', 'eu-west-1', $1, $2, 'pool', 'tenantry/local-1', 100)`,
    [host, port],
  );
  const secrets = new Map<string, Login>([
    ['tenantry/registry/router', routerLogin],
    ['tenantry/local-1/app', credentials.app],
  ]);
  const kept = new Map<string, Login>();
  const logins: Logins = {
    login: async (secretId) => {
      const login = kept.get(secretId) ?? secrets.get(secretId);
      if (!login) throw new Error(`no secret ${secretId}`);
      kept.set(secretId, login);
      return login;
    },
    forget: (secretId) => void kept.delete(secretId),
  };
  const registry = { host, port, database: 'control', secretId: 'tenantry/registry/router' };
  const opened: Tenancy[] = [];
  const refreshed: string[] = [];
  const watched = (): RouteSource & { close(): Promise<void> } => {
    const routes = registryRoutes(registry, logins);
    return {
      ...routes,
      byTenant: async (tenantId) => {
        refreshed.push(tenantId);
        test.onRefresh(tenantId);
        return routes.byTenant(tenantId);
      },
    };
  };
  const open = (parts: Partial<TenancyParts> = {}): Tenancy => {
    const tenancy = openTenancy({ routes: watched(), logins, ...parts });
    opened.push(tenancy);
    return tenancy;
  };
  const test: TestTenancy = {
    pool,
    control,
    registry,
    secrets,
    logins,
    refreshed,
    onRefresh: () => undefined,
    tenancy: open(),
    addTenant: async (tenantId, messages) => {
      await pool.addTenant(tenantId, messages);
      await control.query(
        `INSERT INTO tenants (id, status, plan, claimed_by, changed_by) VALUES ($1, 'active', 'team', 'provision-test', 'provision-test')`,
        [tenantId],
      );
      await control.query(
        `WITH placed AS (INSERT INTO placements (id, tenant_id, cell_id, tier, isolation, placed_by)
           VALUES ('p-' || $1, $1, 'local-1', 'shared', 'pooled', 'provision-test'))
         INSERT INTO routes (host, tenant_id, kind, state) VALUES ($1 || '.localhost', $1, 'subdomain', 'on')`,
        [tenantId],
      );
    },
    open,
    stop: async () => {
      await Promise.all(opened.map((tenancy) => tenancy.close()));
      await control.end();
      await pool.stop();
    },
  };
  return test;
};
