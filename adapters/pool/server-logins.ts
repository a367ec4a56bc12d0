import { type DatabasePlace, roleSecret } from '../postgres/connection.ts';
import type { Secrets } from '../secrets.ts';
import type { TenantDatabaseCredentials } from './tenant-database.ts';

type Server = Pick<DatabasePlace, 'secretPrefix'>;

/** Roles whose logins work in every database of a server; the app's login is each tenant's own. */
export const workerRoles = ['provision', 'backup', 'restore', 'replicate'] as const;

const each = async <Value>(
  read: (role: (typeof workerRoles)[number]) => Promise<Value>,
): Promise<Record<(typeof workerRoles)[number], Value>> => {
  const pairs = await Promise.all(workerRoles.map(async (role) => [role, await read(role)] as const));
  return Object.fromEntries(pairs) as Record<(typeof workerRoles)[number], Value>;
};

/** The logins of a server that is set up. */
export const workerLogins = (secrets: Secrets, server: Server): Promise<TenantDatabaseCredentials> =>
  each((role) => secrets.credentials(roleSecret(server, role)));

/** The logins of a server that is being made: those that have no secret yet get one. */
export const ensureWorkerLogins = (
  secrets: Secrets,
  server: Server,
  tags: Readonly<Record<string, string>>,
): Promise<TenantDatabaseCredentials> =>
  each((role) => secrets.ensure(roleSecret(server, role), `tenantry_${role}`, tags));

export const removeWorkerLogins = async (secrets: Secrets, server: Server): Promise<void> => {
  for (const role of [...workerRoles, 'migrate'] as const) await secrets.remove(roleSecret(server, role));
};
