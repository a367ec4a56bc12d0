import { CfnSecurityGroup, CfnSecurityGroupEgress, CfnSecurityGroupIngress } from 'aws-cdk-lib/aws-ec2';
import type { CfnCluster } from 'aws-cdk-lib/aws-eks';
import type { CfnCondition } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { TenantNetwork } from './network.ts';
import type { TenantParameters } from './parameters.ts';

const https = { ipProtocol: 'tcp', fromPort: 443, toPort: 443 };
const postgres = { ipProtocol: 'tcp', fromPort: 5432, toPort: 5432 };
/** Shared servers listen on one of these: RDS instances on the first, the shared pool on the second. */
const sharedPostgres = { ipProtocol: 'tcp', fromPort: 5432, toPort: 5433 };

/**
 * Who may speak to whom: the internet to the load balancer, that to the app, the app to the database, and while the tenant moves
 * the shared VPC's databases and this one's to each other.
 */
export class TenantGroups extends Construct {
  readonly lb: CfnSecurityGroup;
  readonly app: CfnSecurityGroup;
  readonly db: CfnSecurityGroup;

  constructor(scope: Construct, id: string, network: TenantNetwork, parameters: TenantParameters) {
    super(scope, id);
    const group = (name: string, groupDescription: string, egress: CfnSecurityGroup.EgressProperty[] = []) =>
      new CfnSecurityGroup(this, name, {
        vpcId: network.vpc.attrVpcId,
        groupDescription,
        // Without a rule of its own a group lets everything out.
        securityGroupEgress: egress.length > 0 ? egress : [nowhere],
      });
    this.lb = group('Lb', 'Load balancers: 443 from the internet');
    this.app = group('App', 'The app: 443 from the load balancer, out to the database and to 443', [
      { ...https, cidrIp: '0.0.0.0/0', description: 'images and AWS endpoints' },
    ]);
    this.db = group('Db', 'Databases: 5432 from the app');
    this.lb.securityGroupIngress = [{ ...https, cidrIp: '0.0.0.0/0', description: 'the internet' }];
    this.between('LbToApp', this.lb, this.app.attrGroupId, https);
    this.between('AppToDb', this.app, this.db.attrGroupId, postgres);
    const shared = parameters.sharedVpcCidr;
    this.fromShared('SharedToApi', this.app, { ...https, cidrIp: shared }, parameters.peered);
    this.fromShared('SharedToDb', this.db, { ...postgres, cidrIp: shared }, parameters.moving);
    const out = new CfnSecurityGroupEgress(this, 'DbToShared', {
      groupId: this.db.attrGroupId,
      ...sharedPostgres,
      cidrIp: shared,
      description: 'replication of a tenant that moves',
    });
    out.cfnOptions.condition = parameters.moving;
  }

  /** Auto Mode's nodes, and the pods on them, are in the group that EKS makes for the cluster. */
  letIn(cluster: CfnCluster): void {
    const nodes = cluster.attrClusterSecurityGroupId;
    new CfnSecurityGroupIngress(this, 'NodesToDb', {
      groupId: this.db.attrGroupId,
      sourceSecurityGroupId: nodes,
      ...postgres,
      description: 'pods of the app',
    });
    new CfnSecurityGroupIngress(this, 'LbToNodes', {
      groupId: nodes,
      sourceSecurityGroupId: this.lb.attrGroupId,
      ...https,
      description: 'load balancer',
    });
  }

  private between(id: string, from: CfnSecurityGroup, to: string, ports: typeof https): void {
    new CfnSecurityGroupIngress(this, `${id}In`, { groupId: to, sourceSecurityGroupId: from.attrGroupId, ...ports });
    new CfnSecurityGroupEgress(this, `${id}Out`, {
      groupId: from.attrGroupId,
      destinationSecurityGroupId: to,
      ...ports,
    });
  }

  private fromShared(
    id: string,
    to: CfnSecurityGroup,
    rule: { ipProtocol: string; fromPort: number; toPort: number; cidrIp: string },
    condition: CfnCondition,
  ): void {
    const ingress = new CfnSecurityGroupIngress(this, id, {
      groupId: to.attrGroupId,
      ...rule,
      description: 'shared platform',
    });
    ingress.cfnOptions.condition = condition;
  }
}

/** A rule that lets nothing out: a host that does not exist, as CDK writes it. */
const nowhere = {
  cidrIp: '255.255.255.255/32',
  description: 'Disallow all traffic',
  ipProtocol: 'icmp',
  fromPort: 252,
  toPort: 86,
};
