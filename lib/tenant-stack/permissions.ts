import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Stack } from 'aws-cdk-lib/core';
import type { IConstruct } from 'constructs';
import { clusterPolicies, nodePolicies } from '../auto-mode-cluster.ts';

/** EC2 names no resource that is yet to be made: what these may touch is bounded by their verbs alone. */
const network = [
  ...['Vpc', 'Subnet', 'InternetGateway', 'NatGateway', 'RouteTable', 'Route', 'SecurityGroup', 'FlowLogs'].flatMap(
    (thing) => [`ec2:Create${thing}`, `ec2:Delete${thing}`],
  ),
  'ec2:CreateVpcEndpoint',
  'ec2:DeleteVpcEndpoints',
  'ec2:CreateVpcPeeringConnection',
  'ec2:AcceptVpcPeeringConnection',
  'ec2:DeleteVpcPeeringConnection',
  'ec2:AllocateAddress',
  'ec2:ReleaseAddress',
  'ec2:AssociateRouteTable',
  'ec2:DisassociateRouteTable',
  'ec2:AttachInternetGateway',
  'ec2:DetachInternetGateway',
  'ec2:ModifyVpcAttribute',
  'ec2:ModifySubnetAttribute',
  'ec2:ModifyVpcEndpoint',
  'ec2:AuthorizeSecurityGroupIngress',
  'ec2:AuthorizeSecurityGroupEgress',
  'ec2:RevokeSecurityGroupIngress',
  'ec2:RevokeSecurityGroupEgress',
  'ec2:CreateTags',
  'ec2:DeleteTags',
  ...[
    'AccountAttributes',
    'Addresses',
    'AvailabilityZones',
    'FlowLogs',
    'InternetGateways',
    'NatGateways',
    'NetworkAcls',
    'NetworkInterfaces',
    'RouteTables',
    'SecurityGroupRules',
    'SecurityGroups',
    'Subnets',
    'Tags',
    'VpcAttribute',
    'VpcEndpoints',
    'VpcPeeringConnections',
    'Vpcs',
  ].map((things) => `ec2:Describe${things}`),
];

/** A new key has no name that a policy could know. */
const keys = ['kms:CreateKey', 'kms:DescribeKey', 'kms:EnableKeyRotation', 'kms:PutKeyPolicy', 'kms:TagResource'];
const keysOfClusters = ['kms:CreateGrant', 'kms:ScheduleKeyDeletion', 'kms:GetKeyPolicy', 'kms:ListResourceTags'];

const roles = ['Get', 'Create', 'Delete', 'Tag', 'Untag'].map((verb) => `iam:${verb}Role`);
const rolesPolicies = ['iam:PutRolePolicy', 'iam:DeleteRolePolicy', 'iam:GetRolePolicy', 'iam:ListRolePolicies'];

/**
 * What CloudFormation needs for `lib/tenant-stack.ts`, and nothing else: names of clusters, roles and groups begin with that of
 * their stack, `tenantry-`. Roles get AWS's policies for EKS alone, and are handed to EKS, nodes and flow logs alone.
 */
export const stackPermissions = (scope: IConstruct): PolicyStatement[] => {
  const { partition, region, account } = Stack.of(scope);
  const arn = (service: string, rest: string): string => `arn:${partition}:${service}:${region}:${account}:${rest}`;
  const role = `arn:${partition}:iam::${account}:role/tenantry-*`;
  const allow = (actions: string[], resources: string[], conditions: Record<string, object> = {}): PolicyStatement =>
    new PolicyStatement({ actions, resources, conditions });
  return [
    allow([...network, ...keys, ...keysOfClusters], ['*'], { StringEquals: { 'aws:RequestedRegion': region } }),
    allow([...roles, ...rolesPolicies, 'iam:ListAttachedRolePolicies', 'iam:ListRoleTags'], [role]),
    allow(['iam:AttachRolePolicy', 'iam:DetachRolePolicy'], [role], {
      ArnEquals: {
        'iam:PolicyARN': [...clusterPolicies, ...nodePolicies].map(
          (name) => `arn:${partition}:iam::aws:policy/${name}`,
        ),
      },
    }),
    allow(['iam:PassRole'], [role], {
      StringEquals: {
        'iam:PassedToService': ['eks.amazonaws.com', 'ec2.amazonaws.com', 'vpc-flow-logs.amazonaws.com'],
      },
    }),
    allow(
      ['iam:CreateServiceLinkedRole'],
      [`arn:${partition}:iam::${account}:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS`],
    ),
    allow(
      [
        'eks:CreateCluster',
        'eks:DeleteCluster',
        'eks:DescribeCluster',
        'eks:TagResource',
        'eks:CreateAccessEntry',
        'eks:DeleteAccessEntry',
        'eks:DescribeAccessEntry',
        'eks:AssociateAccessPolicy',
        'eks:DisassociateAccessPolicy',
        'eks:ListAssociatedAccessPolicies',
      ],
      [arn('eks', 'cluster/tenantry-*'), arn('eks', 'access-entry/tenantry-*')],
    ),
    allow(
      ['logs:CreateLogGroup', 'logs:DeleteLogGroup', 'logs:PutRetentionPolicy', 'logs:TagResource'],
      [arn('logs', 'log-group:/aws/eks/tenantry-*'), arn('logs', 'log-group:tenantry-*')],
    ),
    allow(['logs:DescribeLogGroups'], ['*']),
    allow(
      ['rds:CreateDBSubnetGroup', 'rds:DeleteDBSubnetGroup', 'rds:DescribeDBSubnetGroups', 'rds:AddTagsToResource'],
      [arn('rds', 'subgrp:tenantry-*')],
    ),
  ];
};
