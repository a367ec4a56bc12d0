import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { z } from 'zod';
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
  close(): Promise<void>;
}

export interface TenancyParts {
  readonly routes: RouteSource & { close?(): Promise<void> };
  readonly logins: Logins;
  readonly pools?: PoolLimits;
  /** Milliseconds for which a route is kept, 5,000 unless told. */
  readonly routeTtl?: number;
}

export const openTenancy = (parts: TenancyParts): Tenancy => {
  const pools = openPools(parts.logins, parts.pools);
  const router = createRouter(parts.routes, parts.routeTtl === undefined ? {} : { ttl: parts.routeTtl });
  return {
    resolveTenant: router.resolve,
    withTenant: (route, work, options) => runInTenant({ pools, router }, route, work, options),
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
 * The tenancy that the environment describes: REGISTRY_HOST, REGISTRY_PORT, REGISTRY_DATABASE, REGISTRY_SECRET_ID (the router's own
 * login), AWS_REGION and credentials for Secrets Manager. Throws an Error that names the variable.
 */
export const tenancyFromEnvironment = (env: NodeJS.ProcessEnv = process.env): Tenancy => {
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
