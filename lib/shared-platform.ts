import type { ISecurityGroup, IVpc } from 'aws-cdk-lib/aws-ec2';
import { type IRole, Role, ServicePrincipal, SessionTagsPrincipal } from 'aws-cdk-lib/aws-iam';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Stack, type StackProps } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { acknowledge } from './acknowledgements.ts';
import { createArchive } from './archive.ts';
import { AuroraDatabase } from './aurora-database.ts';
import { createNetwork } from './network.ts';
import type { Parameters } from './parameters.ts';
import { SharedCluster } from './shared-cluster.ts';
import { TenantClusters } from './tenant-clusters.ts';
import { TenantServers } from './tenant-servers.ts';

export interface SharedPlatformProps extends StackProps {
  readonly parameters: Parameters;
}

/** What holds state and outlives a deployment of the code: network, registry, the shared pool of tenants, archives. */
export class SharedPlatform extends Stack {
  readonly vpc: IVpc;
  readonly functionsGroup: ISecurityGroup;
  readonly registry: AuroraDatabase;
  readonly pool: AuroraDatabase;
  readonly servers: TenantServers;
  readonly clusters: TenantClusters;
  readonly sharedCluster: SharedCluster;
  readonly serverClass: string;
  readonly serverStorage: number;
  readonly archive: Bucket;
  /** Image and certificate of tenants' own apps. */
  readonly appImage: string;
  readonly appCertificate: string;
  readonly appChart: string;
  /** What their pods are to AWS. It may do nothing of itself; session tags tell cluster, namespace and service account. */
  readonly appRole: IRole;

  constructor(scope: Construct, id: string, { parameters, ...props }: SharedPlatformProps) {
    super(scope, id, {
      ...props,
      terminationProtection: true,
      description: 'Tenantry: network, databases and archives',
    });
    const { vpc, functionsGroup, endpointsGroup } = createNetwork(this);
    this.vpc = vpc;
    this.functionsGroup = functionsGroup;
    const database = { vpc: this.vpc, clients: this.functionsGroup, parameters };
    this.registry = new AuroraDatabase(this, 'Registry', {
      ...database,
      database: 'control',
      secretPrefix: 'tenantry/registry',
      roles: { control: 'tenantry_control', router: 'tenantry_router' },
    });
    this.pool = new AuroraDatabase(this, 'Pool', {
      ...database,
      database: 'pool',
      secretPrefix: 'tenantry/shared-1',
      roles: {
        app: 'tenantry_app',
        provision: 'tenantry_provision',
        backup: 'tenantry_backup',
        restore: 'tenantry_restore',
        replicate: 'tenantry_replicate',
      },
    });
    this.serverClass = parameters.serverClass;
    this.serverStorage = parameters.serverStorage;
    this.servers = new TenantServers(this, 'TenantServers', { vpc: this.vpc, clients: this.functionsGroup });
    this.servers.replicateWith(this.pool.group, 5433);
    this.clusters = new TenantClusters(this, 'TenantClusters', { vpc, parameters });
    this.clusters.connect(functionsGroup, [
      { group: this.pool.group, port: 5433 },
      { group: this.servers.group, port: 5432 },
    ]);
    this.sharedCluster = new SharedCluster(this, 'SharedCluster', {
      name: 'tenantry-shared-1',
      version: this.clusters.kubernetesVersion,
      vpc,
      nodes: 'nodes',
      balancers: 'balancers',
      clients: functionsGroup,
      roleArn: this.clusters.role.roleArn,
      operatorArn: this.clusters.operatorArn,
    });
    this.sharedCluster.reach(endpointsGroup);
    this.sharedCluster.connectTo(this.pool.group, 5433);
    this.sharedCluster.connectTo(this.servers.group, 5432);
    this.archive = createArchive(this, parameters);
    this.appImage =
      parameters.appImage ?? `${this.account}.dkr.ecr.${this.region}.${this.urlSuffix}/tenantry-app:latest`;
    this.appCertificate = parameters.appCertificate ?? '';
    this.appChart = parameters.appChart ?? '';
    this.appRole = new Role(this, 'AppRole', {
      roleName: 'tenantry-app',
      description: 'Pods of the apps of single tenants, by EKS Pod Identity',
      assumedBy: new SessionTagsPrincipal(new ServicePrincipal('pods.eks.amazonaws.com')),
    });
    acknowledge(this);
  }
}
