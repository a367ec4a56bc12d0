import { CfnRoute, CfnVPCPeeringConnection } from 'aws-cdk-lib/aws-ec2';
import { Fn } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { TenantNetwork } from './network.ts';
import { sharedRouteTables, type TenantParameters } from './parameters.ts';

/**
 * The way between the shared VPC and the tenant's, where the stack is told of a shared one in its own account and region: steps
 * reach the cluster's API and the tenant's database over it, and databases replicate.
 */
export class TenantPeering extends Construct {
  constructor(scope: Construct, id: string, { vpc, tables }: TenantNetwork, parameters: TenantParameters) {
    super(scope, id);
    const peering = new CfnVPCPeeringConnection(this, 'Connection', {
      vpcId: vpc.attrVpcId,
      peerVpcId: parameters.sharedVpcId,
    });
    peering.cfnOptions.condition = parameters.peered;
    const route = (name: string, routeTableId: string, destinationCidrBlock: string): void => {
      const made = new CfnRoute(this, name, {
        routeTableId,
        destinationCidrBlock,
        vpcPeeringConnectionId: peering.attrId,
      });
      made.cfnOptions.condition = parameters.peered;
    };
    route('AppToShared', tables.App.attrRouteTableId, parameters.sharedVpcCidr);
    route('DbToShared', tables.Db.attrRouteTableId, parameters.sharedVpcCidr);
    for (let index = 0; index < sharedRouteTables; index += 1)
      route(`SharedToTenant${index}`, Fn.select(index, parameters.sharedRouteTableIds), vpc.attrCidrBlock);
  }
}
