import { type ISecurityGroup, type IVpc, Peer, Port } from 'aws-cdk-lib/aws-ec2';
import { AccountPrincipal, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { Parameters } from './parameters.ts';
import { stackPermissions } from './tenant-stack/permissions.ts';
import { tenantTemplateAsset } from './tenant-stack.ts';

/** A shared database, and the port that it listens on. */
export interface SharedDatabase {
  readonly group: ISecurityGroup;
  readonly port: number;
}

export interface TenantClustersProps {
  readonly vpc: IVpc;
  readonly parameters: Parameters;
}

/** Addresses of which every tenant with a cluster of its own gets a /20: room for 1,024, apart from CDK's usual 10.0.0.0/16. */
const networkRange = '10.64.0.0/10';

/**
 * What clusters of single tenants are made with: the workflow makes the clusters themselves. One role administers all of them and
 * is assumed by the steps that speak Kubernetes; another is CloudFormation's own while it makes or deletes a tenant's stack, so that
 * no step may make networks or roles itself.
 */
export class TenantClusters extends Construct {
  readonly template: Asset;
  /** Whose sessions every cluster knows. */
  readonly role: Role;
  /** What CloudFormation acts as. */
  readonly stackRole: Role;
  readonly networkRange = networkRange;
  readonly kubernetesVersion = '1.35';
  readonly vpcId: string;
  readonly vpcCidr: string;
  readonly routeTableIds: readonly string[];
  /** Empty for nobody. */
  readonly operatorArn: string;

  constructor(scope: Construct, id: string, { vpc, parameters }: TenantClustersProps) {
    super(scope, id);
    const { partition, region, account } = Stack.of(this);
    const clusters = `arn:${partition}:eks:${region}:${account}:cluster/tenantry-*`;
    this.template = tenantTemplateAsset(this, 'Template');
    this.role = new Role(this, 'Role', {
      description: 'Administers the Kubernetes of every cluster of Tenantry',
      assumedBy: new AccountPrincipal(account),
      inlinePolicies: {
        find: new PolicyDocument({
          statements: [new PolicyStatement({ actions: ['eks:DescribeCluster'], resources: [clusters] })],
        }),
      },
    });
    this.stackRole = new Role(this, 'StackRole', {
      description: 'CloudFormation, while it makes or deletes the stack of a tenant',
      assumedBy: new ServicePrincipal('cloudformation.amazonaws.com'),
      inlinePolicies: { stack: new PolicyDocument({ statements: stackPermissions(this) }) },
    });
    this.operatorArn = parameters.clusterOperator ?? '';
    this.vpcId = vpc.vpcId;
    this.vpcCidr = vpc.vpcCidrBlock;
    this.routeTableIds = ['functions', 'databases'].flatMap((subnetGroupName) =>
      vpc.selectSubnets({ subnetGroupName }).subnets.map(({ routeTable }) => routeTable.routeTableId),
    );
  }

  /** Lets steps into databases in tenants' networks, and those and the shared ones replicate to each other. */
  connect(clients: ISecurityGroup, databases: readonly SharedDatabase[]): void {
    const tenants = Peer.ipv4(networkRange);
    clients.addEgressRule(tenants, Port.tcp(5432), "databases in tenants' networks");
    for (const { group, port } of databases) {
      group.addIngressRule(tenants, Port.tcp(port), 'replication of a tenant that moves');
      group.addEgressRule(tenants, Port.tcp(5432), 'replication of a tenant that moves');
    }
  }
}
