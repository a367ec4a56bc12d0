import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import * as z from 'zod';
import { ownPlace } from './own-route.ts';
import { openPools, type PoolLimits } from './pools.ts';
import { registryRoutes } from './registry.ts';
import { createRouter, type Route, type RouteSource } from './route.ts';
import { type Logins, secretsManagerLogins } from './secrets.ts';
import { runInTenant, type TenantSql, type TransactionOptions } from './transaction.ts';

/** All that an app needs to serve many tenants on any number of databases. */
export interface Tenancy {
  /** The tenant of a Host header; undefined when none has that name. A suspended one has `state: 'suspended'`. */
  resolveTenant(hostHeader: string): Promise<Route | undefined>;
  /** One transaction as that tenant; see `runInTenant` for what is repeated and what is thrown. */
  withTenant<Result>(
    route: Route,
    work: (sql: TenantSql) => Promise<Result>,
    options?: TransactionOptions,
  ): Promise<Result>;
  /** Rejects when the database that every request needs does not answer: the one tenant's own, or the registry. */
  check(): Promise<void>;
  close(): Promise<void>;
}

export interface TenancyParts {
  readonly routes: RouteSource & { close?(): Promise<void> };
  readonly logins: Logins;
  readonly pools?: PoolLimits;
  /** Milliseconds for which a route is kept, 5,000 unless told. */
  readonly routeTtl?: number;
  /** The one tenant's place, in an app that serves one. */
  readonly own?: Route;
}

export const openTenancy = (parts: TenancyParts): Tenancy => {
  const pools = openPools(parts.logins, parts.pools);
  const router = createRouter(parts.routes, parts.routeTtl === undefined ? {} : { ttl: parts.routeTtl });
  return {
    resolveTenant: router.resolve,
    withTenant: (route, work, options) => runInTenant({ pools, router }, route, work, options),
    check: async () => {
      if (!parts.own) {
        await parts.routes.check?.();
        return;
      }
      const client = await pools.connect(parts.own);
      const failed = await client.query('SELECT 1').then(
        () => undefined,
        (error: unknown) => error ?? new Error('no answer'),
      );
      client.release(failed !== undefined);
      if (failed !== undefined) throw failed;
    },
    close: async () => {
      await Promise.all([pools.close(), parts.routes.close?.()]);
    },
  };
};

const environmentSchema = z.object({
  REGISTRY_HOST: z.string().min(1),
  REGISTRY_PORT: z.coerce.number().int().min(1).max(65_535).default(5432),
  REGISTRY_DATABASE: z.string().min(1),
  REGISTRY_SECRET_ID: z.string().min(1),
});

/**
 * The tenancy that the environment describes. With TENANTRY_TENANT_ID: that tenant alone, at TENANTRY_HOSTS (comma separated), in the
 * database of DATABASE_HOST, DATABASE_PORT, DATABASE_NAME, DATABASE_USER, DATABASE_PASSWORD. Else every tenant of a registry: REGISTRY_HOST, REGISTRY_PORT, REGISTRY_DATABASE, REGISTRY_SECRET_ID (the router's own
 * login), AWS_REGION and credentials for Secrets Manager. Throws an Error that names the variable.
 */
export const tenancyFromEnvironment = (env: NodeJS.ProcessEnv = process.env): Tenancy => {
  if (env.TENANTRY_TENANT_ID !== undefined) return openTenancy(ownPlace(env));
  const parsed = environmentSchema.safeParse(env);
  if (!parsed.success) {
    const wrong = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
    throw new Error(`The app's environment is incomplete: ${wrong}. See docs/app-contract.md.`);
  }
  const logins = secretsManagerLogins(new SecretsManagerClient({}));
  const place = {
    host: parsed.data.REGISTRY_HOST,
    port: parsed.data.REGISTRY_PORT,
    database: parsed.data.REGISTRY_DATABASE,
    secretId: parsed.data.REGISTRY_SECRET_ID,
  };
  return openTenancy({ logins, routes: registryRoutes(place, logins) });
};
