import {
  AssociateAccessPolicyCommand,
  CreateAccessEntryCommand,
  CreateClusterCommand,
  CreatePodIdentityAssociationCommand,
  DeleteAccessEntryCommand,
  DeleteClusterCommand,
  DeletePodIdentityAssociationCommand,
  DescribeAccessEntryCommand,
  DescribeClusterCommand,
  DescribeUpdateCommand,
  ListAccessEntriesCommand,
  ListAssociatedAccessPoliciesCommand,
  ListClustersCommand,
  ListPodIdentityAssociationsCommand,
  ListTagsForResourceCommand,
  ResourceInUseException,
  ResourceNotFoundException,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateClusterConfigCommand,
  waitUntilClusterActive,
  waitUntilClusterDeleted,
} from '@aws-sdk/client-eks';
import { expect, test } from 'vitest';
import { clusterOf, openEks } from '../eks/laptop-eks.ts';
import { accountId, region } from '../gateway/account.ts';

type Eks = Awaited<ReturnType<typeof openEks>>;

const waiting = ({ client }: Eks) => ({ client, maxWaitTime: 10, minDelay: 0.02, maxDelay: 0.05 });

const create = async (eks: Eks, name: string, more: object = {}) => {
  await eks.client.send(new CreateClusterCommand(clusterOf(name, more)));
  await waitUntilClusterActive(waiting(eks), { name });
};

const describe = async ({ client }: Eks, name: string) =>
  (await client.send(new DescribeClusterCommand({ name }))).cluster!;

test("a tenant's cluster is CREATING without an address, then ACTIVE with one, and gone with all that it had", async () => {
  // Longer than an answer takes on a loaded machine: CREATING has to be seen.
  const eks = await openEks({ createDelayMillis: 1_000 });
  const first = await eks.client.send(new CreateClusterCommand(clusterOf('acme', { tags: { tenant: 'acme' } })));
  expect(first.cluster).toMatchObject({
    name: 'acme',
    arn: `arn:aws:eks:${region}:${accountId}:cluster/acme`,
    status: 'CREATING',
    tags: { tenant: 'acme' },
    createdAt: expect.any(Date),
  });
  expect(first.cluster!.endpoint).toBeUndefined();
  expect(eks.calls).toEqual([]);
  await waitUntilClusterActive(waiting(eks), { name: 'acme' });
  expect(await describe(eks, 'acme')).toMatchObject({
    status: 'ACTIVE',
    endpoint: 'https://127.0.0.1:1/clusters/acme',
    certificateAuthority: { data: 'Y2E=' },
  });
  expect((await eks.client.send(new ListClustersCommand({}))).clusters).toEqual(['acme']);
  await eks.client.send(
    new CreatePodIdentityAssociationCommand({
      clusterName: 'acme',
      namespace: 't-acme',
      serviceAccount: 'app',
      roleArn: `arn:aws:iam::${accountId}:role/app`,
    }),
  );
  expect(await eks.client.send(new DeleteClusterCommand({ name: 'acme' }))).toMatchObject({
    cluster: { status: 'DELETING' },
  });
  await waitUntilClusterDeleted(waiting(eks), { name: 'acme' });
  expect(eks.calls).toEqual(['create acme', 'remove acme']);
  await create(eks, 'acme');
  expect((await eks.client.send(new ListPodIdentityAssociationsCommand({ clusterName: 'acme' }))).associations).toEqual(
    [],
  );
});

test('a repeat with its token answers the same cluster, another call with the name is refused', async () => {
  const eks = await openEks();
  const asked = new CreateClusterCommand(clusterOf('acme', { clientRequestToken: 'placement-1' }));
  const once = await eks.client.send(asked);
  const twice = await eks.client.send(asked);
  expect(twice.cluster!.createdAt).toEqual(once.cluster!.createdAt);
  const other = eks.client.send(new CreateClusterCommand(clusterOf('acme', { clientRequestToken: 'placement-2' })));
  await expect(other).rejects.toBeInstanceOf(ResourceInUseException);
  await expect(other).rejects.toMatchObject({ message: 'Cluster already exists with name: acme', clusterName: 'acme' });
  await expect(
    eks.client.send(
      new CreateClusterCommand(clusterOf('acme', { clientRequestToken: 'placement-1', version: '1.35' })),
    ),
  ).rejects.toMatchObject({ name: 'InvalidParameterException' });
});

test('a cluster under deletion protection is kept until the protection is taken off', async () => {
  const eks = await openEks();
  await create(eks, 'acme', { deletionProtection: true });
  await expect(eks.client.send(new DeleteClusterCommand({ name: 'acme' }))).rejects.toMatchObject({
    name: 'InvalidRequestException',
    message: expect.stringContaining('deletion protection'),
  });
  expect((await describe(eks, 'acme')).status).toBe('ACTIVE');
  const { update } = await eks.client.send(new UpdateClusterConfigCommand({ name: 'acme', deletionProtection: false }));
  expect(await eks.client.send(new DescribeUpdateCommand({ name: 'acme', updateId: update!.id }))).toMatchObject({
    update: { type: 'DeletionProtectionUpdate', status: 'Successful' },
  });
  await eks.client.send(new DeleteClusterCommand({ name: 'acme' }));
  await waitUntilClusterDeleted(waiting(eks), { name: 'acme' });
});

test('who may use a cluster is told by its access entries alone, while it stands', async () => {
  const eks = await openEks({ deleteDelayMillis: 60_000 });
  const { client, service } = eks;
  await create(eks, 'acme', {
    accessConfig: { authenticationMode: 'API', bootstrapClusterCreatorAdminPermissions: false },
  });
  await create(eks, 'globex');
  const role = `arn:aws:iam::${accountId}:role/teams/orchestrator`;
  const session = `arn:aws:sts::${accountId}:assumed-role/orchestrator/deploy@1`;
  const root = `arn:aws:iam::${accountId}:root`;
  expect(service.identityOf('acme', session)).toBeUndefined();
  expect(service.identityOf('acme', root)).toBeUndefined();
  expect(service.identityOf('globex', root)).toEqual({ username: root, groups: ['system:masters'] });

  const entry = { clusterName: 'acme', principalArn: role };
  await client.send(new CreateAccessEntryCommand({ ...entry, kubernetesGroups: ['deployers'] }));
  const known = {
    username: `arn:aws:sts::${accountId}:assumed-role/orchestrator/deploy-1`,
    groups: ['deployers'],
  };
  expect(service.identityOf('acme', session)).toEqual(known);
  expect(service.identityOf('globex', session)).toBeUndefined();
  const policyArn = 'arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy';
  await client.send(new AssociateAccessPolicyCommand({ ...entry, policyArn, accessScope: { type: 'cluster' } }));
  expect(service.identityOf('acme', session)).toEqual({ ...known, groups: ['deployers', 'system:masters'] });
  expect(await client.send(new ListAssociatedAccessPoliciesCommand(entry))).toMatchObject({
    associatedAccessPolicies: [{ policyArn, accessScope: { type: 'cluster' } }],
  });
  expect((await client.send(new ListAccessEntriesCommand({ clusterName: 'acme' }))).accessEntries).toEqual([role]);
  expect(await client.send(new DescribeAccessEntryCommand(entry))).toMatchObject({ accessEntry: { type: 'STANDARD' } });
  await client.send(new DeleteAccessEntryCommand(entry));
  expect(service.identityOf('acme', session)).toBeUndefined();
  await client.send(new DeleteClusterCommand({ name: 'globex' }));
  expect(service.identityOf('globex', root)).toBeUndefined();
});

test('an entry that would be more than it says is refused', async () => {
  const eks = await openEks();
  await create(eks, 'acme');
  const entry = { clusterName: 'acme', principalArn: `arn:aws:iam::${accountId}:role/app` };
  await expect(
    eks.client.send(new CreateAccessEntryCommand({ ...entry, kubernetesGroups: ['system:masters'] })),
  ).rejects.toMatchObject({ message: expect.stringContaining('system:masters is invalid') });
  await eks.client.send(new CreateAccessEntryCommand(entry));
  await expect(eks.client.send(new CreateAccessEntryCommand(entry))).rejects.toBeInstanceOf(ResourceInUseException);
  await expect(
    eks.client.send(
      new AssociateAccessPolicyCommand({
        ...entry,
        policyArn: 'arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy',
        accessScope: { type: 'cluster' },
      }),
    ),
  ).rejects.toMatchObject({ name: 'NotImplemented', message: expect.stringContaining('AmazonEKSViewPolicy') });
  await expect(
    eks.client.send(new DescribeAccessEntryCommand({ ...entry, clusterName: 'missing' })),
  ).rejects.toBeInstanceOf(ResourceNotFoundException);
});

test('Auto Mode is asked for in all three places or in none', async () => {
  const eks = await openEks();
  const computeConfig = {
    enabled: true,
    nodePools: ['general-purpose'],
    nodeRoleArn: `arn:aws:iam::${accountId}:role/nodes`,
  };
  await expect(eks.client.send(new CreateClusterCommand(clusterOf('acme', { computeConfig })))).rejects.toMatchObject({
    message: expect.stringContaining('all either fully enabled or fully disabled'),
  });
  await create(eks, 'acme', {
    computeConfig,
    kubernetesNetworkConfig: { elasticLoadBalancing: { enabled: true } },
    storageConfig: { blockStorage: { enabled: true } },
  });
  expect(await describe(eks, 'acme')).toMatchObject({
    computeConfig,
    storageConfig: { blockStorage: { enabled: true } },
  });
});

test("an app's service account has one role, found again by its token and refused to a second caller", async () => {
  const eks = await openEks();
  await create(eks, 'acme');
  const asked = {
    clusterName: 'acme',
    namespace: 't-acme',
    serviceAccount: 'app',
    roleArn: `arn:aws:iam::${accountId}:role/app`,
    clientRequestToken: 'one',
  };
  const { association } = await eks.client.send(new CreatePodIdentityAssociationCommand(asked));
  const again = await eks.client.send(new CreatePodIdentityAssociationCommand(asked));
  expect(again.association!.associationId).toBe(association!.associationId);
  await expect(
    eks.client.send(new CreatePodIdentityAssociationCommand({ ...asked, clientRequestToken: 'two' })),
  ).rejects.toBeInstanceOf(ResourceInUseException);
  const list = async () =>
    (await eks.client.send(new ListPodIdentityAssociationsCommand({ clusterName: 'acme', namespace: 't-acme' })))
      .associations;
  expect(await list()).toHaveLength(1);
  await eks.client.send(
    new DeletePodIdentityAssociationCommand({ clusterName: 'acme', associationId: association!.associationId }),
  );
  expect(await list()).toEqual([]);
});

test('tags of a cluster are added and taken away', async () => {
  const eks = await openEks();
  await create(eks, 'acme', { tags: { tenant: 'acme' } });
  const resourceArn = (await describe(eks, 'acme')).arn;
  await eks.client.send(new TagResourceCommand({ resourceArn, tags: { plan: 'gold', step: 'x' } }));
  await eks.client.send(new UntagResourceCommand({ resourceArn, tagKeys: ['step'] }));
  expect((await eks.client.send(new ListTagsForResourceCommand({ resourceArn }))).tags).toEqual({
    tenant: 'acme',
    plan: 'gold',
  });
});

test('a cluster in the making when the cloud is killed is made by its next life, and one that was there is served again', async () => {
  const first = await openEks();
  await create(first, 'globex');
  first.service.close();
  const second = await openEks({ directory: first.directory, createDelayMillis: 400 });
  expect(second.calls).toEqual(['create globex']);
  await second.client.send(new CreateClusterCommand(clusterOf('acme')));
  await second.client.send(new DeleteClusterCommand({ name: 'globex' }));
  second.service.close();
  const third = await openEks({ directory: first.directory });
  await waitUntilClusterActive(waiting(third), { name: 'acme' });
  await waitUntilClusterDeleted(waiting(third), { name: 'globex' });
  expect(third.calls).toEqual(expect.arrayContaining(['create acme', 'remove globex']));
});
