import { readFileSync } from 'node:fs';
import { Template } from 'aws-cdk-lib/assertions';
import { beforeAll, expect, test } from 'vitest';
import { synthTenantTemplate } from '../../lib/tenant-stack.ts';

let template: Template;

beforeAll(() => {
  template = Template.fromJSON(synthTenantTemplate() as Record<string, unknown>);
}, 60_000);

type Rule = { readonly IpProtocol: string; readonly FromPort: number; readonly ToPort: number };

/** `from -> to: port` of every rule that lets something in, groups by their logical ids. */
const waysIn = (): string[] => {
  const name = (value: unknown): string =>
    typeof value === 'string'
      ? value
      : JSON.stringify(value)
          .replaceAll(/[^\w.]+(Fn|GetAtt|Ref|GroupId)?/g, ' ')
          .trim();
  const port = ({ FromPort, ToPort }: Rule): string =>
    FromPort === ToPort ? String(FromPort) : `${FromPort}-${ToPort}`;
  const single = Object.values(template.findResources('AWS::EC2::SecurityGroupIngress')).map(
    ({ Properties: rule, Condition = 'always' }) =>
      `${Condition}: ${name(rule.SourceSecurityGroupId ?? rule.CidrIp)} -> ${name(rule.GroupId)}: ${port(rule)}`,
  );
  const inline = Object.entries(template.findResources('AWS::EC2::SecurityGroup')).flatMap(([id, { Properties }]) =>
    (Properties.SecurityGroupIngress ?? []).map(
      (rule: Rule & { CidrIp: unknown }) => `always: ${name(rule.CidrIp)} -> ${id}: ${port(rule)}`,
    ),
  );
  return [...single, ...inline].map((way) => way.replaceAll(/(Groups|Endpoints)(\w+?)[0-9A-F]{8}/g, '$2')).sort();
};

test('the template on file, which the laptop deploys, is the one that the CDK app deploys', () => {
  const onFile: unknown = JSON.parse(readFileSync('lib/tenant-stack/template.json', 'utf8'));
  expect(onFile).toEqual(JSON.parse(JSON.stringify(synthTenantTemplate())));
});

test('the template needs no bucket of assets and no bootstrap of the account', () => {
  const text = JSON.stringify(template.toJSON());
  expect(text).not.toMatch(/cdk-hnb659fds|BootstrapVersion|AWS::CDK::Metadata/);
  expect(text.length).toBeLessThan(51_200);
});

test('the internet reaches the load balancer alone, the app its database, and the shared platform both while they are peered', () => {
  expect(waysIn()).toEqual([
    'Moving: SharedVpcCidr -> Db: 5432',
    'Peered: SharedVpcCidr -> App: 443',
    'always: 0.0.0.0/0 -> Lb: 443',
    'always: App -> Db: 5432',
    'always: Cluster ClusterSecurityGroupId -> Db: 5432',
    'always: Lb -> App: 443',
    'always: Lb -> Cluster ClusterSecurityGroupId: 443',
    'always: Vpc CidrBlock -> Group: 443',
  ]);
});

test('databases have no way to the internet, and nothing but the dmz has one from it', () => {
  const routes = Object.values(template.findResources('AWS::EC2::Route')).map(({ Properties }) => ({
    table: JSON.stringify(Properties.RouteTableId),
    to: Properties.DestinationCidrBlock,
    through: Object.keys(Properties).find((key) => /GatewayId$/.test(key)),
  }));
  const out = routes.filter(({ to }) => to === '0.0.0.0/0');
  expect(out).toHaveLength(2);
  expect(out.find(({ through }) => through === 'GatewayId')!.table).toContain('Dmz');
  expect(out.find(({ through }) => through === 'NatGatewayId')!.table).toContain('App');
});

test("a tenant's cluster is reached from inside alone, by those who have an access entry", () => {
  template.hasResourceProperties('AWS::EKS::Cluster', {
    ResourcesVpcConfig: { EndpointPrivateAccess: true, EndpointPublicAccess: false },
    AccessConfig: { AuthenticationMode: 'API', BootstrapClusterCreatorAdminPermissions: false },
    ComputeConfig: { Enabled: true },
  });
  const entries = Object.values(template.findResources('AWS::EKS::AccessEntry'));
  expect(entries.map(({ Properties }) => Properties.PrincipalArn.Ref).sort()).toEqual([
    'OperatorArn',
    'OrchestratorRoleArn',
  ]);
});
