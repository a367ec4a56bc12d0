import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import pg from 'pg';
import { appSchemaPrefix, functionName } from '../domain/deployment.ts';
import { type PostgresServer, startPostgres } from '../local/postgres.ts';
import type { Laptop } from './laptop.ts';

export interface SecondServer {
  /** Of the cell, and of its server. */
  readonly id: string;
  /** The superuser, to look and to measure yardsticks with. */
  connect(database: string): Promise<pg.Client>;
  stop(): Promise<void>;
}

const id = 'local-2';
const secretPrefix = `tenantry/${id}`;

const keepLogins = async (secrets: SecretsManagerClient, { superuser }: PostgresServer): Promise<void> => {
  const keep = (role: string, username: string, password: string) =>
    secrets.send(
      new CreateSecretCommand({
        Name: `${secretPrefix}/${role}`,
        SecretString: JSON.stringify({ username, password }),
      }),
    );
  await keep('migrate', superuser.username, superuser.password);
  for (const role of ['app', 'provision', 'backup', 'restore', 'replicate'])
    await keep(role, `tenantry_${role}`, randomBytes(16).toString('hex'));
};

/** Adds a second cell on a server of its own, as an operator does: its logins, then set-up. */
export const addSecondServer = async (laptop: Pick<Laptop, 'cloud' | 'home'>): Promise<SecondServer> => {
  const { cloud } = laptop;
  const server = await startPostgres({ directory: join(laptop.home, 'postgres-2') });
  const options = { endpoint: cloud.endpoint, region: cloud.region, credentials: cloud.credentials };
  const [secrets, lambda] = [new SecretsManagerClient(options), new LambdaClient(options)];
  try {
    await keepLogins(secrets, server);
    const { host, port } = cloud.postgres;
    const place = { host, port, database: 'pool', secretPrefix: 'tenantry/local-1' };
    const { Payload, FunctionError } = await lambda.send(
      new InvokeCommand({
        FunctionName: functionName('SetUp'),
        Payload: JSON.stringify({
          operation: 'set-up',
          masterSecretId: 'tenantry/registry/migrate',
          schemaPrefix: appSchemaPrefix,
          cells: [
            { id: 'local-1', region: cloud.region, capacity: 10_000, ...place },
            {
              id,
              region: cloud.region,
              capacity: 10_000,
              host: server.host,
              port: server.port,
              database: 'pool',
              secretPrefix,
            },
          ],
        }),
      }),
    );
    if (FunctionError) throw new Error(`set-up failed: ${Buffer.from(Payload ?? []).toString()}`);
  } finally {
    secrets.destroy();
    lambda.destroy();
  }
  return {
    id,
    connect: async (database) => {
      const { username: user, password } = server.superuser;
      const client = new pg.Client({ host: server.host, port: server.port, database, user, password });
      client.on('error', () => undefined);
      await client.connect();
      return client;
    },
    stop: () => server.stop(),
  };
};
