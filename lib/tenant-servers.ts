import { type ISecurityGroup, type IVpc, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import {
  DatabaseInstanceEngine,
  type IParameterGroup,
  ParameterGroup,
  PostgresEngineVersion,
  SubnetGroup,
} from 'aws-cdk-lib/aws-rds';
import { RemovalPolicy } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';

export interface TenantServersProps {
  readonly vpc: IVpc;
  /** Who may connect to them. */
  readonly clients: ISecurityGroup;
}

/** Major and minor version of servers that tenants have for themselves: that of the pool, so that digests compare. */
const version = PostgresEngineVersion.of('16.6', '16');

/**
 * What RDS instances of single tenants are made with: the workflow makes the instances themselves. Their port lets in the step
 * functions, and each other: a tenant that moves replicates from one server to the other, and back.
 */
export class TenantServers extends Construct {
  readonly group: ISecurityGroup;
  readonly subnets: SubnetGroup;
  readonly parameters: IParameterGroup;
  /** Names by which the workflow asks for them. */
  readonly parameterGroupName: string;
  readonly recoveryParameterGroupName: string;
  readonly engineVersion = version.postgresFullVersion;

  constructor(scope: Construct, id: string, { vpc, clients }: TenantServersProps) {
    super(scope, id);
    const group = new SecurityGroup(this, 'Group', {
      vpc,
      description: 'PostgreSQL servers of single tenants',
      allowAllOutbound: false,
    });
    group.addIngressRule(clients, Port.tcp(5432), 'step functions');
    clients.addEgressRule(group, Port.tcp(5432), 'servers of single tenants');
    group.addIngressRule(group, Port.tcp(5432), 'replication of a tenant that moves');
    group.addEgressRule(group, Port.tcp(5432), 'replication of a tenant that moves');
    this.group = group;
    this.subnets = new SubnetGroup(this, 'Subnets', {
      vpc,
      vpcSubnets: { subnetGroupName: 'databases' },
      description: 'PostgreSQL servers of single tenants',
      subnetGroupName: 'tenantry-tenant-servers',
      removalPolicy: RemovalPolicy.RETAIN,
    });
    const engine = DatabaseInstanceEngine.postgres({ version });
    // Static: a server that starts without it could neither receive a move nor give one back before its next reboot.
    const common = { 'rds.logical_replication': '1', 'rds.force_ssl': '1', log_lock_waits: '1' };
    const parameters = new ParameterGroup(this, 'Parameters', {
      engine,
      name: 'tenantry-tenant-servers',
      description: 'PostgreSQL servers of single tenants',
      parameters: common,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    this.parameters = parameters;
    this.parameterGroupName = parameters.bindToInstance({}).parameterGroupName;
    const recovery = new ParameterGroup(this, 'RecoveryParameters', {
      engine,
      name: 'tenantry-tenant-servers-recovery',
      description: 'Servers of single tenants as they were at a moment',
      // No worker, no subscription: one of a move that was open at that moment would go on in the copy.
      parameters: { ...common, max_logical_replication_workers: '0' },
      removalPolicy: RemovalPolicy.RETAIN,
    });
    this.recoveryParameterGroupName = recovery.bindToInstance({}).parameterGroupName;
  }

  /** Lets a shared server and the tenants' own ones replicate to each other. */
  replicateWith(shared: ISecurityGroup, port: number): void {
    shared.addIngressRule(this.group, Port.tcp(port), 'replication of a tenant that moves');
    shared.addEgressRule(this.group, Port.tcp(5432), 'replication of a tenant that moves');
    this.group.addIngressRule(shared, Port.tcp(5432), 'replication of a tenant that moves');
    this.group.addEgressRule(shared, Port.tcp(port), 'replication of a tenant that moves');
  }
}
