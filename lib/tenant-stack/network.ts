import {
  CfnEIP,
  CfnFlowLog,
  CfnInternetGateway,
  CfnNatGateway,
  CfnRoute,
  CfnRouteTable,
  CfnSubnet,
  CfnSubnetRouteTableAssociation,
  CfnVPC,
  CfnVPCGatewayAttachment,
} from 'aws-cdk-lib/aws-ec2';
import { CfnRole } from 'aws-cdk-lib/aws-iam';
import { CfnLogGroup } from 'aws-cdk-lib/aws-logs';
import { Fn, Tags } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';

type Part = 'App' | 'Db' | 'Dmz';

const zones = ['A', 'B'] as const;

/** Part -> size of its blocks in host bits, and which of the VPC's blocks of that size are its own, by zone. */
const layout: Readonly<Record<Part, { readonly bits: number; readonly blocks: readonly [number, number] }>> = {
  // Pods have addresses of the VPC: 1,019 in each zone. The last /22 of the /20 is left free.
  App: { bits: 10, blocks: [1, 2] },
  Db: { bits: 8, blocks: [2, 3] },
  Dmz: { bits: 8, blocks: [0, 1] },
};

/** Tags by which EKS finds the subnets of internal and of internet-facing load balancers. */
const roles: Readonly<Partial<Record<Part, string>>> = {
  App: 'kubernetes.io/role/internal-elb',
  Dmz: 'kubernetes.io/role/elb',
};

/** One tenant's VPC: app (nodes and pods, out through NAT), db (no way out), dmz (load balancers and NAT), each in two zones. */
export class TenantNetwork extends Construct {
  readonly vpc: CfnVPC;
  readonly subnets: Readonly<Record<Part, readonly CfnSubnet[]>>;
  readonly tables: Readonly<Record<Part, CfnRouteTable>>;

  constructor(scope: Construct, id: string, vpcCidr: string) {
    super(scope, id);
    this.vpc = new CfnVPC(this, 'Vpc', { cidrBlock: vpcCidr, enableDnsHostnames: true, enableDnsSupport: true });
    this.vpc.overrideLogicalId('Vpc');
    this.tables = { App: this.table('App'), Db: this.table('Db'), Dmz: this.table('Dmz') };
    this.subnets = { App: this.part('App'), Db: this.part('Db'), Dmz: this.part('Dmz') };
    this.openToInternet();
    this.logRejected();
  }

  ids(part: Part): string[] {
    return this.subnets[part].map(({ attrSubnetId }) => attrSubnetId);
  }

  private table(part: Part): CfnRouteTable {
    return new CfnRouteTable(this, `${part}Routes`, { vpcId: this.vpc.attrVpcId });
  }

  private part(part: Part): CfnSubnet[] {
    const { bits, blocks } = layout[part];
    return zones.map((zone, index) => {
      const subnet = new CfnSubnet(this, `${part}${zone}`, {
        vpcId: this.vpc.attrVpcId,
        availabilityZone: Fn.select(index, Fn.getAzs()),
        cidrBlock: Fn.select(blocks[index]!, Fn.cidr(this.vpc.attrCidrBlock, 2 ** (12 - bits), String(bits))),
      });
      const role = roles[part];
      if (role !== undefined) Tags.of(subnet).add(role, '1');
      new CfnSubnetRouteTableAssociation(this, `${part}${zone}Routing`, {
        subnetId: subnet.attrSubnetId,
        routeTableId: this.tables[part].attrRouteTableId,
      });
      return subnet;
    });
  }

  /** One NAT gateway for both zones: a zone's loss costs a tenant the way out, a second gateway 33 dollars a month. */
  private openToInternet(): void {
    const gateway = new CfnInternetGateway(this, 'Internet');
    const attachment = new CfnVPCGatewayAttachment(this, 'InternetAttachment', {
      vpcId: this.vpc.attrVpcId,
      internetGatewayId: gateway.attrInternetGatewayId,
    });
    const route = new CfnRoute(this, 'DmzToInternet', {
      routeTableId: this.tables.Dmz.attrRouteTableId,
      destinationCidrBlock: '0.0.0.0/0',
      gatewayId: gateway.attrInternetGatewayId,
    });
    route.addResourceDependency(attachment);
    const address = new CfnEIP(this, 'NatAddress', { domain: 'vpc' });
    address.addResourceDependency(attachment);
    const nat = new CfnNatGateway(this, 'Nat', {
      subnetId: this.subnets.Dmz[0]!.attrSubnetId,
      allocationId: address.attrAllocationId,
    });
    nat.addResourceDependency(route);
    new CfnRoute(this, 'AppToNat', {
      routeTableId: this.tables.App.attrRouteTableId,
      destinationCidrBlock: '0.0.0.0/0',
      natGatewayId: nat.attrNatGatewayId,
    });
  }

  private logRejected(): void {
    const log = new CfnLogGroup(this, 'FlowLog', { retentionInDays: 90 });
    const role = new CfnRole(this, 'FlowLogRole', {
      assumeRolePolicyDocument: {
        Version: '2012-10-17',
        Statement: [
          { Effect: 'Allow', Principal: { Service: 'vpc-flow-logs.amazonaws.com' }, Action: 'sts:AssumeRole' },
        ],
      },
      policies: [
        {
          policyName: 'write',
          policyDocument: {
            Version: '2012-10-17',
            Statement: [
              {
                Effect: 'Allow',
                Action: ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
                Resource: log.attrArn,
              },
            ],
          },
        },
      ],
    });
    new CfnFlowLog(this, 'Flows', {
      resourceId: this.vpc.attrVpcId,
      resourceType: 'VPC',
      trafficType: 'REJECT',
      logDestinationType: 'cloud-watch-logs',
      logGroupName: log.ref,
      deliverLogsPermissionArn: role.attrArn,
    });
  }
}
