import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { EKSClient } from '@aws-sdk/client-eks';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { RDSClient } from '@aws-sdk/client-rds';
import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SQSClient } from '@aws-sdk/client-sqs';
import { STSClient } from '@aws-sdk/client-sts';
import { type Archive, openArchive } from './archive/archive.ts';
import { type Bus, openBus } from './bus.ts';
import type { Cluster } from './cluster/cluster.ts';
import { openClusterConnections } from './cluster/connect.ts';
import type { OwnAppSettings } from './cluster/own-app.ts';
import { assumedRole } from './clusters/role.ts';
import { type Clusters, openClusters } from './clusters.ts';
import { type DeadLetters, openDeadLetters } from './dead-letters.ts';
import { type DomainNames, openDomainNames } from './domain-names.ts';
import { type Machines, openMachines } from './machines.ts';
import { type Databases, openDatabases, openRegistryConnection, type RegistryPlace } from './postgres/connection.ts';
import { openRegistry, type Registry } from './registry/registry.ts';
import { openSecrets, type Secrets } from './secrets.ts';
import { openServers, type Servers } from './servers.ts';

/** Everything a handler can reach, opened on first use: a step that needs the registry alone opens nothing else. */
export interface World {
  readonly registry: Registry;
  readonly databases: Databases;
  readonly archive: Archive;
  readonly machines: Machines;
  readonly bus: Bus;
  readonly deadLetters: DeadLetters;
  readonly secrets: Secrets;
  /** RDS instances of single tenants. */
  readonly servers: Servers;
  /** What every tenant's own app has in common. */
  readonly ownApps: OwnAppSettings;
  /** EKS clusters of single tenants and their stacks. */
  readonly clusters: Clusters;
  /** What DNS says of customers' domains. */
  readonly domainNames: DomainNames;
  /** Kubernetes of a cluster, by its name in EKS. Throws ClusterUnavailable while it has no address. */
  cluster(name: string): Promise<Cluster>;
  /** Like `cluster`; undefined when EKS has none of that name. */
  findCluster(name: string): Promise<Cluster | undefined>;
  /** Where the registry is; set-up logs in there with another secret. */
  readonly registryPlace: RegistryPlace;
  readonly now: () => Date;
  /** Ends the kept connections; only processes that outlive their work (tests, the laptop) need it. */
  close(): Promise<void>;
}

const once = <Value>(open: () => Value): (() => Value) => {
  let opened: { readonly value: Value } | undefined;
  return () => {
    opened ??= { value: open() };
    return opened.value;
  };
};

/**
 * The world that an environment describes. A variable is read when its member is first used: each handler has only the
 * variables of its reach. Throws then, naming the variable. Endpoint, region and credentials are read by the SDK.
 */
export const openWorld = (env: NodeJS.ProcessEnv = process.env): World => {
  const variable = (name: string): string => {
    const value = env[name];
    if (!value) throw new Error(`environment variable ${name} is not set; give the handler the reach that brings it`);
    return value;
  };
  const secrets = once(() => openSecrets(new SecretsManagerClient({})));
  const registryPlace = once(() => ({
    host: variable('REGISTRY_HOST'),
    port: Number(variable('REGISTRY_PORT')),
    database: variable('REGISTRY_DATABASE'),
    secretId: variable('REGISTRY_SECRET_ID'),
  }));
  let closeRegistry = async (): Promise<void> => undefined;
  const registry = once(() => {
    const connection = openRegistryConnection(registryPlace(), secrets());
    closeRegistry = connection.close;
    return openRegistry(connection);
  });
  let closeDatabases = async (): Promise<void> => undefined;
  const databases = once(() => {
    // A container task has hours where a Lambda has minutes, and its statements with it.
    const opened = openDatabases(secrets(), { leastSeconds: Number(env.STEP_SECONDS ?? 0) });
    closeDatabases = opened.close;
    return opened;
  });
  // Path style: the laptop has no host names for buckets, and AWS takes both.
  const archive = once(() =>
    openArchive({ bucket: variable('ARCHIVE_BUCKET'), s3: new S3Client({ forcePathStyle: true }) }),
  );
  const machines = once(() => openMachines(new SFNClient({}), variable('STATE_MACHINE_ARN_PREFIX')));
  const bus = once(() => openBus(new EventBridgeClient({}), variable('BUS_NAME')));
  const deadLetters = once(() => openDeadLetters(new SQSClient({}), variable('DEAD_LETTER_QUEUE_URL')));
  const servers = once(() =>
    openServers(new RDSClient({}), {
      instanceClass: variable('SERVER_CLASS'),
      storageGb: Number(variable('SERVER_STORAGE_GB')),
      engineVersion: variable('SERVER_ENGINE_VERSION'),
      parameterGroup: variable('SERVER_PARAMETER_GROUP'),
      recoveryParameterGroup: variable('SERVER_RECOVERY_PARAMETER_GROUP'),
      subnetGroup: variable('SERVER_SUBNET_GROUP'),
      securityGroup: variable('SERVER_SECURITY_GROUP'),
    }),
  );
  let closeClusters = (): void => undefined;
  const connections = once(() => {
    // Steps have roles of their own; the one that clusters know is the same for all of them.
    const role = env.CLUSTER_ROLE_ARN;
    const client = new EKSClient(role ? { credentials: assumedRole(new STSClient({}), role) } : {});
    const opened = openClusterConnections(client, env.AWS_ENDPOINT_URL_STS ?? env.AWS_ENDPOINT_URL);
    closeClusters = opened.close;
    return opened;
  });
  const clusters = once(() =>
    openClusters({ stacks: new CloudFormationClient({}), clusters: new EKSClient({}) }, () => ({
      templateUrl: variable('TENANT_STACK_TEMPLATE_URL'),
      roleArn: variable('TENANT_STACK_ROLE_ARN'),
      kubernetesVersion: variable('TENANT_STACK_KUBERNETES_VERSION'),
      nodeMinimum: Number(variable('TENANT_STACK_NODE_MINIMUM')),
      nodeMaximum: Number(variable('TENANT_STACK_NODE_MAXIMUM')),
      networkRange: variable('TENANT_STACK_NETWORK_RANGE'),
      orchestratorRoleArn: variable('CLUSTER_ROLE_ARN'),
      operatorArn: env.TENANT_STACK_OPERATOR_ARN || undefined,
      shared: env.TENANT_STACK_SHARED_VPC_ID
        ? {
            vpcId: env.TENANT_STACK_SHARED_VPC_ID,
            cidr: variable('TENANT_STACK_SHARED_VPC_CIDR'),
            routeTableIds: variable('TENANT_STACK_SHARED_ROUTE_TABLE_IDS').split(','),
          }
        : undefined,
    })),
  );
  const ownApps = once(() => ({
    image: variable('APP_IMAGE'),
    ingressClass: variable('APP_INGRESS_CLASS'),
    certificateArn: env.APP_CERTIFICATE_ARN || undefined,
    databaseCidrs: variable('APP_DATABASE_CIDRS').split(','),
    ingressCidrs: variable('APP_INGRESS_CIDRS').split(','),
    environment: JSON.parse(variable('APP_ENVIRONMENT')) as Record<string, string>,
    secretId: variable('APP_SECRET_ID'),
    roleArn: env.APP_ROLE_ARN || undefined,
    chart: env.APP_CHART ? { chart: env.APP_CHART, program: env.APP_HELM || 'helm' } : undefined,
  }));
  const domainNames = once(() => openDomainNames(env.DNS_SERVERS));
  return {
    get registry() {
      return registry();
    },
    get databases() {
      return databases();
    },
    get archive() {
      return archive();
    },
    get machines() {
      return machines();
    },
    get bus() {
      return bus();
    },
    get deadLetters() {
      return deadLetters();
    },
    get secrets() {
      return secrets();
    },
    get servers() {
      return servers();
    },
    get ownApps() {
      return ownApps();
    },
    get clusters() {
      return clusters();
    },
    get domainNames() {
      return domainNames();
    },
    cluster: (name) => connections().open(name),
    findCluster: (name) => connections().find(name),
    get registryPlace() {
      return registryPlace();
    },
    now: () => new Date(),
    close: async () => {
      closeClusters();
      await Promise.all([closeRegistry(), closeDatabases()]);
    },
  };
};
