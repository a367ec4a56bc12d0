import * as z from 'zod';
import { timedCache } from './cache.ts';
import { TenancyFailure } from './failure.ts';

/** Where the rows of one tenant are now, and whether its app may serve. */
export interface Route {
  readonly tenantId: string;
  readonly state: 'active' | 'suspended';
  readonly host: string;
  readonly port: number;
  readonly database: string;
  /** Secret that holds the login for that database. */
  readonly secretId: string;
  /** The app knows no other place: a tenant that is not there any more has to be served by another app. */
  readonly fixed?: true;
}

/** Reads routes from the registry; the two questions of a router. */
export interface RouteSource {
  byHost(host: string): Promise<Route | undefined>;
  byTenant(tenantId: string): Promise<Route | undefined>;
  /** Rejects when the source cannot answer now. */
  check?(): Promise<void>;
}

export interface Router {
  /** The tenant of a Host header; undefined when none has that name. Answers are kept for `ttl`, unknown hosts too. */
  resolve(hostHeader: string): Promise<Route | undefined>;
  /** Where the tenant is now, past the cache; what was kept about it is dropped. Throws TenancyFailure TenantNotFound. */
  refresh(tenantId: string): Promise<Route>;
}

/** `ACME.localhost:4480` -> `acme.localhost`. Undefined for what is no host name, so that it never reaches the registry. */
export const hostName = (header: string): string | undefined => {
  const name = header
    .trim()
    .toLowerCase()
    .replace(/:\d{1,5}$/, '')
    .replace(/\.$/, '');
  return name.length <= 253 && z.hostname().safeParse(name).success ? name : undefined;
};

/**
 * Routes with a cache of 10,000 hosts for 5 s. Writes never depend on the age of an answer (the fence refuses them at the old
 * place); reads may see the old place for at most `ttl` after a move.
 */
export const createRouter = (
  source: RouteSource,
  options: { ttl?: number; capacity?: number; now?: () => number } = {},
): Router => {
  const kept = timedCache<Promise<Route | undefined>>({
    capacity: options.capacity ?? 10_000,
    ttl: options.ttl ?? 5_000,
    ...(options.now && { now: options.now }),
  });
  const hosts = timedCache<string>({ capacity: options.capacity ?? 10_000, ttl: Number.POSITIVE_INFINITY });
  return {
    resolve: (header) => {
      const host = hostName(header);
      if (host === undefined) return Promise.resolve(undefined);
      const known = kept.get(host);
      if (known) return known;
      const asked = source.byHost(host);
      kept.set(host, asked);
      asked.then(
        (route) => route && hosts.set(host, route.tenantId),
        () => kept.delete(host),
      );
      return asked;
    },
    refresh: async (tenantId) => {
      hosts.drop((tenant, host) => {
        if (tenant === tenantId) kept.delete(host);
        return tenant === tenantId;
      });
      const route = await source.byTenant(tenantId);
      if (!route) throw new TenancyFailure('TenantNotFound', `Tenant ${tenantId} has no place any more.`);
      return route;
    },
  };
};
