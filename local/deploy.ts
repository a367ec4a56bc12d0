import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateEventBusCommand,
  EventBridgeClient,
  PutRuleCommand,
  PutTargetsCommand,
} from '@aws-sdk/client-eventbridge';
import {
  CreateEventSourceMappingCommand,
  InvokeCommand,
  LambdaClient,
  ListEventSourceMappingsCommand,
} from '@aws-sdk/client-lambda';
import {
  CreateBucketCommand,
  PutBucketEncryptionCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutPublicAccessBlockCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { CreateScheduleCommand, SchedulerClient, UpdateScheduleCommand } from '@aws-sdk/client-scheduler';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import {
  CreateStateMachineCommand,
  ListStateMachinesCommand,
  SFNClient,
  UpdateStateMachineCommand,
} from '@aws-sdk/client-sfn';
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import {
  allFunctions,
  appSchemaPrefix,
  busName,
  type Environment,
  endPattern,
  environmentOf,
  functionName,
  intakeVisibilitySeconds,
  journalPattern,
  maxReceives,
  reapSchedule,
  requestPattern,
} from '../domain/deployment.ts';
import { plans } from '../domain/plans.ts';
import { type FunctionName, machineName, nestedWorkflows, type WorkflowName, workflows } from '../domain/workflows.ts';

/** Where the laptop cloud is reached and what it gives a deployment, as an AWS account would. */
export interface Target {
  readonly endpoint: string;
  readonly region: string;
  readonly accountId: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly postgres: {
    readonly host: string;
    readonly port: number;
    readonly username: string;
    readonly password: string;
  };
  /** Registers a bundled handler; the one call for which AWS wants a zip file and the laptop a path. */
  readonly defineFunction: (definition: {
    readonly name: string;
    readonly file: string;
    readonly timeout: number;
    readonly memory: number;
    readonly environment: Readonly<Record<string, string>>;
  }) => void;
  /** Entry path -> bundled file. */
  readonly bundles: ReadonlyMap<string, string>;
  /** Root of the project: state-machines/ and sample-app/schema/ are read from there. */
  readonly root: string;
}

const archiveBucket = 'tenantry-archive';
const cell = 'local-1';
const secretPrefix = `tenantry/${cell}`;

const isNamed = (error: unknown, ...names: string[]): boolean => error instanceof Error && names.includes(error.name);

/** Creates, or leaves what a former start created: every start deploys, as every `cdk deploy` does. */
const ensure = async (create: () => Promise<unknown>, ...existing: string[]): Promise<void> => {
  try {
    await create();
  } catch (error) {
    if (!isNamed(error, ...existing)) throw error;
  }
};

const pascal = (kebab: string): string =>
  kebab.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());

const createSecrets = async (secrets: SecretsManagerClient, target: Target): Promise<void> => {
  const create = (name: string, username: string, password = randomBytes(24).toString('base64url')): Promise<void> =>
    ensure(
      () => secrets.send(new CreateSecretCommand({ Name: name, SecretString: JSON.stringify({ username, password }) })),
      'ResourceExistsException',
    );
  const { username, password } = target.postgres;
  await Promise.all([
    create('tenantry/registry/control', 'tenantry_control'),
    create('tenantry/registry/router', 'tenantry_router'),
    create('tenantry/registry/migrate', username, password),
    create(`${secretPrefix}/migrate`, username, password),
    ...['app', 'provision', 'backup', 'restore'].map((role) => create(`${secretPrefix}/${role}`, `tenantry_${role}`)),
  ]);
};

const createBucket = async (s3: S3Client, root: string): Promise<void> => {
  await ensure(
    () => s3.send(new CreateBucketCommand({ Bucket: archiveBucket })),
    'BucketAlreadyOwnedByYou',
    'BucketAlreadyExists',
  );
  await s3.send(
    new PutBucketVersioningCommand({ Bucket: archiveBucket, VersioningConfiguration: { Status: 'Enabled' } }),
  );
  await s3.send(
    new PutBucketEncryptionCommand({
      Bucket: archiveBucket,
      ServerSideEncryptionConfiguration: {
        Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
      },
    }),
  );
  await s3.send(
    new PutPublicAccessBlockCommand({
      Bucket: archiveBucket,
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
    }),
  );
  const folder = join(root, 'sample-app', 'schema');
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.sql')))
    await s3.send(
      new PutObjectCommand({
        Bucket: archiveBucket,
        Key: `${appSchemaPrefix}${file}`,
        Body: readFileSync(join(folder, file)),
      }),
    );
};

/** ARNs of the queues behind the rules. */
interface Queues {
  readonly intake: string;
  readonly journal: string;
  readonly ends: string;
}

const createQueues = async (sqs: SQSClient, target: Target): Promise<Queues & { deadLetterUrl: string }> => {
  const arn = (name: string): string => `arn:aws:sqs:${target.region}:${target.accountId}:${name}`;
  const { QueueUrl: deadLetterUrl } = await sqs.send(
    new CreateQueueCommand({ QueueName: 'tenantry-dead-letters', Attributes: { MessageRetentionPeriod: '1209600' } }),
  );
  const create = (name: string): Promise<unknown> =>
    sqs.send(
      new CreateQueueCommand({
        QueueName: name,
        Attributes: {
          VisibilityTimeout: String(intakeVisibilitySeconds),
          RedrivePolicy: JSON.stringify({
            deadLetterTargetArn: arn('tenantry-dead-letters'),
            maxReceiveCount: maxReceives,
          }),
        },
      }),
    );
  await Promise.all(['tenantry-intake', 'tenantry-journal', 'tenantry-ends'].map(create));
  return {
    intake: arn('tenantry-intake'),
    journal: arn('tenantry-journal'),
    ends: arn('tenantry-ends'),
    deadLetterUrl: deadLetterUrl!,
  };
};

const machinePrefix = ({ region, accountId }: Target): string =>
  `arn:aws:states:${region}:${accountId}:stateMachine:tenantry-`;

const createBus = async (events: EventBridgeClient, queues: Queues, target: Target): Promise<void> => {
  await ensure(() => events.send(new CreateEventBusCommand({ Name: busName })), 'ResourceAlreadyExistsException');
  for (const [bus, rule, pattern, queue] of [
    [busName, 'requests', requestPattern, queues.intake],
    [busName, 'journal', journalPattern, queues.journal],
    ['default', 'tenantry-ends', endPattern(machinePrefix(target)), queues.ends],
  ] as const) {
    await events.send(new PutRuleCommand({ Name: rule, EventBusName: bus, EventPattern: JSON.stringify(pattern) }));
    await events.send(new PutTargetsCommand({ Rule: rule, EventBusName: bus, Targets: [{ Id: 'queue', Arn: queue }] }));
  }
};

const mapQueues = async (lambda: LambdaClient, queues: Queues): Promise<void> => {
  for (const [queue, name, batch] of [
    [queues.intake, 'StartWorkflow', 10],
    [queues.journal, 'RecordEvent', 10],
    [queues.ends, 'CloseOperation', 10],
  ] as const) {
    const { EventSourceMappings = [] } = await lambda.send(
      new ListEventSourceMappingsCommand({ EventSourceArn: queue }),
    );
    if (EventSourceMappings.length > 0) continue;
    await lambda.send(
      new CreateEventSourceMappingCommand({
        EventSourceArn: queue,
        FunctionName: functionName(name),
        BatchSize: batch,
        FunctionResponseTypes: ['ReportBatchItemFailures'],
        ScalingConfig: { MaximumConcurrency: 2 },
      }),
    );
  }
};

const deployMachines = async (states: SFNClient, target: Target): Promise<void> => {
  const machineArn = (workflow: WorkflowName): string =>
    `arn:aws:states:${target.region}:${target.accountId}:stateMachine:${machineName(workflow)}`;
  const functionArn = (name: FunctionName): string =>
    `arn:aws:lambda:${target.region}:${target.accountId}:function:${functionName(name)}`;
  const existing = new Set(
    (await states.send(new ListStateMachinesCommand({ maxResults: 1000 }))).stateMachines?.map(
      ({ stateMachineArn }) => stateMachineArn,
    ),
  );
  const nested: Partial<Record<WorkflowName, readonly WorkflowName[]>> = nestedWorkflows;
  for (const workflow of Object.keys(workflows) as WorkflowName[]) {
    const holes: Record<string, string> = {
      BusName: busName,
      ...Object.fromEntries(workflows[workflow].map((state) => [`${state}Arn`, functionArn(state)])),
      ...Object.fromEntries((nested[workflow] ?? []).map((name) => [`${pascal(name)}MachineArn`, machineArn(name)])),
    };
    const text = readFileSync(join(target.root, 'state-machines', `${workflow}.asl.json`), 'utf8');
    const definition = text.replaceAll(/\$\{(\w+)\}/g, (hole, name: string) => holes[name] ?? hole);
    const roleArn = `arn:aws:iam::${target.accountId}:role/${machineName(workflow)}`;
    const stateMachineArn = machineArn(workflow);
    if (existing.has(stateMachineArn))
      await states.send(new UpdateStateMachineCommand({ stateMachineArn, definition, roleArn }));
    else await states.send(new CreateStateMachineCommand({ name: machineName(workflow), definition, roleArn }));
  }
};

const createSchedules = async (scheduler: SchedulerClient, target: Target): Promise<void> => {
  const roleArn = `arn:aws:iam::${target.accountId}:role/tenantry-scheduler`;
  const fleet = `arn:aws:states:${target.region}:${target.accountId}:stateMachine:${machineName('back-up-fleet')}`;
  const reaper = `arn:aws:lambda:${target.region}:${target.accountId}:function:${functionName('ReapLeases')}`;
  const schedules = [
    ...Object.entries(plans).map(([plan, { backupSchedule }]) => ({
      name: `tenantry-back-up-${plan}`,
      expression: backupSchedule as string,
      target: { Arn: fleet, RoleArn: roleArn, Input: JSON.stringify({ plan }) },
    })),
    { name: 'tenantry-reap-leases', expression: reapSchedule, target: { Arn: reaper, RoleArn: roleArn, Input: '{}' } },
  ];
  for (const { name, expression, target: Target } of schedules) {
    const schedule = {
      Name: name,
      ScheduleExpression: expression,
      FlexibleTimeWindow: { Mode: 'OFF' as const },
      Target,
    };
    try {
      await scheduler.send(new UpdateScheduleCommand(schedule));
    } catch (error) {
      if (!isNamed(error, 'ResourceNotFoundException')) throw error;
      await scheduler.send(new CreateScheduleCommand(schedule));
    }
  }
};

const setUp = async (lambda: LambdaClient, target: Target): Promise<void> => {
  const { host, port } = target.postgres;
  const { Payload, FunctionError } = await lambda.send(
    new InvokeCommand({
      FunctionName: functionName('SetUp'),
      Payload: JSON.stringify({
        operation: 'set-up',
        masterSecretId: 'tenantry/registry/migrate',
        schemaPrefix: appSchemaPrefix,
        cells: [{ id: cell, region: target.region, host, port, database: 'pool', secretPrefix, capacity: 10_000 }],
      }),
    }),
  );
  if (FunctionError) throw new Error(`set-up failed: ${Buffer.from(Payload ?? []).toString()}`);
};

/** What the hosted app is told: where the registry's routes are. */
export interface AppPlaces {
  readonly router: {
    readonly host: string;
    readonly port: number;
    readonly database: string;
    /** Secret with the login that reads routes and nothing else. */
    readonly secretId: string;
  };
}

/**
 * Deploys Tenantry into the laptop cloud with the calls that the CDK app makes on AWS: secrets, bucket, functions, queues,
 * bus, machines, schedules, then the set-up of registry and pool. Safe to repeat: every start of the cloud does it.
 */
export const deploy = async (target: Target): Promise<AppPlaces> => {
  const options = { endpoint: target.endpoint, region: target.region, credentials: target.credentials };
  const lambda = new LambdaClient(options);
  const s3 = new S3Client(options);
  const sqs = new SQSClient(options);
  const events = new EventBridgeClient(options);
  const states = new SFNClient(options);
  const secrets = new SecretsManagerClient(options);
  const scheduler = new SchedulerClient(options);
  try {
    const [queues] = await Promise.all([
      createQueues(sqs, target),
      createSecrets(secrets, target),
      createBucket(s3, target.root),
    ]);
    const environment: Environment = {
      REGISTRY_HOST: target.postgres.host,
      REGISTRY_PORT: String(target.postgres.port),
      REGISTRY_DATABASE: 'control',
      REGISTRY_SECRET_ID: 'tenantry/registry/control',
      ARCHIVE_BUCKET: archiveBucket,
      BUS_NAME: busName,
      STATE_MACHINE_ARN_PREFIX: machinePrefix(target),
      DEAD_LETTER_QUEUE_URL: queues.deadLetterUrl,
    };
    for (const [name, handler] of Object.entries(allFunctions))
      target.defineFunction({
        name: functionName(name as FunctionName),
        file: target.bundles.get(handler.entry)!,
        timeout: handler.timeout,
        memory: handler.memory,
        environment: environmentOf(handler, environment),
      });
    await setUp(lambda, target);
    await Promise.all([createBus(events, queues, target), deployMachines(states, target)]);
    await Promise.all([mapQueues(lambda, queues), createSchedules(scheduler, target)]);
    const { host, port } = target.postgres;
    return { router: { host, port, database: environment.REGISTRY_DATABASE, secretId: 'tenantry/registry/router' } };
  } finally {
    for (const client of [lambda, s3, sqs, events, states, secrets, scheduler]) client.destroy();
  }
};
