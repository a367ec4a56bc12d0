import { CfnSecurityGroup, CfnVPCEndpoint } from 'aws-cdk-lib/aws-ec2';
import { Aws } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { TenantNetwork } from './network.ts';

const interfaces = { EcrApi: 'ecr.api', EcrImages: 'ecr.dkr', Sts: 'sts', Logs: 'logs' } as const;

const serviceName = (service: string): string => `com.amazonaws.${Aws.REGION}.${service}`;

/** Ways to AWS that do not go over NAT: images lie in S3, and S3's is free. */
export class TenantEndpoints extends Construct {
  constructor(scope: Construct, id: string, { vpc, tables, ids }: TenantEndpointsProps) {
    super(scope, id);
    new CfnVPCEndpoint(this, 'S3', {
      vpcId: vpc.attrVpcId,
      serviceName: serviceName('s3'),
      vpcEndpointType: 'Gateway',
      routeTableIds: [tables.App.attrRouteTableId, tables.Db.attrRouteTableId],
    });
    const group = new CfnSecurityGroup(this, 'Group', {
      vpcId: vpc.attrVpcId,
      groupDescription: 'AWS endpoints: 443 from the VPC',
      securityGroupIngress: [
        { ipProtocol: 'tcp', fromPort: 443, toPort: 443, cidrIp: vpc.attrCidrBlock, description: 'the VPC' },
      ],
    });
    for (const [name, service] of Object.entries(interfaces))
      new CfnVPCEndpoint(this, name, {
        vpcId: vpc.attrVpcId,
        serviceName: serviceName(service),
        vpcEndpointType: 'Interface',
        privateDnsEnabled: true,
        subnetIds: ids,
        securityGroupIds: [group.attrGroupId],
      });
  }
}

export interface TenantEndpointsProps extends Pick<TenantNetwork, 'vpc' | 'tables'> {
  /** Subnets in which the endpoints have addresses. */
  readonly ids: string[];
}
