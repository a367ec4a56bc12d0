import * as z from 'zod';
import { hostName, type Route, type RouteSource } from './route.ts';
import type { Logins } from './secrets.ts';

const environmentSchema = z.object({
  TENANTRY_TENANT_ID: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be a tenant id such as acme'),
  TENANTRY_HOSTS: z.string().transform((hosts, context) =>
    hosts.split(',').map((host) => {
      const name = hostName(host);
      if (name === undefined) context.addIssue(`${JSON.stringify(host)} is no host name`);
      return name ?? '';
    }),
  ),
  DATABASE_HOST: z.string().min(1),
  DATABASE_PORT: z.coerce.number().int().min(1).max(65_535).default(5432),
  DATABASE_NAME: z.string().min(1),
  DATABASE_USER: z.string().min(1),
  DATABASE_PASSWORD: z.string().min(1),
});

/** What an app of one tenant knows of the world: its place, and the login for it. */
export interface OwnPlace {
  readonly own: Route;
  readonly routes: RouteSource;
  readonly logins: Logins;
}

/** The one place that the environment names. It cannot learn of another: where the tenant goes next, another app is started. */
export const ownPlace = (env: NodeJS.ProcessEnv): OwnPlace => {
  const parsed = environmentSchema.safeParse(env);
  if (!parsed.success) {
    // The values stay out of the message: one of them is a password.
    const wrong = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
    throw new Error(`The app's environment is incomplete: ${wrong}. See docs/app-contract.md.`);
  }
  const { data } = parsed;
  const own: Route = {
    tenantId: data.TENANTRY_TENANT_ID,
    state: 'active',
    host: data.DATABASE_HOST,
    port: data.DATABASE_PORT,
    database: data.DATABASE_NAME,
    secretId: 'environment',
    fixed: true,
  };
  const hosts: ReadonlySet<string> = new Set(data.TENANTRY_HOSTS);
  return {
    own,
    routes: {
      byHost: (host) => Promise.resolve(hosts.has(host) ? own : undefined),
      byTenant: (tenantId) => Promise.resolve(tenantId === own.tenantId ? own : undefined),
    },
    logins: {
      login: () => Promise.resolve({ username: data.DATABASE_USER, password: data.DATABASE_PASSWORD }),
      forget: () => undefined,
    },
  };
};
