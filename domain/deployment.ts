import { type TaskStep, taskEntry } from './task-steps.ts';
import { type FunctionName, functions, type Handler, type Reach, steps } from './workflows.ts';

/** Names and patterns that the CDK app and the laptop deploy alike, so that what runs here is what is deployed there. */
export const busName = 'tenantry';

/** Source of the events that ask Tenantry for something. */
export const requestSource = 'tenantry.saas';

/** Source of the events in which Tenantry says what became of it. */
export const resultSource = 'tenantry';

/** Rule `requests`: what the intake queue gets. An unknown detail type is refused there, with its reason, never dropped here. */
export const requestPattern = { source: [requestSource] };

/** Rule `journal`: what the event recorder gets. */
export const journalPattern = { source: [requestSource, resultSource] };

/**
 * Rule `ends` on the account's default bus, where Step Functions tells the ends of executions: what the queue of ends gets.
 * Children of a Map have `<machine>/<label>` for a machine and match too; whoever reads the queue passes them over.
 * `machinePrefix`: `arn:aws:states:REGION:ACCOUNT:stateMachine:tenantry-`.
 */
export const endPattern = (machinePrefix: string) => ({
  source: ['aws.states'],
  'detail-type': ['Step Functions Execution Status Change'],
  detail: { status: ['FAILED', 'TIMED_OUT', 'ABORTED'], stateMachineArn: [{ prefix: machinePrefix }] },
});

/** When the reaper looks for operations whose end nobody told: events about executions are delivered on a best effort. */
export const reapSchedule = 'rate(10 minutes)';

/** When moves that nobody works on are looked after: a window closes at most so much late. */
export const sweepSchedule = 'rate(5 minutes)';

/** When custom domains that wait for their proof are looked at; each is put off longer and longer. */
export const domainSchedule = 'rate(1 minute)';

/** When a sample of archives is restored for trial: after the night's backups, before people come to work (UTC). */
export const drillSchedule = 'cron(0 5 * * ? *)';

/** When backups that no plan keeps are deleted: after the drills, whose results it heeds. */
export const expirySchedule = 'cron(0 6 * * ? *)';

/** How often SQS hands a message out before it goes to the dead-letter queue; a bad event goes there at once. */
export const maxReceives = 5;

/** Seconds a received message stays hidden: six times the intake's time-out, as AWS advises for event source mappings. */
export const intakeVisibilitySeconds = 180;

/** Key prefix of the hosted app's migrations in the archive bucket: `schema/001-chat.sql`. */
export const appSchemaPrefix = 'schema/';

/** Secret whose names and values tenants' own apps are told beside their database, such as the key of their sessions. */
export const appSecretId = 'tenantry/app';

/** Everything that a handler's environment may hold; each handler gets what its reach needs and nothing else. */
export interface Environment {
  readonly REGISTRY_HOST: string;
  readonly REGISTRY_PORT: string;
  readonly REGISTRY_DATABASE: string;
  readonly REGISTRY_SECRET_ID: string;
  readonly ARCHIVE_BUCKET: string;
  readonly BUS_NAME: string;
  readonly STATE_MACHINE_ARN_PREFIX: string;
  readonly DEAD_LETTER_QUEUE_URL: string;
  /** Who is asked for customers' domains, comma separated; empty: the resolver of the machine. */
  readonly DNS_SERVERS: string;
  /** How servers of single tenants are made. */
  readonly SERVER_CLASS: string;
  readonly SERVER_STORAGE_GB: string;
  readonly SERVER_ENGINE_VERSION: string;
  readonly SERVER_PARAMETER_GROUP: string;
  readonly SERVER_RECOVERY_PARAMETER_GROUP: string;
  readonly SERVER_SUBNET_GROUP: string;
  readonly SERVER_SECURITY_GROUP: string;
  /** What every tenant's own app has in common; lists are comma-separated, APP_ENVIRONMENT is a JSON object of strings. */
  readonly APP_IMAGE: string;
  readonly APP_INGRESS_CLASS: string;
  /** ARN in ACM; empty where something in front ends TLS. */
  readonly APP_CERTIFICATE_ARN: string;
  readonly APP_DATABASE_CIDRS: string;
  readonly APP_INGRESS_CIDRS: string;
  readonly APP_ENVIRONMENT: string;
  readonly APP_SECRET_ID: string;
  /** Role of the apps' pods; empty: none. */
  readonly APP_ROLE_ARN: string;
  /** Helm chart that the app is, instead of the image alone, and the helm program; empty: none. */
  readonly APP_CHART: string;
  readonly APP_HELM: string;
  /** Role whose sessions administer every cluster: steps with clusters in their reach assume it. */
  readonly CLUSTER_ROLE_ARN: string;
  /** How the stacks of clusters of single tenants are made. Empty: nobody, or no peering. */
  readonly TENANT_STACK_TEMPLATE_URL: string;
  /** What CloudFormation acts as while it makes or deletes one. */
  readonly TENANT_STACK_ROLE_ARN: string;
  readonly TENANT_STACK_KUBERNETES_VERSION: string;
  readonly TENANT_STACK_NODE_MINIMUM: string;
  readonly TENANT_STACK_NODE_MAXIMUM: string;
  readonly TENANT_STACK_NETWORK_RANGE: string;
  readonly TENANT_STACK_OPERATOR_ARN: string;
  readonly TENANT_STACK_SHARED_VPC_ID: string;
  readonly TENANT_STACK_SHARED_VPC_CIDR: string;
  readonly TENANT_STACK_SHARED_ROUTE_TABLE_IDS: string;
}

const variables: Readonly<Record<Reach, readonly (keyof Environment)[]>> = {
  registry: ['REGISTRY_HOST', 'REGISTRY_PORT', 'REGISTRY_DATABASE', 'REGISTRY_SECRET_ID'],
  'archive:read': ['ARCHIVE_BUCKET'],
  'archive:write': ['ARCHIVE_BUCKET'],
  'archive:hold': ['ARCHIVE_BUCKET'],
  'database:provision': [],
  'database:backup': [],
  'database:restore': [],
  'database:replicate': [],
  'database:migrate': [],
  'database:scratch': [],
  'tenant-secrets': [],
  servers: [
    'SERVER_CLASS',
    'SERVER_STORAGE_GB',
    'SERVER_ENGINE_VERSION',
    'SERVER_PARAMETER_GROUP',
    'SERVER_RECOVERY_PARAMETER_GROUP',
    'SERVER_SUBNET_GROUP',
    'SERVER_SECURITY_GROUP',
  ],
  clusters: [
    'APP_IMAGE',
    'APP_INGRESS_CLASS',
    'APP_CERTIFICATE_ARN',
    'APP_DATABASE_CIDRS',
    'APP_INGRESS_CIDRS',
    'APP_ENVIRONMENT',
    'APP_SECRET_ID',
    'APP_ROLE_ARN',
    'APP_CHART',
    'APP_HELM',
    'CLUSTER_ROLE_ARN',
  ],
  workloads: [],
  stacks: [
    'CLUSTER_ROLE_ARN',
    'TENANT_STACK_TEMPLATE_URL',
    'TENANT_STACK_ROLE_ARN',
    'TENANT_STACK_KUBERNETES_VERSION',
    'TENANT_STACK_NODE_MINIMUM',
    'TENANT_STACK_NODE_MAXIMUM',
    'TENANT_STACK_NETWORK_RANGE',
    'TENANT_STACK_OPERATOR_ARN',
    'TENANT_STACK_SHARED_VPC_ID',
    'TENANT_STACK_SHARED_VPC_CIDR',
    'TENANT_STACK_SHARED_ROUTE_TABLE_IDS',
  ],
  'machines:start': ['STATE_MACHINE_ARN_PREFIX'],
  'machines:operate': ['STATE_MACHINE_ARN_PREFIX'],
  bus: ['BUS_NAME'],
  'dead-letters': ['DEAD_LETTER_QUEUE_URL'],
  dns: ['DNS_SERVERS'],
};

/** The environment of one handler: the variables of everything in its reach. */
export const environmentOf = (handler: Handler, all: Environment): Record<string, string> =>
  Object.fromEntries(handler.reach.flatMap((reach) => variables[reach].map((name) => [name, all[name]])));

/** Every deployed function by name, steps and others. */
export const allFunctions: Readonly<Record<FunctionName, Handler>> = { ...steps, ...functions };

/** Every program that is bundled: the handlers, and the one that runs steps as container tasks. */
export const handlerEntries: readonly string[] = [...Object.values(allFunctions).map(({ entry }) => entry), taskEntry];

/** `tenantry-` + kebab of the handler's name, the function's name in Lambda. */
export const functionName = (name: FunctionName): string =>
  `tenantry-${name.replaceAll(/(?<!^)([A-Z])/g, '-$1').toLowerCase()}`;

/** ECS cluster of the container tasks. */
export const tasksCluster = 'tenantry-tasks';

/** The one container of a task; overrides name it. */
export const taskContainer = 'step';

/** `tenantry-dump-database-task`: family of the task definition of a step. */
export const taskFamily = (step: TaskStep): string => `${functionName(step)}-task`;
