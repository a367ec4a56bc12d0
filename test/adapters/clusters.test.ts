import { DeleteStackCommand, UpdateTerminationProtectionCommand } from '@aws-sdk/client-cloudformation';
import { DescribeClusterCommand, UpdateClusterConfigCommand } from '@aws-sdk/client-eks';
import { expect, test } from 'vitest';
import { openClusters } from '../../adapters/clusters.ts';
import { clustersOf, create, rested } from '../local/cloudformation/laptop-stacks.ts';
import { small } from '../local/cloudformation/templates.ts';
import { refusal } from '../local/rds/laptop-rds.ts';
import { openLaptopClusters, settings } from './clusters/laptop-clusters.ts';

const stack = 'tenantry-acme-1';
const tags = { tenant: 'acme', operation: 'op-1', step: 'CreateStack' };
const asked = { stack, token: 'p-1', vpcCidr: '10.64.16.0/20', tags };

test("a tenant's stack is made once however often it is asked for, protected while it stands, and removed with its protections", async () => {
  const { laptop, clusters } = await openLaptopClusters({ clusterDelayMillis: 3_000 });
  expect(await clusters.describeStack(stack)).toBeUndefined();
  expect(await clusters.describe(stack)).toBeUndefined();
  await clusters.createStack(asked);
  await clusters.createStack(asked);
  await clusters.createStack({ ...asked, token: 'p-2' });
  expect(await clusters.describeStack(stack)).toMatchObject({ status: 'CREATE_IN_PROGRESS', tenant: 'acme' });
  expect(await refusal(clusters.protect({ stack, tenantId: 'acme' }))).toMatchObject({ name: 'StackNotReady' });
  const { StackId } = await rested(laptop, stack);
  expect(await clusters.describeStack(stack)).toMatchObject({
    status: 'CREATE_COMPLETE',
    reason: undefined,
    outputs: { ClusterName: stack, VpcCidr: '10.64.16.0/20', DatabaseCidrs: '10.64.18.0/24,10.64.19.0/24' },
  });
  expect(await clusters.describe(stack)).toMatchObject({
    status: 'ACTIVE',
    tenant: 'acme',
    endpoint: expect.stringContaining(stack),
    deletionProtection: false,
  });
  await clusters.protect({ stack, tenantId: 'acme' });
  await clusters.protect({ stack, tenantId: 'acme' });
  expect(await clusters.describe(stack)).toMatchObject({ deletionProtection: true });
  expect(await clusters.describeStack(stack)).toMatchObject({ terminationProtection: true });
  await expect(laptop.client.send(new DeleteStackCommand({ StackName: stack }))).rejects.toThrow(
    /TerminationProtection/,
  );

  const theirs = { stack, tenantId: 'globex' };
  expect(
    await refusal(clusters.createStack({ ...asked, token: 'p-3', tags: { ...tags, tenant: 'globex' } })),
  ).toMatchObject({
    name: 'StackRefused',
    message: expect.stringContaining('belongs to acme, not to tenant globex'),
  });
  for (const work of [clusters.deleteStack(theirs), clusters.protect(theirs)])
    expect(await refusal(work)).toMatchObject({ name: 'StackRefused' });
  expect(await clusters.describeStack(stack)).toMatchObject({ terminationProtection: true });

  await clusters.deleteStack({ stack, tenantId: 'acme' });
  await clusters.deleteStack({ stack, tenantId: 'acme' });
  expect((await rested(laptop, StackId!)).StackStatus).toBe('DELETE_COMPLETE');
  expect(await clusters.describeStack(stack)).toBeUndefined();
  await clusters.deleteStack({ stack, tenantId: 'acme' });
  expect(await clustersOf(laptop)).toEqual([]);
});

test('a stack that fails half-way tells which resource failed first and why, stays until it is deleted, and then makes room', async () => {
  const { laptop, clusters } = await openLaptopClusters({ quotas: { vpcs: 1 } });
  const legacy = await create(laptop, 'legacy', small());
  await rested(laptop, legacy);
  await clusters.createStack(asked);
  await rested(laptop, stack);
  const found = (await clusters.describeStack(stack))!;
  expect(found.status).toBe('ROLLBACK_COMPLETE');
  expect(found.reason).toMatch(/^Vpc \(AWS::EC2::VPC\): .*The maximum number of VPCs has been reached\./);
  await clusters.deleteStack({ stack, tenantId: 'acme' });
  await expect.poll(() => clusters.describeStack(stack), { timeout: 10_000 }).toBeUndefined();
  // What nobody tagged is left alone.
  expect(await refusal(clusters.createStack({ ...asked, stack: 'legacy' }))).toMatchObject({
    name: 'StackRefused',
    message: expect.stringContaining('nobody that Tenantry knows'),
  });
  expect(await refusal(clusters.deleteStack({ stack: 'legacy', tenantId: 'acme' }))).toMatchObject({
    name: 'StackRefused',
  });
  await laptop.client.send(new DeleteStackCommand({ StackName: 'legacy' }));
  await rested(laptop, legacy);
  await clusters.createStack(asked);
  expect((await rested(laptop, stack)).StackStatus).toBe('CREATE_COMPLETE');
});

test('what CloudFormation will never do is refused with its words, and nothing is left of it', async () => {
  const { laptop, clusters } = await openLaptopClusters();
  expect(await refusal(clusters.createStack({ ...asked, vpcCidr: '10.64.16.0/24' }))).toMatchObject({
    name: 'StackRefused',
    message: expect.stringContaining("Parameter 'VpcCidr' failed to satisfy constraint: must be an IPv4 block of /20"),
  });
  const elsewhere = openClusters({ stacks: laptop.client, clusters: laptop.clusters }, () => ({
    ...settings,
    templateUrl: settings.templateUrl.replace('tenant.json', 'missing.json'),
  }));
  expect(await refusal(elsewhere.createStack(asked))).toMatchObject({
    name: 'StackRefused',
    message: expect.stringContaining('S3 error'),
  });
  expect(await clusters.describeStack(stack)).toBeUndefined();
});

test('a stack with protections that somebody set by hand goes as well', async () => {
  const { laptop, clusters } = await openLaptopClusters();
  await clusters.createStack(asked);
  const { StackId } = await rested(laptop, stack);
  await laptop.clusters.send(new UpdateClusterConfigCommand({ name: stack, deletionProtection: true }));
  await laptop.client.send(
    new UpdateTerminationProtectionCommand({ StackName: stack, EnableTerminationProtection: true }),
  );
  await clusters.deleteStack({ stack, tenantId: 'acme' });
  expect((await rested(laptop, StackId!)).StackStatus).toBe('DELETE_COMPLETE');
  await expect(laptop.clusters.send(new DescribeClusterCommand({ name: stack }))).rejects.toThrow(/No cluster found/);
});

test("a service account's role is given once, changed by another, and taken away", async () => {
  const { laptop, clusters } = await openLaptopClusters();
  await clusters.createStack(asked);
  await rested(laptop, stack);
  const account = { cluster: stack, namespace: 't-acme', serviceAccount: 'app' };
  const role = (name: string) => ({ roleArn: `arn:aws:iam::000000000000:role/${name}`, tags: { tenant: 'acme' } });
  await clusters.identities.associate({ ...account, ...role('one') });
  await clusters.identities.associate({ ...account, ...role('one') });
  await clusters.identities.associate({ ...account, ...role('two') });
  const list = async () =>
    (await laptop.eks.operations.ListPodIdentityAssociations!({ clusterName: stack }, {} as never)) as {
      associations: { associationId: string }[];
    };
  const { associations } = await list();
  expect(associations).toHaveLength(1);
  await clusters.identities.dissociate(account);
  await clusters.identities.dissociate(account);
  expect((await list()).associations).toEqual([]);
  await clusters.identities.dissociate({ ...account, cluster: 'missing' });
});
