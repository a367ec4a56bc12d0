import type { IEventBus } from 'aws-cdk-lib/aws-events';
import { type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Stack } from 'aws-cdk-lib/core';
import type { IConstruct } from 'constructs';
import { appSecretId, type Environment } from '../domain/deployment.ts';
import { machineName, type Reach, type WorkflowName, workflows } from '../domain/workflows.ts';
import type { SharedPlatform } from './shared-platform.ts';

/** The real things behind the words of a handler's reach. */
export interface Places {
  readonly platform: SharedPlatform;
  readonly bus: IEventBus;
  readonly deadLetters: IQueue;
}

/** Who gets a reach: a function, or the role of a container task. */
export interface Reacher extends IGrantable {
  addToRolePolicy(statement: PolicyStatement): void;
}

const statesArn = (bus: IConstruct, kind: 'stateMachine' | 'execution', name: string): string => {
  const { partition, region, account } = Stack.of(bus);
  return `arn:${partition}:states:${region}:${account}:${kind}:${name}`;
};

/** What the ARN of every machine of Tenantry begins with. */
export const machinePrefix = (scope: IConstruct): string => statesArn(scope, 'stateMachine', 'tenantry-');

/** The values behind `domain/deployment.ts`'s environment, as tokens of this deployment. */
export const environmentOfPlaces = ({ platform, bus, deadLetters }: Places): Environment => ({
  REGISTRY_HOST: platform.registry.cluster.clusterEndpoint.hostname,
  REGISTRY_PORT: String(platform.registry.cluster.clusterEndpoint.port),
  REGISTRY_DATABASE: platform.registry.database,
  REGISTRY_SECRET_ID: `${platform.registry.secretPrefix}/control`,
  ARCHIVE_BUCKET: platform.archive.bucketName,
  BUS_NAME: bus.eventBusName,
  STATE_MACHINE_ARN_PREFIX: machinePrefix(bus),
  DEAD_LETTER_QUEUE_URL: deadLetters.queueUrl,
  DNS_SERVERS: '',
  SERVER_CLASS: platform.serverClass,
  SERVER_STORAGE_GB: String(platform.serverStorage),
  SERVER_ENGINE_VERSION: platform.servers.engineVersion,
  SERVER_PARAMETER_GROUP: platform.servers.parameterGroupName,
  SERVER_RECOVERY_PARAMETER_GROUP: platform.servers.recoveryParameterGroupName,
  SERVER_SUBNET_GROUP: platform.servers.subnets.subnetGroupName,
  SERVER_SECURITY_GROUP: platform.servers.group.securityGroupId,
  APP_IMAGE: platform.appImage,
  APP_INGRESS_CLASS: 'alb',
  APP_CERTIFICATE_ARN: platform.appCertificate,
  APP_DATABASE_CIDRS: platform.vpc
    .selectSubnets({ subnetGroupName: 'databases' })
    .subnets.map(({ ipv4CidrBlock }) => ipv4CidrBlock)
    .join(','),
  // Load balancers of shared clusters have addresses in the platform's network.
  APP_INGRESS_CIDRS: platform.vpc.vpcCidrBlock,
  // The image brings the trust store of RDS (NODE_EXTRA_CA_CERTS).
  APP_ENVIRONMENT: JSON.stringify({ PGSSLMODE: 'verify-full' }),
  APP_SECRET_ID: appSecretId,
  APP_ROLE_ARN: platform.appRole.roleArn,
  APP_CHART: platform.appChart,
  APP_HELM: '/opt/helm/helm',
  CLUSTER_ROLE_ARN: platform.clusters.role.roleArn,
  TENANT_STACK_TEMPLATE_URL: platform.clusters.template.httpUrl,
  TENANT_STACK_ROLE_ARN: platform.clusters.stackRole.roleArn,
  TENANT_STACK_KUBERNETES_VERSION: platform.clusters.kubernetesVersion,
  TENANT_STACK_NODE_MINIMUM: '1',
  TENANT_STACK_NODE_MAXIMUM: '4',
  TENANT_STACK_NETWORK_RANGE: platform.clusters.networkRange,
  TENANT_STACK_OPERATOR_ARN: platform.clusters.operatorArn,
  TENANT_STACK_SHARED_VPC_ID: platform.clusters.vpcId,
  TENANT_STACK_SHARED_VPC_CIDR: platform.clusters.vpcCidr,
  TENANT_STACK_SHARED_ROUTE_TABLE_IDS: platform.clusters.routeTableIds.join(','),
});

const machineNames = (Object.keys(workflows) as WorkflowName[]).map(machineName);

const allow = (target: Reacher, actions: string[], resources: string[]): void =>
  target.addToRolePolicy(new PolicyStatement({ actions, resources }));

const grants: Readonly<Record<Reach, (target: Reacher, places: Places) => void>> = {
  registry: (target, { platform }) => grantSecret(target, platform.registry.secrets, 'control'),
  'archive:read': (target, { platform }) => {
    allow(target, ['s3:ListBucket'], [platform.archive.bucketArn]);
    allow(target, ['s3:GetObject', 's3:GetObjectVersion'], [platform.archive.arnForObjects('*')]);
  },
  'archive:write': (target, places) => {
    grants['archive:read'](target, places);
    allow(
      target,
      ['s3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'],
      [places.platform.archive.arnForObjects('*')],
    );
  },
  'archive:hold': (target, { platform }) => {
    allow(target, ['s3:ListBucket', 's3:GetBucketObjectLockConfiguration'], [platform.archive.bucketArn]);
    allow(target, ['s3:PutObjectLegalHold'], [platform.archive.arnForObjects('t/*')]);
  },
  'database:provision': (target, places) => grantLogin(target, places, 'provision'),
  'database:backup': (target, places) => grantLogin(target, places, 'backup'),
  'database:restore': (target, places) => grantLogin(target, places, 'restore'),
  'database:replicate': (target, places) => grantLogin(target, places, 'replicate'),
  'database:migrate': (target, places) => {
    const { registry, pool } = places.platform;
    for (const role of Object.keys(registry.secrets)) grantSecret(target, registry.secrets, role);
    for (const role of Object.keys(pool.secrets)) grantLogin(target, places, role);
  },
  // A scratch database is made of a template by the owner of both, and filled by the restore login: of the pool alone.
  'database:scratch': (target, { platform }) => {
    for (const role of ['migrate', 'restore']) grantSecret(target, platform.pool.secrets, role);
  },
  'tenant-secrets': (target, { bus }) => {
    allow(
      target,
      [
        'secretsmanager:CreateSecret',
        'secretsmanager:DeleteSecret',
        'secretsmanager:GetSecretValue',
        'secretsmanager:TagResource',
      ],
      [tenantSecrets(bus, '*')],
    );
  },
  servers: (target, { bus, platform }) => {
    const arn = (kind: string, name: string): string => {
      const { partition, region, account } = Stack.of(bus);
      return `arn:${partition}:rds:${region}:${account}:${kind}:${name}`;
    };
    allow(
      target,
      [
        'rds:AddTagsToResource',
        'rds:CreateDBInstance',
        'rds:DeleteDBInstance',
        'rds:DescribeDBInstances',
        'rds:ListTagsForResource',
        'rds:ModifyDBInstance',
        'rds:RestoreDBInstanceToPointInTime',
      ],
      [
        arn('db', 'tenantry-*'),
        arn('snapshot', 'tenantry-*'),
        arn('pg', platform.servers.parameterGroupName),
        arn('pg', platform.servers.recoveryParameterGroupName),
        // That of the shared network, and those of tenants' own.
        arn('subgrp', 'tenantry-*'),
      ],
    );
  },
  clusters: (target, places) => {
    allow(target, ['sts:AssumeRole'], [places.platform.clusters.role.roleArn]);
  },
  workloads: (target, places) => {
    const { partition, region, account } = Stack.of(places.bus);
    allow(
      target,
      [
        'eks:CreatePodIdentityAssociation',
        'eks:DeletePodIdentityAssociation',
        'eks:ListPodIdentityAssociations',
        'eks:TagResource',
        'eks:UpdatePodIdentityAssociation',
      ],
      ['cluster/tenantry-*', 'podidentityassociation/tenantry-*'].map(
        (end) => `arn:${partition}:eks:${region}:${account}:${end}`,
      ),
    );
    allow(target, ['iam:GetRole', 'iam:PassRole'], [places.platform.appRole.roleArn]);
    // What the app logs in with goes into a Secret of its namespace.
    grantLogin(target, places, 'app');
    allow(
      target,
      ['secretsmanager:GetSecretValue'],
      [`arn:${partition}:secretsmanager:${region}:${account}:secret:${appSecretId}-??????`],
    );
  },
  stacks: (target, { bus, platform }) => {
    const { partition, region, account } = Stack.of(bus);
    const { template, stackRole } = platform.clusters;
    allow(
      target,
      [
        'cloudformation:CreateStack',
        'cloudformation:DeleteStack',
        'cloudformation:DescribeStackEvents',
        'cloudformation:DescribeStacks',
        'cloudformation:UpdateTerminationProtection',
      ],
      [`arn:${partition}:cloudformation:${region}:${account}:stack/tenantry-*/*`],
    );
    allow(
      target,
      ['eks:DescribeCluster', 'eks:UpdateClusterConfig'],
      [`arn:${partition}:eks:${region}:${account}:cluster/tenantry-*`],
    );
    // CloudFormation makes resources as its own role, and reads the template as whoever calls it.
    target.addToRolePolicy(
      new PolicyStatement({
        actions: ['iam:PassRole'],
        resources: [stackRole.roleArn],
        conditions: { StringEquals: { 'iam:PassedToService': 'cloudformation.amazonaws.com' } },
      }),
    );
    allow(target, ['s3:GetObject'], [template.bucket.arnForObjects(template.s3ObjectKey)]);
  },
  'machines:start': (target, { bus }) => {
    allow(
      target,
      ['states:StartExecution'],
      machineNames.map((name) => statesArn(bus, 'stateMachine', name)),
    );
    // ExecutionAlreadyExists counts as success only after the stored input was compared.
    allow(
      target,
      ['states:DescribeExecution'],
      machineNames.map((name) => statesArn(bus, 'execution', `${name}:*`)),
    );
  },
  'machines:operate': (target, { bus }) => {
    allow(
      target,
      ['states:StopExecution', 'states:RedriveExecution'],
      machineNames.map((name) => statesArn(bus, 'execution', `${name}:*`)),
    );
    allow(
      target,
      ['states:SendTaskSuccess', 'states:SendTaskFailure'],
      machineNames.map((name) => statesArn(bus, 'stateMachine', name)),
    );
  },
  bus: (target, { bus }) => {
    bus.grantPutEventsTo(target);
  },
  'dead-letters': (target, { deadLetters }) => {
    deadLetters.grantSendMessages(target);
    deadLetters.grantConsumeMessages(target);
  },
  // The resolver of the network answers every function; no permission is asked.
  dns: () => undefined,
};

/** Secrets of places that tenants have for themselves: `tenantry/t/<tenant>/<place>/<role>`, to which AWS adds six characters. */
const tenantSecrets = (scope: IConstruct, end: string): string => {
  const { partition, region, account } = Stack.of(scope);
  return `arn:${partition}:secretsmanager:${region}:${account}:secret:tenantry/t/${end}`;
};

/** A role's login to the shared pool and to the servers of single tenants. */
const grantLogin = (target: Reacher, { platform, bus }: Places, role: string): void => {
  grantSecret(target, platform.pool.secrets, role);
  allow(target, ['secretsmanager:GetSecretValue'], [tenantSecrets(bus, `*/${role}-*`)]);
};

const grantSecret = (target: Reacher, secrets: Readonly<Record<string, ISecret>>, role: string): void => {
  secrets[role]?.grantRead(target);
};

/** Grants a function what its reach names, and nothing else. */
export const grantReach = (target: Reacher, reach: readonly Reach[], places: Places): void => {
  for (const name of reach) grants[name](target, places);
};
