import { CfnCondition, CfnParameter, Fn } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';

/** How many route tables of the shared VPC lead to a tenant's: `lib/network.ts` has two kinds of subnets in two zones. */
export const sharedRouteTables = 4;

/** What differs from one tenant's stack to another's; `TenantStackParameters` of the adapter gives the values. */
export class TenantParameters extends Construct {
  readonly tenantId: string;
  readonly vpcCidr: string;
  readonly kubernetesVersion: string;
  readonly nodeMinimum: string;
  readonly nodeMaximum: string;
  readonly orchestratorRoleArn: string;
  readonly operatorArn: string;
  readonly deletionProtection: string;
  readonly sharedVpcId: string;
  readonly sharedVpcCidr: string;
  readonly sharedRouteTableIds: string[];
  /** The tenant's VPC is peered with the shared one. */
  readonly peered: CfnCondition;
  /** Databases of the shared VPC and of the tenant replicate to each other. */
  readonly moving: CfnCondition;
  /** People have administration of the cluster beside the orchestrator. */
  readonly operated: CfnCondition;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    const text = (name: string, description: string, more: object = {}): string =>
      this.named(name, { type: 'String', description, ...more }).valueAsString;
    this.tenantId = text('TenantId', 'Whose stack this is', { allowedPattern: '[a-z][a-z0-9-]{0,38}[a-z0-9]' });
    this.vpcCidr = text('VpcCidr', 'Addresses of the VPC, apart from those of every network that it is peered with', {
      allowedPattern: '(\\d{1,3}\\.){3}\\d{1,3}/20',
      constraintDescription: 'must be an IPv4 block of /20, such as 10.64.16.0/20',
    });
    this.kubernetesVersion = text('KubernetesVersion', 'Version of the control plane', {
      default: '1.35',
      allowedPattern: '1\\.\\d{2}',
    });
    const nodes = (name: string, description: string, standard: number): string =>
      this.named(name, { type: 'Number', description, default: standard, minValue: 1, maxValue: 100 }).valueAsString;
    this.nodeMinimum = nodes('NodeMinimum', 'Nodes that the node pool of the tenant always has', 1);
    this.nodeMaximum = nodes('NodeMaximum', 'Nodes that the node pool of the tenant may grow to', 4);
    this.orchestratorRoleArn = text('OrchestratorRoleArn', 'Role whose sessions administer the cluster', {
      allowedPattern: 'arn:[\\w-]+:iam::\\d{12}:role/.+',
    });
    this.operatorArn = text('OperatorArn', 'Role or user that administers the cluster with kubectl; empty: none', {
      default: '',
    });
    this.deletionProtection = this.flag('DeletionProtection', 'EKS refuses to delete the cluster').valueAsString;
    this.sharedVpcId = text('SharedVpcId', 'VPC of the shared platform; empty: no peering', { default: '' });
    this.sharedVpcCidr = text('SharedVpcCidr', 'Its addresses', { default: '10.0.0.0/16' });
    this.sharedRouteTableIds = this.named('SharedRouteTableIds', {
      type: 'CommaDelimitedList',
      description: `Its ${sharedRouteTables} route tables, which get a way to the tenant's VPC`,
      default: '',
    }).valueAsList;
    const reach = this.flag(
      'DatabaseFromSharedVpc',
      "Databases of the shared VPC replicate with the tenant's: for a move and its way back",
    );
    this.peered = this.condition('Peered', Fn.conditionNot(Fn.conditionEquals(this.sharedVpcId, '')));
    this.moving = this.condition(
      'Moving',
      Fn.conditionAnd(this.peered, Fn.conditionEquals(reach.valueAsString, 'true')),
    );
    this.operated = this.condition('Operated', Fn.conditionNot(Fn.conditionEquals(this.operatorArn, '')));
  }

  private named(name: string, props: ConstructorParameters<typeof CfnParameter>[2]): CfnParameter {
    const parameter = new CfnParameter(this, name, props);
    parameter.overrideLogicalId(name);
    return parameter;
  }

  private flag(name: string, description: string): CfnParameter {
    return this.named(name, { type: 'String', description, default: 'false', allowedValues: ['true', 'false'] });
  }

  private condition(name: string, expression: ReturnType<typeof Fn.conditionNot>): CfnCondition {
    const condition = new CfnCondition(this, name, { expression });
    condition.overrideLogicalId(name);
    return condition;
  }
}
