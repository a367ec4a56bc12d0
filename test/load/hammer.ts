import type pg from 'pg';
import { registryRoutes } from '../../app-kit/registry.ts';
import { secretsManagerLogins } from '../../app-kit/secrets.ts';
import type { TestCloud } from '../cloud.ts';
import { type Load, prepareWriters, startWriters } from './writers.ts';

/** Writes to a tenant as its app does, found by the registry wherever it is; 50 writes are acknowledged already. */
export const hammer = async (
  { cloud, secrets }: Pick<TestCloud, 'cloud' | 'secrets'>,
  tenantId: string,
  home: pg.Client,
): Promise<Load> => {
  await prepareWriters(home, tenantId, 4);
  const logins = secretsManagerLogins(secrets);
  const { host, port } = cloud.postgres;
  const routes = registryRoutes({ host, port, database: 'control', secretId: 'tenantry/registry/router' }, logins);
  const load = startWriters({ board: { read: async () => (await routes.byTenant(tenantId))! }, app: logins });
  await load.more(50);
  return {
    ...load,
    stop: async () => {
      await load.stop();
      await routes.close();
    },
  };
};
