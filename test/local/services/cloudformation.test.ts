import {
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
  GetTemplateCommand,
  ListStackResourcesCommand,
  ValidateTemplateCommand,
} from '@aws-sdk/client-cloudformation';
import { DescribeClusterCommand } from '@aws-sdk/client-eks';
import { beforeAll, expect, test } from 'vitest';
import { synthTenantTemplate } from '../../../lib/tenant-stack.ts';
import {
  clustersOf,
  create,
  describe,
  eventsOf,
  type LaptopStacks,
  openStacks,
  outputsOf,
  rested,
  statusesOf,
} from '../cloudformation/laptop-stacks.ts';
import { orchestrator, parametersOf, small } from '../cloudformation/templates.ts';
import { accountId, region } from '../gateway/account.ts';

let template: object;

beforeAll(() => {
  template = synthTenantTemplate();
}, 60_000);

const createTenant = (laptop: LaptopStacks, tenant: string, parameters = {}, more = {}) =>
  create(laptop, `tenantry-${tenant}`, template, {
    Parameters: parametersOf(tenant, parameters),
    Tags: [{ Key: 'tenant', Value: tenant }],
    ...more,
  });

test("a tenant's stack stands with its cluster, tells what others need of it, and goes with all that it had", async () => {
  const laptop = await openStacks();
  const id = await createTenant(laptop, 'acme');
  expect(await describe(laptop, 'tenantry-acme')).toMatchObject({ StackId: id, StackStatus: 'CREATE_IN_PROGRESS' });
  const stack = await rested(laptop, id);
  expect(stack).toMatchObject({ StackStatus: 'CREATE_COMPLETE', Tags: [{ Key: 'tenant', Value: 'acme' }] });
  expect(outputsOf(stack)).toEqual({
    ClusterName: 'tenantry-acme',
    ClusterArn: `arn:aws:eks:${region}:${accountId}:cluster/tenantry-acme`,
    DatabaseSubnetGroup: expect.stringMatching(/^tenantry-acme-databases-/),
    DatabaseSecurityGroup: expect.stringMatching(/^sg-0[0-9a-f]{16}$/),
    AppSecurityGroup: expect.stringMatching(/^sg-0[0-9a-f]{16}$/),
    LoadBalancerSecurityGroup: expect.stringMatching(/^sg-0[0-9a-f]{16}$/),
    VpcId: expect.stringMatching(/^vpc-0[0-9a-f]{16}$/),
    VpcCidr: '10.64.16.0/20',
    DatabaseCidrs: '10.64.18.0/24,10.64.19.0/24',
    NodeMinimum: '1',
    NodeMaximum: '4',
  });
  const { cluster } = await laptop.clusters.send(new DescribeClusterCommand({ name: 'tenantry-acme' }));
  expect(cluster).toMatchObject({
    status: 'ACTIVE',
    tags: { tenant: 'acme' },
    deletionProtection: false,
    resourcesVpcConfig: { endpointPublicAccess: false, endpointPrivateAccess: true },
    computeConfig: { enabled: true },
  });
  const session = `arn:aws:sts::${accountId}:assumed-role/orchestrator/step`;
  expect(laptop.eks.identityOf('tenantry-acme', session)).toMatchObject({ groups: ['system:masters'] });
  expect(laptop.eks.identityOf('tenantry-acme', `arn:aws:iam::${accountId}:root`)).toBeUndefined();

  await laptop.client.send(new DeleteStackCommand({ StackName: 'tenantry-acme' }));
  expect(await rested(laptop, id)).toMatchObject({ StackStatus: 'DELETE_COMPLETE', DeletionTime: expect.any(Date) });
  expect(await clustersOf(laptop)).toEqual([]);
  expect(new Set(Object.values(await statusesOf(laptop, id)))).toEqual(new Set(['DELETE_COMPLETE']));
  await expect(describe(laptop, 'tenantry-acme')).rejects.toMatchObject({
    message: 'Stack with id tenantry-acme does not exist',
  });
  await laptop.client.send(new DeleteStackCommand({ StackName: 'tenantry-acme' }));
});

test('resources are made after what they need and removed before it', async () => {
  const laptop = await openStacks();
  const id = await createTenant(laptop, 'acme');
  await rested(laptop, id);
  await laptop.client.send(new DeleteStackCommand({ StackName: id }));
  await rested(laptop, id);
  const events = await eventsOf(laptop, id);
  const at = (resource: string, status: string): number =>
    events.findIndex((event) => event.LogicalResourceId === resource && event.ResourceStatus === status);
  const subnet = events.find(({ ResourceType }) => ResourceType === 'AWS::EC2::Subnet')!.LogicalResourceId!;
  expect(at('Vpc', 'CREATE_COMPLETE')).toBeLessThan(at(subnet, 'CREATE_IN_PROGRESS'));
  expect(at(subnet, 'CREATE_COMPLETE')).toBeLessThan(at('Cluster', 'CREATE_IN_PROGRESS'));
  expect(at('Cluster', 'DELETE_COMPLETE')).toBeLessThan(at('Vpc', 'DELETE_IN_PROGRESS'));
  expect(events.map(({ ResourceStatus }) => ResourceStatus)).toEqual([
    'CREATE_IN_PROGRESS',
    ...events.slice(1, -1).map(({ ResourceStatus }) => ResourceStatus),
    'DELETE_COMPLETE',
  ]);
  // Two route tables need the VPC alone: neither waits for the other's end.
  const tables = [...new Set(events.filter(({ ResourceType }) => ResourceType === 'AWS::EC2::RouteTable'))].map(
    ({ LogicalResourceId }) => LogicalResourceId!,
  );
  const first = Math.min(...tables.map((table) => at(table, 'CREATE_COMPLETE')));
  expect(tables.every((table) => at(table, 'CREATE_IN_PROGRESS') < first)).toBe(true);
});

test("the sixth VPC of a region fails in EC2's words, and what was made of the stack by then is taken back", async () => {
  const laptop = await openStacks({ quotas: { vpcs: 1 } });
  await rested(laptop, await create(laptop, 'other', small()));
  const id = await createTenant(laptop, 'acme');
  const stack = await rested(laptop, id);
  expect(stack.StackStatus).toBe('ROLLBACK_COMPLETE');
  const events = await eventsOf(laptop, id);
  const failed = events.find(({ ResourceStatus }) => ResourceStatus === 'CREATE_FAILED')!;
  expect(failed).toMatchObject({ LogicalResourceId: 'Vpc', ResourceType: 'AWS::EC2::VPC' });
  expect(failed.ResourceStatusReason).toMatch(
    /^Resource handler returned message: "The maximum number of VPCs has been reached\. \(Service: Ec2, Status Code: 400, Request ID: [\w-]+\)" \(RequestToken: [\w-]+, HandlerErrorCode: ServiceLimitExceeded\)$/,
  );
  expect(events.find(({ ResourceStatus }) => ResourceStatus === 'ROLLBACK_IN_PROGRESS')!.ResourceStatusReason).toMatch(
    /^The following resource\(s\) failed to create: \[.*Vpc.*\]\. Rollback requested by user\.$/,
  );
  const statuses = await statusesOf(laptop, id);
  expect(statuses.Vpc).toBe('CREATE_FAILED');
  expect(Object.values(statuses).filter((status) => status === 'CREATE_COMPLETE')).toEqual([]);
  expect(await clustersOf(laptop)).toEqual([]);
  // The name is taken until somebody deletes the stack, so that the reason can be read.
  await expect(createTenant(laptop, 'acme')).rejects.toMatchObject({
    name: 'AlreadyExistsException',
    message: 'Stack [tenantry-acme] already exists',
  });
  await laptop.client.send(new DeleteStackCommand({ StackName: 'other' }));
  await laptop.client.send(new DeleteStackCommand({ StackName: id }));
  await rested(laptop, id);
  expect((await rested(laptop, await createTenant(laptop, 'acme'))).StackStatus).toBe('CREATE_COMPLETE');
});

test('a stack that is deleted while it is being made stops and goes', async () => {
  const laptop = await openStacks({ clusterDelayMillis: 60 });
  const id = await createTenant(laptop, 'acme');
  await expect.poll(() => clustersOf(laptop), { timeout: 10_000, interval: 10 }).toEqual(['tenantry-acme']);
  await laptop.client.send(new DeleteStackCommand({ StackName: id }));
  expect((await rested(laptop, id)).StackStatus).toBe('DELETE_COMPLETE');
  expect(await clustersOf(laptop)).toEqual([]);
  expect(laptop.calls).toEqual(['create tenantry-acme', 'remove tenantry-acme']);
});

test('a VPC whose cluster had load balancers cannot be deleted, and says so until it is left out', async () => {
  let balancers: readonly string[] = ['t-acme/app (Ingress)'];
  const laptop = await openStacks({ loadBalancers: async () => balancers });
  const id = await createTenant(laptop, 'acme');
  const { VpcId } = outputsOf(await rested(laptop, id));
  const remove = async (more = {}) => {
    await laptop.client.send(new DeleteStackCommand({ StackName: id, ...more }));
    return rested(laptop, id);
  };
  expect(await remove()).toMatchObject({
    StackStatus: 'DELETE_FAILED',
    StackStatusReason: 'The following resource(s) failed to delete: [Vpc]. ',
  });
  const failed = (await eventsOf(laptop, id)).find(({ ResourceStatus }) => ResourceStatus === 'DELETE_FAILED')!;
  expect(failed.ResourceStatusReason).toContain(`The vpc '${VpcId}' has dependencies and cannot be deleted.`);
  expect(await clustersOf(laptop)).toEqual([]);
  expect((await remove()).StackStatus).toBe('DELETE_FAILED');
  expect((await remove({ RetainResources: ['Vpc'] })).StackStatus).toBe('DELETE_COMPLETE');

  // One whose routes were drained before goes at once.
  balancers = [];
  const drained = await createTenant(laptop, 'globex');
  await rested(laptop, drained);
  await laptop.client.send(new DeleteStackCommand({ StackName: drained }));
  expect((await rested(laptop, drained)).StackStatus).toBe('DELETE_COMPLETE');
});

test('a cloud that is killed in the middle of a stack goes on with it in its next life, making nothing twice', async () => {
  let laptop = await openStacks({ clusterDelayMillis: 300 });
  const id = await createTenant(laptop, 'acme');
  // Once among networks, once while the cluster is in the making, once in the deletion.
  await expect.poll(() => statusesOf(laptop, id), { interval: 5 }).toMatchObject({ Vpc: 'CREATE_COMPLETE' });
  await laptop.close();
  laptop = await openStacks({ root: laptop.root, clusterDelayMillis: 300 });
  await expect.poll(() => clustersOf(laptop), { timeout: 10_000, interval: 5 }).toEqual(['tenantry-acme']);
  await laptop.close();
  laptop = await openStacks({ root: laptop.root, clusterDelayMillis: 50 });
  const stack = await rested(laptop, id);
  expect(stack.StackStatus).toBe('CREATE_COMPLETE');
  const made = (await eventsOf(laptop, id)).filter(({ ResourceStatus }) => ResourceStatus === 'CREATE_COMPLETE');
  expect(new Set(made.map(({ LogicalResourceId }) => LogicalResourceId)).size).toBe(made.length);
  await laptop.client.send(new DeleteStackCommand({ StackName: id }));
  await expect.poll(() => statusesOf(laptop, id), { interval: 5 }).toMatchObject({ Cluster: 'DELETE_IN_PROGRESS' });
  await laptop.close();
  laptop = await openStacks({ root: laptop.root });
  expect((await rested(laptop, id)).StackStatus).toBe('DELETE_COMPLETE');
  expect(await clustersOf(laptop)).toEqual([]);
});

test('a template is read from S3, shown again, validated, and what a caller must acknowledge is asked for', async () => {
  const laptop = await openStacks();
  const { S3Client, CreateBucketCommand } = await import('@aws-sdk/client-s3');
  await new S3Client(laptop.config).send(new CreateBucketCommand({ Bucket: 'templates' }));
  await laptop.objects().put('templates', 'tenant/one.json', JSON.stringify(template));
  const asked = {
    StackName: 'tenantry-acme',
    Parameters: parametersOf('acme'),
    TemplateURL: `https://templates.s3.${region}.amazonaws.com/tenant/one.json`,
  };
  await expect(laptop.client.send(new CreateStackCommand(asked))).rejects.toMatchObject({
    name: 'InsufficientCapabilitiesException',
    message: 'Requires capabilities : [CAPABILITY_IAM]',
  });
  const { StackId } = await laptop.client.send(new CreateStackCommand({ ...asked, Capabilities: ['CAPABILITY_IAM'] }));
  const { TemplateBody } = await laptop.client.send(new GetTemplateCommand({ StackName: 'tenantry-acme' }));
  expect(JSON.parse(TemplateBody!)).toEqual(template);
  const inPathStyle = { TemplateURL: `${laptop.config.endpoint}/templates/tenant/one.json` };
  const validated = await laptop.client.send(new ValidateTemplateCommand(inPathStyle));
  expect(validated.Capabilities).toEqual(['CAPABILITY_IAM']);
  expect(validated.Parameters).toContainEqual(
    expect.objectContaining({ ParameterKey: 'NodeMaximum', DefaultValue: '4' }),
  );
  await expect(
    laptop.client.send(new ValidateTemplateCommand({ TemplateURL: `${laptop.config.endpoint}/templates/missing` })),
  ).rejects.toMatchObject({ message: expect.stringMatching(/^S3 error: .*missing/) });
  expect((await rested(laptop, StackId!)).StackStatus).toBe('CREATE_COMPLETE');
  const listed = await laptop.client.send(new ListStackResourcesCommand({ StackName: StackId }));
  expect(listed.StackResourceSummaries!.length).toBeGreaterThan(40);
  expect((await laptop.client.send(new DescribeStacksCommand({}))).Stacks).toHaveLength(1);
});

test('a tenant that moves has its VPC peered with the shared one, and nobody else has', async () => {
  const laptop = await openStacks();
  const peered = await createTenant(laptop, 'acme', {
    SharedVpcId: 'vpc-shared',
    SharedVpcCidr: '10.0.0.0/16',
    SharedRouteTableIds: 'rtb-1,rtb-2,rtb-3,rtb-4',
    DatabaseFromSharedVpc: 'true',
    OperatorArn: orchestrator.replace('orchestrator', 'operators'),
  });
  const apart = await createTenant(laptop, 'globex', { VpcCidr: '10.64.32.0/20' });
  const typesOf = async (id: string) => {
    await rested(laptop, id);
    const { StackResources } = await laptop.client.send(new DescribeStackResourcesCommand({ StackName: id }));
    return StackResources!.map(({ ResourceType, PhysicalResourceId }) => `${ResourceType} ${PhysicalResourceId}`);
  };
  const types = await typesOf(peered);
  expect(types.filter((type) => type.includes('Peering'))).toHaveLength(1);
  expect(types).toEqual(
    expect.arrayContaining(['rtb-1', 'rtb-2', 'rtb-3', 'rtb-4'].map((id) => `AWS::EC2::Route ${id}|10.64.16.0/20`)),
  );
  expect(types.filter((type) => type.startsWith('AWS::EKS::AccessEntry'))).toHaveLength(2);
  const others = await typesOf(apart);
  expect(others.filter((type) => type.includes('Peering') || type.includes('|10.64.32.0/20'))).toEqual([]);
});
