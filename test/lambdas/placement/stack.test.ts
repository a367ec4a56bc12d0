import { DeleteStackCommand } from '@aws-sdk/client-cloudformation';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { takeNetwork } from '../../../adapters/clusters/network.ts';
import type { World } from '../../../adapters/world.ts';
import { overlaps } from '../../../domain/tenant-network.ts';
import { nodePoolKind } from '../../../domain/workload/node-pool.ts';
import { handler as awaitStack } from '../../../lambdas/placement/await-stack.ts';
import { handler as awaitStackGone } from '../../../lambdas/placement/await-stack-gone.ts';
import { handler as createStack } from '../../../lambdas/placement/create-stack.ts';
import { handler as deleteStack } from '../../../lambdas/placement/delete-stack.ts';
import { handler as drainCluster } from '../../../lambdas/placement/drain-cluster.ts';
import { handler as claimTenant } from '../../../lambdas/provision/claim-tenant.ts';
import { handler as placeTenant } from '../../../lambdas/provision/place-tenant.ts';
import { setUp } from '../../../lambdas/set-up.ts';
import { openLaptopClusters } from '../../adapters/clusters/laptop-clusters.ts';
import { clustersOf, create, eventsOf, type LaptopOptions, rested } from '../../local/cloudformation/laptop-stacks.ts';
import { small } from '../../local/cloudformation/templates.ts';
import { refusal } from '../../local/rds/laptop-rds.ts';
import { type Laptop, startLaptop } from '../operator-api/laptop.ts';

let laptop: Laptop;

beforeAll(async () => {
  laptop = await startLaptop();
  await setUp(laptop.setUpInput, laptop.world);
});
afterAll(() => laptop?.stop());

/** The registry of the file's laptop with AWS of the test's own. */
const open = async (options: LaptopOptions = {}) => {
  const { laptop: aws, clusters, connections } = await openLaptopClusters(options);
  const world = Object.create(laptop.world, {
    clusters: { value: clusters },
    cluster: { value: connections.open },
    findCluster: { value: connections.find },
  }) as World;
  return { aws, world };
};

const placed = async (tenantId: string, tier: 'cluster' | 'shared' = 'cluster') => {
  const step = { operation: `provision-${tenantId}`, tenantId };
  await claimTenant.run({ ...step, execution: 'arn', plan: 'enterprise', name: tenantId }, laptop.world);
  await placeTenant.run({ ...step, tier, force: true, reason: 'test' }, laptop.world);
  return { step, placement: await laptop.world.registry.placements.require(tenantId) };
};

const ready = (step: object, world: World) =>
  expect.poll(() => awaitStack.run(step, world), { timeout: 20_000 }).toMatchObject({ ready: true });

const gone = (step: object, world: World) =>
  expect.poll(() => awaitStackGone.run(step, world), { timeout: 20_000 }).toMatchObject({ gone: true });

test('a tenant gets a cluster of its own that the steps may use, and nothing of it stays when the tenant leaves', async () => {
  const { aws, world } = await open({ kubernetes: true });
  const { step, placement } = await placed('acme');
  const { id } = placement.cluster!;
  expect(await createStack.run(step, world)).toEqual({ stack: id });
  expect(await createStack.run(step, world)).toEqual({ stack: id });
  await ready(step, world);
  const { outputs } = (await world.registry.clusters.get(id))!;
  expect(outputs).toMatchObject({ ClusterName: id, DatabaseSubnetGroup: expect.any(String), NodeMaximum: '4' });
  expect(overlaps(outputs.VpcCidr!, '10.0.0.0/16')).toBe(false);
  expect(await world.clusters.describe(id)).toMatchObject({ tenant: 'acme', deletionProtection: true });
  expect(await world.clusters.describeStack(id)).toMatchObject({ terminationProtection: true });

  // The role of the steps, assumed by a session: its token is verified, and its access entry counts.
  const cluster = await world.cluster(id);
  await cluster.apply([
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'app', namespace: 'default' },
      spec: { defaultBackend: { service: { name: 'app', port: { number: 80 } } } },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'direct', namespace: 'default' },
      spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'inside', namespace: 'default' },
      spec: { ports: [{ port: 80 }] },
    },
  ]);
  await expect.poll(() => drainCluster.run(step, world), { timeout: 20_000 }).toEqual({ drained: true, left: [] });
  const services = await cluster.list({ apiVersion: 'v1', kind: 'Service' }, { namespace: 'default' });
  expect(services.map(({ metadata }) => metadata.name)).toEqual(expect.not.arrayContaining(['direct']));
  expect(services.map(({ metadata }) => metadata.name)).toContain('inside');
  expect(await deleteStack.run(step, world)).toEqual({ stack: id });
  expect(await deleteStack.run(step, world)).toEqual({ stack: id });
  await gone(step, world);
  expect(await clustersOf(aws)).toEqual([]);
  expect(await drainCluster.run(step, world)).toEqual({ drained: true, left: [] });
  expect(await deleteStack.run(step, world)).toEqual({ stack: id });
});

test('a stack that fails half-way fails the step with the first reason, and its remains are deleted', async () => {
  const { aws, world } = await open({ quotas: { vpcs: 1 } });
  await rested(aws, await create(aws, 'legacy', small()));
  const { step, placement } = await placed('globex');
  await createStack.run(step, world);
  await expect
    .poll(() => awaitStack.run(step, world).catch((error: unknown) => error), { timeout: 20_000 })
    .toMatchObject({
      name: 'StackRefused',
      message: expect.stringMatching(
        /is ROLLBACK_\w+: Vpc \(AWS::EC2::VPC\): .*The maximum number of VPCs has been reached/,
      ),
    });
  await rested(aws, placement.cluster!.id);
  expect(await drainCluster.run(step, world)).toEqual({ drained: true, left: [] });
  await deleteStack.run(step, world);
  await gone(step, world);
});

test('a cluster whose load balancers were not drained keeps its VPC, and each look asks once more for its deletion', async () => {
  const { aws, world } = await open({ kubernetes: true, loadBalancers: async () => ['default/app (Ingress)'] });
  const { step, placement } = await placed('initech');
  const { id } = placement.cluster!;
  await createStack.run(step, world);
  await ready(step, world);
  await deleteStack.run(step, world);
  const attempt = () => expect.poll(() => refusal(awaitStackGone.run(step, world)), { timeout: 20_000 });
  await attempt().toMatchObject({
    name: 'StackNotReady',
    message: expect.stringMatching(/could not be deleted: Vpc .*has dependencies and cannot be deleted/),
  });
  await attempt().toMatchObject({ name: 'StackNotReady' });
  const { StackId } = await rested(aws, id);
  const asked = (await eventsOf(aws, id)).filter(
    ({ ResourceStatusReason, ResourceStatus }) =>
      ResourceStatusReason === 'User Initiated' && ResourceStatus === 'DELETE_IN_PROGRESS',
  );
  expect(asked.length).toBeGreaterThanOrEqual(3);
  // Somebody removed what held it.
  await aws.client.send(new DeleteStackCommand({ StackName: StackId!, RetainResources: ['Vpc'] }));
  await gone(step, world);
});

test('a tenant without a cluster of its own has no stack to wait for', async () => {
  const { aws, world } = await open();
  const { step } = await placed('hooli', 'shared');
  expect(await createStack.run(step, world)).toEqual({ stack: null });
  expect(await awaitStack.run(step, world)).toMatchObject({ ready: true });
  expect(await drainCluster.run(step, world)).toMatchObject({ drained: true });
  expect(await deleteStack.run(step, world)).toEqual({ stack: null });
  expect(await awaitStackGone.run(step, world)).toMatchObject({ gone: true });
  expect(
    await deleteStack.run(
      { operation: 'x', tenantId: 'hooli', placementId: 'p-missing', holder: step.operation },
      world,
    ),
  ).toEqual({ stack: null });
  expect(await clustersOf(aws)).toEqual([]);
});

test('tenants that want addresses at the same time get different ones, and each the same again', async () => {
  const { registry } = laptop.world;
  const settings = { networkRange: '10.80.0.0/17', shared: undefined };
  const ids = Array.from({ length: 8 }, (_, index) => `tenantry-race-${index}`);
  for (const id of ids) await registry.clusters.reserve({ id, cell: 'eu-1', tenantId: 'acme', region: 'eu-central-1' });
  const networks = await Promise.all(ids.map((id) => takeNetwork(registry.clusters, id, settings)));
  expect(new Set(networks).size).toBe(ids.length);
  expect(await Promise.all(ids.map((id) => takeNetwork(registry.clusters, id, settings)))).toEqual(networks);
  await registry.clusters.reserve({ id: 'tenantry-late', cell: 'eu-1', tenantId: 'acme', region: 'eu-central-1' });
  expect(await refusal(takeNetwork(registry.clusters, 'tenantry-late', settings))).toMatchObject({
    name: 'NoCapacity',
  });
  for (const id of [...ids, 'tenantry-late']) await registry.clusters.remove(id);
});

test('a cluster that has node pools gets them within the bounds of its stack, and no others', async () => {
  const { aws, world } = await open({ kubernetes: true });
  const { step, placement } = await placed('umbrella');
  const { id } = placement.cluster!;
  await createStack.run(step, world);
  await rested(aws, id);
  const cluster = await world.cluster(id);
  await cluster.apply([
    {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'nodepools.karpenter.sh' },
      spec: {
        group: 'karpenter.sh',
        scope: 'Cluster',
        names: { kind: 'NodePool', plural: 'nodepools', singular: 'nodepool' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    },
  ]);
  await ready(step, world);
  const pools = await cluster.list(nodePoolKind);
  expect(pools.map(({ metadata, spec }) => [metadata.name, spec])).toEqual([
    ['tenant-base', expect.objectContaining({ replicas: 1, limits: { nodes: '2' } })],
    ['tenant-more', expect.objectContaining({ limits: { cpu: '12' } })],
  ]);
});
