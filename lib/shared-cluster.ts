import { type ISecurityGroup, type IVpc, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { Tags } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { AutoModeCluster } from './auto-mode-cluster.ts';

export interface SharedClusterProps {
  /** Name in EKS and in the registry: it begins with `tenantry-`, for which roles of the steps are made. */
  readonly name: string;
  readonly version: string;
  /** Its groups of subnets: where nodes and pods are, and where load balancers are. */
  readonly vpc: IVpc;
  readonly nodes: string;
  readonly balancers: string;
  /** Who speaks to its API: the steps. */
  readonly clients: ISecurityGroup;
  /** Role whose sessions administer it. */
  readonly roleArn: string;
  /** Role or user of the people who use kubectl; empty: nobody. */
  readonly operatorArn: string;
}

/**
 * The cluster in which tenants of tier `namespace` have theirs, beside the shared databases. Its nodes have no way out: images and
 * AWS come through the endpoints of the VPC.
 */
export class SharedCluster extends Construct {
  readonly name: string;
  /** Of the nodes, and the pods on them: EKS makes it. */
  readonly nodesGroup: ISecurityGroup;

  constructor(scope: Construct, id: string, props: SharedClusterProps) {
    super(scope, id);
    const { vpc, name, clients } = props;
    this.name = name;
    const api = new SecurityGroup(this, 'Api', {
      vpc,
      description: `API of cluster ${name}`,
      allowAllOutbound: false,
    });
    api.addIngressRule(clients, Port.tcp(443), 'step functions');
    const nodes = vpc.selectSubnets({ subnetGroupName: props.nodes });
    const kubernetes = new AutoModeCluster(this, 'Kubernetes', {
      name,
      version: props.version,
      subnetIds: nodes.subnetIds,
      securityGroupIds: [api.securityGroupId],
      nodePools: ['general-purpose', 'system'],
      deletionProtection: true,
      tags: {},
    });
    kubernetes.admit('Orchestrator', props.roleArn);
    if (props.operatorArn !== '') kubernetes.admit('Operator', props.operatorArn);
    this.nodesGroup = SecurityGroup.fromSecurityGroupId(this, 'Nodes', kubernetes.cluster.attrClusterSecurityGroupId, {
      mutable: true,
    });
    // Tags by which Auto Mode finds the subnets of internal and of internet-facing load balancers.
    const tagged = { [props.nodes]: 'kubernetes.io/role/internal-elb', [props.balancers]: 'kubernetes.io/role/elb' };
    for (const [subnetGroupName, role] of Object.entries(tagged))
      for (const subnet of vpc.selectSubnets({ subnetGroupName }).subnets) Tags.of(subnet).add(role, '1');
  }

  /** Lets the cluster's pods connect to a database. */
  connectTo(database: ISecurityGroup, port: number): void {
    database.addIngressRule(this.nodesGroup, Port.tcp(port), 'pods of tenants');
  }

  /** Lets nodes and pods reach the AWS endpoints of the VPC. */
  reach(endpoints: ISecurityGroup): void {
    endpoints.addIngressRule(this.nodesGroup, Port.tcp(443), `nodes of cluster ${this.name}`);
  }
}
