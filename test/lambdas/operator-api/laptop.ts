import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  CreateEventBusCommand,
  EventBridgeClient,
  PutRuleCommand,
  PutTargetsCommand,
} from '@aws-sdk/client-eventbridge';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { CreateStateMachineCommand, SFNClient } from '@aws-sdk/client-sfn';
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import pg from 'pg';
import { clientSql, type Sql } from '../../../adapters/postgres/sql.ts';
import { openWorld, type World } from '../../../adapters/world.ts';
import { requestPattern } from '../../../domain/deployment.ts';
import type { SetUpInput } from '../../../lambdas/set-up.ts';
import { openCredentialStore } from '../../../local/gateway/credentials.ts';
import { startGateway } from '../../../local/gateway/gateway.ts';
import type { FunctionInvoker } from '../../../local/ports.ts';
import { createServices } from '../../../local/services.ts';
import { startTestPostgres } from '../../postgres.ts';

const region = 'eu-central-1';
const accountId = '000000000000';
const key = { accessKeyId: 'AKIATESTTESTTESTTEST', secretAccessKey: 'test-secret' };
const arnPrefix = `arn:aws:states:${region}:${accountId}:stateMachine:tenantry-`;
const root = resolve(import.meta.dirname, '../../..');

/** A machine that ends at once. */
export const endsAtOnce = {
  QueryLanguage: 'JSONata',
  StartAt: 'Done',
  States: { Done: { Type: 'Succeed' } },
};

/** A machine that is still running when the test looks. */
export const runsOn = {
  QueryLanguage: 'JSONata',
  StartAt: 'Hold',
  States: { Hold: { Type: 'Wait', Seconds: 3_600, End: true } },
};

export interface Laptop {
  readonly world: World;
  /** The registry as its owner: no grant stands in the way of a look. */
  readonly sql: Sql;
  readonly setUpInput: SetUpInput;
  readonly environment: Readonly<Record<string, string>>;
  /** Creates `tenantry-<workflow>` with that definition. */
  machine(workflow: string, definition: object): Promise<void>;
  /** Bodies that the bus has put into the intake queue, at least `count` of them. */
  requests(count: number): Promise<{ body: string; messageId: string }[]>;
  readonly states: SFNClient;
  stop(): Promise<void>;
}

/**
 * PostgreSQL and the laptop AWS in this process: bus, queues, machines, secrets, bucket, and a world on them. Nothing is
 * deployed, `functions` stands where handlers would.
 */
export const startLaptop = async (functions?: FunctionInvoker): Promise<Laptop> => {
  const [postgres, home] = await Promise.all([startTestPostgres(), mkdtemp(join(tmpdir(), 'tenantry-laptop-'))]);
  const credentials = openCredentialStore({ file: join(home, 'credentials.json'), accountId, ...key });
  let endpoint = '';
  const services = createServices({
    home,
    region,
    accountId,
    credentials,
    endpoint: () => endpoint,
    log: () => undefined,
    ...(functions ? { interpose: () => functions } : {}),
  });
  const gateway = await startGateway({ services: services.all, credentials, region, accountId });
  endpoint = gateway.endpoint;
  const config = { endpoint, region, credentials: key };
  const secrets = new SecretsManagerClient(config);
  const sqs = new SQSClient(config);
  const events = new EventBridgeClient(config);
  const s3 = new S3Client({ ...config, forcePathStyle: true });
  const states = new SFNClient(config);
  const create = (name: string, username: string, password = `secret of ${name}`) =>
    secrets.send(new CreateSecretCommand({ Name: name, SecretString: JSON.stringify({ username, password }) }));
  const { username, password } = postgres.superuser;
  await create('tenantry/registry/control', 'tenantry_control');
  await create('tenantry/registry/router', 'tenantry_router');
  await create('tenantry/registry/migrate', username, password);
  await create('tenantry/eu-1/migrate', username, password);
  for (const role of ['app', 'provision', 'backup', 'restore', 'replicate'])
    await create(`tenantry/eu-1/${role}`, `tenantry_${role}`);
  await s3.send(new CreateBucketCommand({ Bucket: 'archive' }));
  const schema = '001-chat.sql';
  const Body = readFileSync(join(root, 'sample-app/schema', schema));
  await s3.send(new PutObjectCommand({ Bucket: 'archive', Key: `schema/${schema}`, Body }));
  const dead = await sqs.send(new CreateQueueCommand({ QueueName: 'dead' }));
  const intake = await sqs.send(new CreateQueueCommand({ QueueName: 'intake' }));
  await events.send(new CreateEventBusCommand({ Name: 'tenantry' }));
  await events.send(
    new PutRuleCommand({ Name: 'requests', EventBusName: 'tenantry', EventPattern: JSON.stringify(requestPattern) }),
  );
  const Arn = `arn:aws:sqs:${region}:${accountId}:intake`;
  await events.send(
    new PutTargetsCommand({ Rule: 'requests', EventBusName: 'tenantry', Targets: [{ Id: 'intake', Arn }] }),
  );
  // The bus holds deliveries back until its targets are there.
  await services.resume();
  const environment = {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: key.accessKeyId,
    AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
    REGISTRY_HOST: postgres.host,
    REGISTRY_PORT: String(postgres.port),
    REGISTRY_DATABASE: 'control',
    REGISTRY_SECRET_ID: 'tenantry/registry/control',
    ARCHIVE_BUCKET: 'archive',
    BUS_NAME: 'tenantry',
    STATE_MACHINE_ARN_PREFIX: arnPrefix,
    DEAD_LETTER_QUEUE_URL: dead.QueueUrl!,
  };
  // The SDK reads endpoint, region and keys from the process alone.
  Object.assign(process.env, environment);
  const world = openWorld(environment);
  let owner: pg.Client | undefined;
  const owned = async (): Promise<Sql> => {
    if (!owner) {
      owner = new pg.Client({
        host: postgres.host,
        port: postgres.port,
        database: 'control',
        user: username,
        password,
      });
      owner.on('error', () => undefined);
      await owner.connect();
    }
    return clientSql(owner);
  };
  return {
    world,
    states,
    environment,
    sql: {
      query: async (text, values) => (await owned()).query(text, values),
      transaction: async (work) => (await owned()).transaction(work),
    },
    setUpInput: {
      masterSecretId: 'tenantry/registry/migrate',
      schemaPrefix: 'schema/',
      cells: [
        {
          id: 'eu-1',
          region,
          host: postgres.host,
          port: postgres.port,
          database: 'pool',
          secretPrefix: 'tenantry/eu-1',
          capacity: 100,
        },
      ],
    },
    machine: async (workflow, definition) => {
      await states.send(
        new CreateStateMachineCommand({
          name: `tenantry-${workflow}`,
          definition: JSON.stringify(definition),
          roleArn: `arn:aws:iam::${accountId}:role/machines`,
        }),
      );
    },
    requests: async (count) => {
      const seen: { body: string; messageId: string }[] = [];
      while (seen.length < count) {
        const { Messages = [] } = await sqs.send(
          new ReceiveMessageCommand({ QueueUrl: intake.QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 5 }),
        );
        for (const { Body: body, MessageId } of Messages) seen.push({ body: body!, messageId: MessageId! });
      }
      return seen;
    },
    stop: async () => {
      await owner?.end();
      await world.close();
      await services.quiesce();
      await gateway.close();
      for (const client of [secrets, sqs, events, s3, states]) client.destroy();
      await postgres.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
};
