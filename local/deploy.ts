import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ECSClient } from '@aws-sdk/client-ecs';
import { EKSClient } from '@aws-sdk/client-eks';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { RDSClient } from '@aws-sdk/client-rds';
import {
  CreateBucketCommand,
  PutBucketEncryptionCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutPublicAccessBlockCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { SchedulerClient } from '@aws-sdk/client-scheduler';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import {
  CreateStateMachineCommand,
  ListStateMachinesCommand,
  SFNClient,
  UpdateStateMachineCommand,
} from '@aws-sdk/client-sfn';
import { SQSClient } from '@aws-sdk/client-sqs';
import {
  allFunctions,
  appSchemaPrefix,
  appSecretId,
  busName,
  type Environment,
  environmentOf,
  functionName,
  taskFamily,
  tasksCluster,
} from '../domain/deployment.ts';
import { type TaskStep, taskWorkflows } from '../domain/task-steps.ts';
import { type FunctionName, machineName, nestedWorkflows, type WorkflowName, workflows } from '../domain/workflows.ts';
import { appImage } from './deploy/apps.ts';
import {
  clusterRoleArn,
  createSharedCluster,
  putTenantTemplate,
  sharedCluster,
  sharedClusterCapacity,
  templateUrl,
} from './deploy/clusters.ts';
import { createBus, createQueues, mapQueues } from './deploy/events.ts';
import { createSchedules } from './deploy/schedules.ts';
import { createServerParameters, recoveryParameterGroup, serverParameterGroup } from './deploy/servers.ts';
import { ensure, machinePrefix, type Target } from './deploy/target.ts';
import { createTasks } from './deploy/tasks.ts';

const archiveBucket = 'tenantry-archive';
const cell = 'local-1';
const secretPrefix = `tenantry/${cell}`;

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
    ...['app', 'provision', 'backup', 'restore', 'replicate'].map((role) =>
      create(`${secretPrefix}/${role}`, `tenantry_${role}`),
    ),
    ensure(
      () =>
        secrets.send(
          new CreateSecretCommand({ Name: appSecretId, SecretString: JSON.stringify(target.appSecrets ?? {}) }),
        ),
      'ResourceExistsException',
    ),
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
  const run: Partial<Record<WorkflowName, readonly TaskStep[]>> = taskWorkflows;
  for (const workflow of Object.keys(workflows) as WorkflowName[]) {
    const holes: Record<string, string> = {
      BusName: busName,
      TasksCluster: tasksCluster,
      TasksSubnets: 'subnet-functions',
      TasksSecurityGroup: 'sg-functions',
      ...Object.fromEntries((run[workflow] ?? []).map((step) => [`${step}TaskDefinition`, taskFamily(step)])),
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
        clusters: [{ id: sharedCluster, cell, region: target.region, capacity: sharedClusterCapacity }],
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
  const rds = new RDSClient(options);
  const ecs = new ECSClient(options);
  const eks = new EKSClient(options);
  try {
    const [queues] = await Promise.all([
      createQueues(sqs, target),
      createSecrets(secrets, target),
      createBucket(s3, target.root),
      createServerParameters(rds),
    ]);
    const shared = createSharedCluster(eks, target);
    await putTenantTemplate(s3, target, archiveBucket);
    const environment: Environment = {
      REGISTRY_HOST: target.postgres.host,
      REGISTRY_PORT: String(target.postgres.port),
      REGISTRY_DATABASE: 'control',
      REGISTRY_SECRET_ID: 'tenantry/registry/control',
      ARCHIVE_BUCKET: archiveBucket,
      BUS_NAME: busName,
      STATE_MACHINE_ARN_PREFIX: machinePrefix(target),
      DEAD_LETTER_QUEUE_URL: queues.deadLetterUrl,
      DNS_SERVERS: target.dnsServer,
      SERVER_CLASS: 'db.t4g.medium',
      SERVER_STORAGE_GB: '20',
      SERVER_ENGINE_VERSION: '15',
      SERVER_PARAMETER_GROUP: serverParameterGroup,
      SERVER_RECOVERY_PARAMETER_GROUP: recoveryParameterGroup,
      SERVER_SUBNET_GROUP: 'tenantry-tenant-servers',
      SERVER_SECURITY_GROUP: 'sg-tenantry',
      APP_IMAGE: appImage,
      APP_INGRESS_CLASS: 'alb',
      APP_CERTIFICATE_ARN: '',
      APP_DATABASE_CIDRS: '127.0.0.0/8',
      APP_INGRESS_CIDRS: '127.0.0.0/8',
      APP_ENVIRONMENT: JSON.stringify({ SAMPLE_APP_OPEN_LOGIN: '1' }),
      APP_SECRET_ID: appSecretId,
      APP_ROLE_ARN: `arn:aws:iam::${target.accountId}:role/tenantry-app`,
      APP_CHART: process.env.TENANTRY_APP_CHART ?? '',
      APP_HELM: process.env.TENANTRY_HELM ?? 'helm',
      CLUSTER_ROLE_ARN: clusterRoleArn(target),
      TENANT_STACK_TEMPLATE_URL: templateUrl(target, archiveBucket),
      TENANT_STACK_ROLE_ARN: `arn:aws:iam::${target.accountId}:role/tenantry-tenant-stacks`,
      TENANT_STACK_KUBERNETES_VERSION: '1.35',
      TENANT_STACK_NODE_MINIMUM: '1',
      TENANT_STACK_NODE_MAXIMUM: '4',
      TENANT_STACK_NETWORK_RANGE: '10.64.0.0/12',
      TENANT_STACK_OPERATOR_ARN: `arn:aws:iam::${target.accountId}:root`,
      TENANT_STACK_SHARED_VPC_ID: 'vpc-tenantry',
      TENANT_STACK_SHARED_VPC_CIDR: '10.0.0.0/16',
      TENANT_STACK_SHARED_ROUTE_TABLE_IDS: 'rtb-1,rtb-2,rtb-3,rtb-4',
    };
    for (const [name, handler] of Object.entries(allFunctions))
      target.defineFunction({
        name: functionName(name as FunctionName),
        file: target.bundles.get(handler.entry)!,
        timeout: handler.timeout,
        memory: handler.memory,
        environment: environmentOf(handler, environment),
      });
    await Promise.all([shared, setUp(lambda, target), createTasks(ecs, target, environment)]);
    await Promise.all([createBus(events, queues, target), deployMachines(states, target)]);
    await Promise.all([mapQueues(lambda, queues), createSchedules(scheduler, target)]);
    const { host, port } = target.postgres;
    return { router: { host, port, database: environment.REGISTRY_DATABASE, secretId: 'tenantry/registry/router' } };
  } finally {
    for (const client of [lambda, s3, sqs, events, states, secrets, scheduler, rds, ecs, eks]) client.destroy();
  }
};
