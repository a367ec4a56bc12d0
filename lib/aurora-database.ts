import { type ISecurityGroup, type IVpc, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import {
  AuroraPostgresEngineVersion,
  ClusterInstance,
  Credentials,
  DatabaseCluster,
  DatabaseClusterEngine,
  ParameterGroup,
} from 'aws-cdk-lib/aws-rds';
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Duration, RemovalPolicy } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { Parameters } from './parameters.ts';

export interface AuroraDatabaseProps {
  readonly vpc: IVpc;
  /** Who may connect. */
  readonly clients: ISecurityGroup;
  readonly parameters: Parameters;
  readonly database: string;
  /** Secrets are `<prefix>/migrate` and `<prefix>/<role>`. */
  readonly secretPrefix: string;
  /** Secret name -> login role that set-up creates with it. */
  readonly roles: Readonly<Record<string, string>>;
}

/** One Aurora PostgreSQL Serverless v2 cluster with a reader, and a secret for each role that logs in. */
export class AuroraDatabase extends Construct {
  readonly cluster: DatabaseCluster;
  readonly group: ISecurityGroup;
  readonly database: string;
  readonly secretPrefix: string;
  readonly secrets: Readonly<Record<string, ISecret>>;

  constructor(scope: Construct, id: string, props: AuroraDatabaseProps) {
    super(scope, id);
    const { vpc, parameters, database, secretPrefix, roles, clients } = props;
    this.database = database;
    this.secretPrefix = secretPrefix;
    const engine = DatabaseClusterEngine.auroraPostgres({ version: AuroraPostgresEngineVersion.VER_16_6 });
    const group = new SecurityGroup(this, 'Group', {
      vpc,
      description: `PostgreSQL ${database}`,
      allowAllOutbound: false,
    });
    this.group = group;
    const master = new Secret(this, 'Migrate', {
      secretName: `${secretPrefix}/migrate`,
      description: `Owner of ${database}: used at set-up only`,
      generateSecretString: {
        secretStringTemplate: JSON.stringify({ username: 'tenantry_owner' }),
        generateStringKey: 'password',
        excludePunctuation: true,
        passwordLength: 40,
      },
    });
    this.cluster = new DatabaseCluster(this, 'Cluster', {
      engine,
      vpc,
      vpcSubnets: { subnetGroupName: 'databases' },
      securityGroups: [group],
      port: 5433,
      defaultDatabaseName: database,
      credentials: Credentials.fromSecret(master),
      writer: ClusterInstance.serverlessV2('Writer'),
      readers: [ClusterInstance.serverlessV2('Reader', { scaleWithWriter: true })],
      serverlessV2MinCapacity: parameters.minCapacity,
      serverlessV2MaxCapacity: parameters.maxCapacity,
      storageEncrypted: true,
      iamAuthentication: true,
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
      backup: { retention: Duration.days(14) },
      cloudwatchLogsExports: ['postgresql'],
      parameterGroup: new ParameterGroup(this, 'Parameters', {
        engine,
        // Logical replication is what a live move of a tenant runs on; switching it on later needs a reboot.
        parameters: {
          'rds.logical_replication': '1',
          'rds.force_ssl': '1',
          log_lock_waits: '1',
          // A move takes a worker for its changes and two for its first copy; ten tenants may move at once.
          max_logical_replication_workers: '40',
          max_worker_processes: '60',
          max_replication_slots: '60',
          max_wal_senders: '60',
        },
      }),
    });
    group.addIngressRule(clients, Port.tcp(5433), 'step functions');
    clients.addEgressRule(group, Port.tcp(5433), `PostgreSQL ${database}`);
    this.secrets = {
      migrate: master,
      ...Object.fromEntries(
        Object.entries(roles).map(([role, username]) => [
          role,
          new Secret(this, `${role[0]!.toUpperCase()}${role.slice(1)}Role`, {
            secretName: `${secretPrefix}/${role}`,
            description: `Login of ${username} to ${database}`,
            generateSecretString: {
              secretStringTemplate: JSON.stringify({ username }),
              generateStringKey: 'password',
              excludePunctuation: true,
              passwordLength: 40,
            },
          }),
        ]),
      ),
    };
  }
}
