import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SFNClient } from '@aws-sdk/client-sfn';
import pg from 'pg';
import { type Cloud, startCloud } from '../local/cloud.ts';

/** A laptop cloud of its own for a bench, with PostgreSQL as durable as in earnest (fsync on). */
export interface Laptop {
  readonly cloud: Cloud;
  /** Its data directory, gone after `close()`. */
  readonly home: string;
  readonly states: SFNClient;
  machineArn(name: string): string;
  /** The superuser's connection to one database: to fill it and for yardsticks, never for what is measured. */
  connect(database: string): Promise<pg.Client>;
  /** A connection with one of the product's own logins. */
  connectAs(role: string, database: string): Promise<pg.Client>;
  close(): Promise<void>;
}

export const startLaptop = async (): Promise<Laptop> => {
  const home = await mkdtemp(join('/var/tmp', 'tenantry-bench-'));
  // As root PostgreSQL runs as another user, who has to pass through here.
  await chmod(home, 0o711);
  const cloud = await startCloud({ home, root: resolve(import.meta.dirname, '..') });
  const options = { endpoint: cloud.endpoint, region: cloud.region, credentials: cloud.credentials };
  const states = new SFNClient(options);
  const secrets = new SecretsManagerClient(options);
  const { host, port, superuser } = cloud.postgres;
  const open = async (user: string, password: string, database: string): Promise<pg.Client> => {
    const client = new pg.Client({ host, port, user, password, database });
    // A connection that outlives the cloud must not hide why the bench failed.
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  return {
    cloud,
    home,
    states,
    machineArn: (name) => `arn:aws:states:${cloud.region}:${cloud.accountId}:stateMachine:tenantry-${name}`,
    connect: (database) => open(superuser.username, superuser.password, database),
    connectAs: async (role, database) => {
      const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: `tenantry/local-1/${role}` }));
      const { username, password } = JSON.parse(SecretString!) as { username: string; password: string };
      return open(username, password, database);
    },
    close: async () => {
      states.destroy();
      secrets.destroy();
      await cloud.close();
      await rm(home, { recursive: true, force: true });
    },
  };
};
