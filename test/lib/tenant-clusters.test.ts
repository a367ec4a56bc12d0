import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { App, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { overlaps } from '../../domain/tenant-network.ts';
import { createNetwork } from '../../lib/network.ts';
import { readParameters } from '../../lib/parameters.ts';
import { TenantClusters } from '../../lib/tenant-clusters.ts';
import { synthTenantTemplate } from '../../lib/tenant-stack.ts';

const outdir = mkdtempSync(join(tmpdir(), 'tenantry-tenant-clusters-'));
afterAll(() => rmSync(outdir, { recursive: true }));

interface Statement {
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: Record<string, Record<string, unknown>>;
}

let template: Template;
let clusters: TenantClusters;

beforeAll(() => {
  const app = new App({ outdir });
  const stack = new Stack(app, 'Platform');
  const { vpc, functionsGroup } = createNetwork(stack);
  clusters = new TenantClusters(stack, 'TenantClusters', { vpc, parameters: readParameters(app.node) });
  clusters.connect(functionsGroup, [{ group: new SecurityGroup(stack, 'Pool', { vpc }), port: 5433 }]);
  template = Template.fromStack(stack);
}, 60_000);

const statementsOf = (description: RegExp): Statement[] =>
  Object.values(template.findResources('AWS::IAM::Role'))
    .filter(({ Properties }) => description.test(Properties.Description ?? ''))
    .flatMap(({ Properties }) => Properties.Policies[0].PolicyDocument.Statement);

const actionsOf = ({ Action }: Statement): string[] => [Action].flat();

test("CloudFormation may make what the tenants' template has, name by name, and hand roles to nobody but EKS, nodes and flow logs", () => {
  const statements = statementsOf(/^CloudFormation/);
  const actions = statements.flatMap(actionsOf);
  expect(actions.filter((action) => action.includes('*'))).toEqual([]);
  const services = new Set(actions.map((action) => action.split(':')[0]));
  const types = Object.values((synthTenantTemplate() as { Resources: Record<string, { Type: string }> }).Resources);
  for (const { Type } of types) expect(services, Type).toContain(Type.split('::')[1]!.toLowerCase());
  const attach = statements.find((statement) => actionsOf(statement).includes('iam:AttachRolePolicy'))!;
  const policies = JSON.stringify(attach.Condition!.ArnEquals!['iam:PolicyARN']);
  expect(policies).toContain('AmazonEKSClusterPolicy');
  expect(policies).not.toContain('Administrator');
  const pass = statements.find((statement) => actionsOf(statement).includes('iam:PassRole'))!;
  expect(pass.Condition!.StringEquals!['iam:PassedToService']).toEqual([
    'eks.amazonaws.com',
    'ec2.amazonaws.com',
    'vpc-flow-logs.amazonaws.com',
  ]);
});

test('the role that clusters know may find them and nothing else: what it may do in them is said by their access entries', () => {
  expect(statementsOf(/^Administers/).flatMap(actionsOf)).toEqual(['eks:DescribeCluster']);
});

test("tenants' networks and the shared one have no address in common, and a way to each other for databases alone", () => {
  expect(overlaps(clusters.networkRange, '10.0.0.0/16')).toBe(false);
  expect(clusters.routeTableIds).toHaveLength(4);
  const rule = { CidrIp: clusters.networkRange, IpProtocol: 'tcp' };
  template.hasResourceProperties('AWS::EC2::SecurityGroup', {
    GroupDescription: Match.stringLikeRegexp('^Step functions'),
    SecurityGroupEgress: Match.arrayWith([Match.objectLike({ ...rule, FromPort: 5432, ToPort: 5432 })]),
  });
  template.hasResourceProperties('AWS::EC2::SecurityGroup', {
    SecurityGroupIngress: [Match.objectLike({ ...rule, FromPort: 5433, ToPort: 5433 })],
  });
});
