import {
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpointAwsService,
  type ISecurityGroup,
  type IVpc,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import type { Construct } from 'constructs';

/**
 * Two zones. Functions, nodes and databases have no way out, not even NAT: they reach the services that they call through
 * endpoints, S3 through a gateway. Load balancers alone are in subnets that the internet reaches.
 */
export const createNetwork = (
  scope: Construct,
): { vpc: IVpc; functionsGroup: ISecurityGroup; endpointsGroup: ISecurityGroup } => {
  const vpc = new Vpc(scope, 'Network', {
    maxAzs: 2,
    natGateways: 0,
    restrictDefaultSecurityGroup: true,
    subnetConfiguration: [
      { name: 'functions', subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 20 },
      { name: 'databases', subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 24 },
      // Pods have addresses of the VPC: 8,187 in each zone.
      { name: 'nodes', subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 19 },
      { name: 'balancers', subnetType: SubnetType.PUBLIC, cidrMask: 24, mapPublicIpOnLaunch: false },
    ],
    gatewayEndpoints: { s3: { service: GatewayVpcEndpointAwsService.S3 } },
    flowLogs: { all: { destination: FlowLogDestination.toCloudWatchLogs(), trafficType: FlowLogTrafficType.REJECT } },
  });
  const functionsGroup = new SecurityGroup(scope, 'Functions', {
    vpc,
    description: 'Step functions: out to the databases and to AWS endpoints, nothing in',
    allowAllOutbound: false,
  });
  functionsGroup.addEgressRule(Peer.anyIpv4(), Port.tcp(443), 'AWS endpoints; there is no route out of the VPC');
  const endpointsGroup = new SecurityGroup(scope, 'Endpoints', {
    vpc,
    description: 'AWS endpoints',
    allowAllOutbound: false,
  });
  endpointsGroup.addIngressRule(functionsGroup, Port.tcp(443), 'step functions');
  for (const [name, service] of Object.entries({
    secrets: InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
    states: InterfaceVpcEndpointAwsService.STEP_FUNCTIONS,
    events: InterfaceVpcEndpointAwsService.EVENTBRIDGE,
    queues: InterfaceVpcEndpointAwsService.SQS,
    servers: InterfaceVpcEndpointAwsService.RDS,
    clusters: InterfaceVpcEndpointAwsService.EKS,
    stacks: InterfaceVpcEndpointAwsService.CLOUDFORMATION,
    roles: InterfaceVpcEndpointAwsService.STS,
    // What nodes without a way out need beside (EKS user guide, "Deploy private clusters").
    machines: InterfaceVpcEndpointAwsService.EC2,
    balancing: InterfaceVpcEndpointAwsService.ELASTIC_LOAD_BALANCING,
    identities: InterfaceVpcEndpointAwsService.EKS_AUTH,
    traces: InterfaceVpcEndpointAwsService.XRAY,
    // A container task pulls its image and writes its log from inside; Lambda does both from outside.
    registry: InterfaceVpcEndpointAwsService.ECR,
    images: InterfaceVpcEndpointAwsService.ECR_DOCKER,
    logs: InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
  }))
    vpc.addInterfaceEndpoint(name, {
      service,
      subnets: { subnetGroupName: 'functions' },
      securityGroups: [endpointsGroup],
      open: false,
    });
  return { vpc, functionsGroup, endpointsGroup };
};
