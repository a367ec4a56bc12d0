import { randomUUID } from 'node:crypto';
import { contains, overlaps, readBlock } from './cidr.ts';
import { ec2Id, textOf } from './names.ts';
import { HandlerFailure, type ResourceContext, type ResourceType } from './resource-type.ts';
import type { ResourceRecord } from './store.ts';
import type { Json, JsonObject } from './template.ts';

/** EC2's own errors as CloudFormation repeats them. */
const ec2Failure = (code: string, message: string): HandlerFailure =>
  new HandlerFailure(code, `${message} (Service: Ec2, Status Code: 400, Request ID: ${randomUUID()})`);

const isThere = ({ status }: ResourceRecord): boolean =>
  ['CREATE_IN_PROGRESS', 'CREATE_COMPLETE', 'DELETE_IN_PROGRESS', 'DELETE_FAILED', 'DELETE_SKIPPED'].includes(status);

/** Those of all stacks, this one's own left out. */
const othersOf = ({ store, stack, id }: ResourceContext, type: string): ResourceRecord[] =>
  store.resourcesOfType(type).filter((found) => isThere(found) && !(found.stackId === stack.id && found.id === id));

const blockOf = (properties: JsonObject) => {
  const text = textOf(properties.CidrBlock);
  const block = readBlock(text);
  if (block && block.prefix >= 16 && block.prefix <= 28) return block;
  throw ec2Failure('InvalidRequest', `The CIDR '${text}' is invalid.`);
};

const vpc: ResourceType = {
  required: ['CidrBlock'],
  attributes: ['VpcId', 'CidrBlock', 'DefaultSecurityGroup', 'DefaultNetworkAcl'],
  physicalId: (_, context) => ec2Id('vpc', context),
  create: (properties, physicalId, context) => {
    blockOf(properties);
    if (othersOf(context, 'AWS::EC2::VPC').length >= context.quotas.vpcs)
      throw ec2Failure('ServiceLimitExceeded', 'The maximum number of VPCs has been reached.');
    return {
      attributes: {
        VpcId: physicalId,
        CidrBlock: properties.CidrBlock!,
        DefaultSecurityGroup: ec2Id('sg', context),
        DefaultNetworkAcl: ec2Id('acl', context),
      },
    };
  },
  remove: (_, physicalId, { store }) => {
    if (store.leftovers.get(physicalId))
      throw ec2Failure('InvalidRequest', `The vpc '${physicalId}' has dependencies and cannot be deleted.`);
  },
};

const subnet: ResourceType = {
  required: ['VpcId', 'CidrBlock'],
  attributes: ['SubnetId', 'VpcId', 'CidrBlock', 'AvailabilityZone'],
  physicalId: (_, context) => ec2Id('subnet', context),
  create: (properties, physicalId, context) => {
    const block = blockOf(properties);
    const text = textOf(properties.CidrBlock);
    const home = context.store
      .resourcesOfType('AWS::EC2::VPC')
      .find((found) => isThere(found) && found.physicalId === properties.VpcId);
    const outer = home && readBlock(textOf(home.properties.CidrBlock));
    if (outer && !contains(outer, block)) throw ec2Failure('InvalidRequest', `The CIDR '${text}' is invalid.`);
    const siblings = othersOf(context, 'AWS::EC2::Subnet').filter(
      (found) => found.properties.VpcId === properties.VpcId && found.status !== 'CREATE_IN_PROGRESS',
    );
    if (siblings.some((found) => overlaps(readBlock(textOf(found.properties.CidrBlock))!, block)))
      throw ec2Failure('AlreadyExists', `The CIDR '${text}' conflicts with another subnet`);
    return {
      attributes: {
        SubnetId: physicalId,
        VpcId: properties.VpcId!,
        CidrBlock: text,
        AvailabilityZone: textOf(properties.AvailabilityZone) || `${context.account.region}a`,
      },
    };
  },
};

/** An address of TEST-NET-3, which nothing routes. */
const addressOf = (context: ResourceContext): string =>
  `203.0.113.${1 + (Number.parseInt(ec2Id('eip', context).slice(-6), 16) % 254)}`;

const elasticIp: ResourceType = {
  required: [],
  attributes: ['AllocationId', 'PublicIp'],
  physicalId: (_, context) => addressOf(context),
  create: (_, physicalId, context) => {
    if (othersOf(context, 'AWS::EC2::EIP').length >= context.quotas.addresses)
      throw ec2Failure('ServiceLimitExceeded', 'The maximum number of addresses has been reached.');
    return { attributes: { AllocationId: ec2Id('eipalloc', context), PublicIp: physicalId } };
  },
};

const peering: ResourceType = {
  required: ['VpcId', 'PeerVpcId'],
  attributes: ['Id'],
  physicalId: (_, context) => ec2Id('pcx', context),
  create: (_, physicalId) => ({ attributes: { Id: physicalId } }),
};

const securityGroup: ResourceType = {
  required: ['GroupDescription'],
  attributes: ['GroupId', 'Id', 'VpcId'],
  physicalId: (_, context) => ec2Id('sg', context),
  create: (properties, physicalId) => ({
    attributes: { GroupId: physicalId, Id: physicalId, VpcId: properties.VpcId ?? '' },
  }),
};

/** A record with an id of its own under one attribute. */
const plain = (prefix: string, attribute: string, ...required: string[]): ResourceType => ({
  required,
  attributes: [attribute],
  physicalId: (_, context) => ec2Id(prefix, context),
  create: (_, physicalId): { attributes: Record<string, Json> } => ({ attributes: { [attribute]: physicalId } }),
});

/** What has no id in EC2 but that of the things that it ties together. */
const tie = (attribute: string, ...of: string[]): ResourceType => ({
  required: of,
  attributes: [attribute],
  physicalId: (properties) => of.map((name) => textOf(properties[name])).join('|'),
  create: (_, physicalId): { attributes: Record<string, Json> } => ({ attributes: { [attribute]: physicalId } }),
});

/** EC2 as records: nothing is routed and nothing filtered; names, blocks, quotas and what keeps a VPC are as in EC2. */
export const networkTypes: Readonly<Record<string, ResourceType>> = {
  'AWS::EC2::VPC': vpc,
  'AWS::EC2::Subnet': subnet,
  'AWS::EC2::EIP': elasticIp,
  'AWS::EC2::InternetGateway': plain('igw', 'InternetGatewayId'),
  'AWS::EC2::VPCGatewayAttachment': plain('igw-attach', 'AttachmentType', 'VpcId'),
  'AWS::EC2::NatGateway': plain('nat', 'NatGatewayId', 'SubnetId'),
  'AWS::EC2::RouteTable': plain('rtb', 'RouteTableId', 'VpcId'),
  'AWS::EC2::Route': {
    ...tie('CidrBlock', 'RouteTableId'),
    physicalId: ({ RouteTableId, DestinationCidrBlock }) => `${textOf(RouteTableId)}|${textOf(DestinationCidrBlock)}`,
  },
  'AWS::EC2::SubnetRouteTableAssociation': plain('rtbassoc', 'Id', 'RouteTableId', 'SubnetId'),
  'AWS::EC2::SecurityGroup': securityGroup,
  'AWS::EC2::SecurityGroupIngress': plain('sgr', 'Id', 'IpProtocol'),
  'AWS::EC2::SecurityGroupEgress': plain('sgr', 'Id', 'IpProtocol', 'GroupId'),
  'AWS::EC2::VPCEndpoint': plain('vpce', 'Id', 'VpcId', 'ServiceName'),
  'AWS::EC2::VPCPeeringConnection': peering,
  'AWS::EC2::FlowLog': plain('fl', 'Id', 'ResourceId', 'ResourceType'),
};
