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
 * Two zones, isolated subnets only: no NAT and no way out. Functions reach the services that they call through
 * endpoints, S3 through a gateway.
 */
export const createNetwork = (scope: Construct): { vpc: IVpc; functionsGroup: ISecurityGroup } => {
  const vpc = new Vpc(scope, 'Network', {
    maxAzs: 2,
    natGateways: 0,
    restrictDefaultSecurityGroup: true,
    subnetConfiguration: [
      { name: 'functions', subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 20 },
      { name: 'databases', subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 24 },
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
  return { vpc, functionsGroup };
};
