import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { App, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createNetwork } from '../../lib/network.ts';
import { SharedCluster } from '../../lib/shared-cluster.ts';

const outdir = mkdtempSync(join(tmpdir(), 'tenantry-shared-cluster-'));
afterAll(() => rmSync(outdir, { recursive: true }));

let template: Template;

beforeAll(() => {
  const stack = new Stack(new App({ outdir }), 'Platform');
  const { vpc, functionsGroup, endpointsGroup } = createNetwork(stack);
  const cluster = new SharedCluster(stack, 'SharedCluster', {
    name: 'tenantry-shared-1',
    version: '1.35',
    vpc,
    nodes: 'nodes',
    balancers: 'balancers',
    clients: functionsGroup,
    roleArn: 'arn:aws:iam::123456789012:role/clusters',
    operatorArn: '',
  });
  cluster.reach(endpointsGroup);
  template = Template.fromStack(stack);
}, 60_000);

/** Tags of the subnets of a group, by name. */
const tagsOf = (group: string): Record<string, string>[] =>
  Object.values(template.findResources('AWS::EC2::Subnet'))
    .map(({ Properties }) =>
      Object.fromEntries(Properties.Tags.map(({ Key, Value }: { Key: string; Value: string }) => [Key, Value])),
    )
    .filter((tags) => tags['aws-cdk:subnet-name'] === group);

test('the API of the shared cluster is reached by the steps alone, and administered by one role', () => {
  template.hasResourceProperties('AWS::EKS::Cluster', {
    Name: 'tenantry-shared-1',
    DeletionProtection: true,
    ResourcesVpcConfig: { EndpointPrivateAccess: true, EndpointPublicAccess: false },
    AccessConfig: { AuthenticationMode: 'API', BootstrapClusterCreatorAdminPermissions: false },
    ComputeConfig: { Enabled: true, NodePools: ['general-purpose', 'system'] },
  });
  template.resourceCountIs('AWS::EKS::AccessEntry', 1);
  template.hasResourceProperties('AWS::EKS::AccessEntry', {
    PrincipalArn: 'arn:aws:iam::123456789012:role/clusters',
  });
  template.hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
    Description: 'step functions',
    FromPort: 443,
    GroupId: { 'Fn::GetAtt': [Match.stringLikeRegexp('^SharedClusterApi'), 'GroupId'] },
  });
});

test('nodes have no way out, and load balancers alone are where the internet comes in', () => {
  template.resourceCountIs('AWS::EC2::NatGateway', 0);
  const routes = Object.values(template.findResources('AWS::EC2::Route'));
  expect(routes.map(({ Properties }) => JSON.stringify(Properties.RouteTableId))).toEqual([
    expect.stringContaining('balancers'),
    expect.stringContaining('balancers'),
  ]);
  expect(tagsOf('nodes')).toEqual(Array(2).fill(expect.objectContaining({ 'kubernetes.io/role/internal-elb': '1' })));
  expect(tagsOf('balancers')).toEqual(Array(2).fill(expect.objectContaining({ 'kubernetes.io/role/elb': '1' })));
  const services = Object.values(template.findResources('AWS::EC2::VPCEndpoint')).map(({ Properties }) =>
    JSON.stringify(Properties.ServiceName),
  );
  for (const service of ['ec2', 'ecr.api', 'ecr.dkr', 'eks', 'eks-auth', 'elasticloadbalancing', 'logs', 's3', 'sts'])
    expect(
      services.some((name) => name.includes(`.${service}"`)),
      service,
    ).toBe(true);
  template.hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
    Description: 'nodes of cluster tenantry-shared-1',
    SourceSecurityGroupId: { 'Fn::GetAtt': [Match.stringLikeRegexp('Cluster'), 'ClusterSecurityGroupId'] },
  });
});
