import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import pg from 'pg';
import { registryRoutes } from '../app-kit/registry.ts';
import { secretsManagerLogins } from '../app-kit/secrets.ts';
import type { CloudFile } from '../cli/connection.ts';
import { type Balance, checkOperations, type Load, prepareWriters, startWriters } from '../test/load/writers.ts';

/** Writers that hammer one tenant of a running cloud as its app would: by its route, wherever that leads. */
export interface TenantLoad extends Load {
  /** Ends the writers and asks the tenant's database, wherever it is by then, for every acknowledged operation. */
  settle(): Promise<Balance>;
}

export const hammer = async (cloud: CloudFile, tenantId: string, writers: number): Promise<TenantLoad> => {
  const secrets = new SecretsManagerClient({
    endpoint: cloud.endpoint,
    region: cloud.region,
    credentials: { accessKeyId: cloud.accessKeyId, secretAccessKey: cloud.secretAccessKey },
  });
  const logins = secretsManagerLogins(secrets);
  const routes = registryRoutes(
    { ...cloud.postgres, database: 'control', secretId: 'tenantry/registry/router' },
    logins,
  );
  const routeNow = async () => {
    const route = await routes.byTenant(tenantId);
    if (!route)
      throw new Error(`tenant ${tenantId} has no route; create it first: npx tenantry tenant create ${tenantId}`);
    return route;
  };
  const atHome = async <Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result> => {
    const { host, port, database, secretId } = await routeNow();
    const { username, password } = await logins.login(secretId);
    const client = new pg.Client({ host, port, database, user: username, password });
    await client.connect();
    try {
      await client.query(`SELECT set_config('app.tenant_id', $1, false)`, [tenantId]);
      return await work(client);
    } finally {
      await client.end();
    }
  };
  await atHome((client) => prepareWriters(client, tenantId, writers));
  const load = startWriters({ board: { read: routeNow }, app: logins, writers });
  return {
    ...load,
    settle: async () => {
      await load.stop();
      const balance = await atHome((client) => checkOperations(client, tenantId, load));
      await routes.close();
      secrets.destroy();
      return balance;
    },
  };
};
