import { spawnSync } from 'node:child_process';
import { request } from 'node:http';
import { resolve } from 'node:path';
import { CreateClusterCommand, ListPodIdentityAssociationsCommand } from '@aws-sdk/client-eks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { archivedObjects, archiveObjects } from '../../../adapters/cluster/archived-objects.ts';
import { requireOwnApp } from '../../../adapters/cluster/own-app.ts';
import { restoreObjects } from '../../../adapters/cluster/restore-objects.ts';
import { prepareRouteSwitch, switchRoute } from '../../../adapters/cluster/route.ts';
import { takeDown } from '../../../adapters/cluster/take-down.ts';
import { todaysObjects } from '../../../adapters/cluster/todays-objects.ts';
import { openIdentities } from '../../../adapters/clusters/identities.ts';
import type { World } from '../../../adapters/world.ts';
import { type ObjectsReport, objectsDiff } from '../../../domain/restore-objects.ts';
import { handler as awaitWorkload } from '../../../lambdas/placement/await-workload.ts';
import { handler as awaitWorkloadGone } from '../../../lambdas/placement/await-workload-gone.ts';
import { handler as deployWorkload } from '../../../lambdas/placement/deploy-workload.ts';
import { handler as prepareDatabase } from '../../../lambdas/placement/prepare-database.ts';
import { handler as removeWorkload } from '../../../lambdas/placement/remove-workload.ts';
import { handler as activateTenant } from '../../../lambdas/provision/activate-tenant.ts';
import { handler as claimTenant } from '../../../lambdas/provision/claim-tenant.ts';
import { handler as placeTenant } from '../../../lambdas/provision/place-tenant.ts';
import { createHostTable, type FedHostTable } from '../../../local/kubernetes/hosts.ts';
import { startTestClusters, type TestClusters } from '../../adapters/cluster/control-plane.ts';
import { clusterOf, openEks } from '../../local/eks/laptop-eks.ts';
import { type BackupLaptop, startBackupLaptop } from '../backup/backup-laptop.ts';

const image = 'tenantry-app:latest';
const helm = process.env.TENANTRY_HELM ?? 'helm';
const hasHelm = spawnSync(helm, ['version']).status === 0;
const ownApps = {
  image,
  ingressClass: 'alb',
  certificateArn: undefined,
  databaseCidrs: ['127.0.0.0/8'],
  ingressCidrs: ['127.0.0.0/8'],
  environment: { SAMPLE_APP_OPEN_LOGIN: '1' },
  secretId: 'tenantry/app',
};

let laptop: BackupLaptop;
let clusters: TestClusters;
let hosts: FedHostTable;
let world: World;

const settled = (settings: object): World =>
  Object.create(world, { ownApps: { value: { ...ownApps, ...settings } } }) as World;

beforeAll(async () => {
  [laptop, clusters] = await Promise.all([startBackupLaptop(), startTestClusters()]);
  hosts = createHostTable();
  for (const name of ['shared', 'second']) {
    clusters.cluster(name);
    await clusters.control(name, {
      images: new Map([[image, resolve('sample-app/main.ts')]]),
      hosts,
    });
    await laptop.world.registry.clusters.upsert({ id: name, cell: 'eu-1', region: 'eu-central-1', capacity: 50 });
  }
  const open = async (name: string) => (clusters.planes.names().includes(name) ? clusters.cluster(name) : undefined);
  world = Object.create(laptop.world, {
    ownApps: { value: ownApps },
    findCluster: { value: open },
    cluster: { value: open },
  }) as World;
});
afterAll(async () => {
  await Promise.all([laptop?.stop(), clusters?.stop()]);
});

const placed = async (tenantId: string, plan = 'starter') => {
  const step = { operation: `provision-${tenantId}`, tenantId };
  await claimTenant.run({ ...step, execution: 'arn', plan, name: `The ${tenantId} company` }, world);
  await placeTenant.run({ ...step, tier: 'namespace' }, world);
  await prepareDatabase.run(step, world);
  const placement = await world.registry.placements.require(tenantId);
  return { step, placement, namespace: placement.namespace!, cluster: clusters.cluster(placement.cluster!.id) };
};

const becomesReady = async (step: { operation: string; tenantId: string }): Promise<void> => {
  await expect.poll(() => awaitWorkload.run(step, world), { timeout: 20_000 }).toMatchObject({ ready: true });
};

/** Status of the tenant's page. Fetch refuses a Host header of one's own, and a pod answers to its tenant's hosts alone. */
const page = (host: string): Promise<number> =>
  new Promise((done, fail) => {
    request({ port: hosts.port(host)!, host: '127.0.0.1', path: '/', headers: { host } }, (response) => {
      response.resume();
      done(response.statusCode!);
    })
      .once('error', fail)
      .end();
  });

describe('a tenant with an app of its own', () => {
  test('gets it beside its rows, is routed to it when it is active, and leaves nothing behind', async () => {
    const { step, namespace, cluster } = await placed('acme');
    expect(await deployWorkload.run(step, world)).toEqual({ cluster: cluster.name, namespace, pruned: [] });
    expect(await deployWorkload.run(step, world)).toEqual({ cluster: cluster.name, namespace, pruned: [] });
    await becomesReady(step);
    const host = 'acme.localhost';
    expect(hosts.port(host)).toBeUndefined();
    await activateTenant.run(step, world);
    await expect.poll(() => hosts.port(host)).toBeDefined();
    expect(await page(host)).toBeLessThan(400);
    const secret = await cluster.get({ apiVersion: 'v1', kind: 'Secret', namespace, name: 'db' });
    expect(Object.keys(secret!.data as object)).toEqual(['DATABASE_PASSWORD']);

    const again = { operation: 'remove', tenantId: 'acme' };
    expect(await removeWorkload.run(again, world)).toEqual({ tier: 'namespace', namespace });
    await expect
      .poll(() => awaitWorkloadGone.run(again, world), { timeout: 20_000 })
      .toEqual({ gone: true, reason: `namespace ${namespace} is gone` });
    expect(hosts.port(host)).toBeUndefined();
    expect(await cluster.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace })).toEqual([]);
    expect(await removeWorkload.run(again, world)).toEqual({ tier: 'namespace', namespace });
  });

  test('has a size that its plan gives, and another one when the plan changes', async () => {
    const { step, namespace, cluster } = await placed('globex', 'pro');
    await deployWorkload.run(step, world);
    const kinds = async () =>
      (await cluster.list({ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget' }, { namespace })).length;
    expect(await kinds()).toBe(1);
    await becomesReady(step);
    const pods = { apiVersion: 'v1', kind: 'Pod' };
    expect(await cluster.list(pods, { namespace })).toHaveLength(2);
    await laptop.sql.query(`UPDATE tenants SET plan = 'starter' WHERE id = 'globex'`);
    const { pruned } = await deployWorkload.run(step, world);
    expect(pruned).toEqual([
      `autoscaling/v2 HorizontalPodAutoscaler ${namespace}/app`,
      `policy/v1 PodDisruptionBudget ${namespace}/app`,
    ]);
    await expect.poll(kinds).toBe(0);
    await removeWorkload.run(step, world);
  });

  test('has its objects beside its rows in a backup, and they come back from there', async () => {
    const { step, placement, namespace, cluster } = await placed('weyland');
    await deployWorkload.run(step, world);
    const archived = await archiveObjects(world, placement, 'b-1');
    expect(archived!.objects).toBeGreaterThan(10);
    expect(await archivedObjects(world, 'weyland', 'b-2')).toBeUndefined();
    const service = { apiVersion: 'v1', kind: 'Service', namespace, name: 'app' };
    await cluster.remove(service);
    const objects = (await archivedObjects(world, 'weyland', 'b-1'))!;
    const today = await todaysObjects(world, cluster, requireOwnApp(placement));
    const restore = {
      objects,
      today,
      tenantId: 'weyland',
      namespace,
      mark: 'r-1',
      begin: async (one: ObjectsReport) => one,
    };
    expect(objectsDiff(await restoreObjects(cluster, restore))[0]).toBe(`+ v1 Service ${namespace}/app`);
    expect(await cluster.get(service)).toBeDefined();
    // A backup is removed with all that is under its prefix.
    await world.archive.remove('weyland', 'b-1');
    expect(await archivedObjects(world, 'weyland', 'b-1')).toBeUndefined();
    await removeWorkload.run(step, world);
    expect(await archiveObjects(world, { ...placement, tier: 'shared' }, 'b-3')).toBeUndefined();
  });

  test('has pods that are a role to AWS, and takes it with it when it goes', async () => {
    const eks = await openEks({ controlPlanes: clusters.planes });
    const { step, placement, namespace } = await placed('tyrell');
    const clusterName = placement.cluster!.id;
    await eks.client.send(new CreateClusterCommand(clusterOf(clusterName)));
    const roleArn = 'arn:aws:iam::000000000000:role/tenantry-app';
    const identities = openIdentities(eks.client);
    const known = Object.create(settled({ roleArn }), { clusters: { value: { identities } } }) as World;
    const associations = async () =>
      (await eks.client.send(new ListPodIdentityAssociationsCommand({ clusterName, namespace }))).associations;
    await expect.poll(() => deployWorkload.run(step, known).catch(() => undefined)).toBeDefined();
    await deployWorkload.run(step, known);
    expect(await associations()).toMatchObject([{ namespace, serviceAccount: 'app' }]);
    await removeWorkload.run(step, known);
    expect(await associations()).toEqual([]);
  });

  test.skipIf(!hasHelm)('may be a chart, which becomes ready like any other app', async () => {
    const { step, namespace, cluster } = await placed('soylent');
    const chart = { chart: resolve('helm/tenant-app'), program: helm };
    await deployWorkload.run(step, settled({ chart, environment: {} }));
    await becomesReady(step);
    const deployment = await cluster.get({ apiVersion: 'apps/v1', kind: 'Deployment', namespace, name: 'app' });
    expect(deployment!.metadata.labels).toMatchObject({ 'tenantry.dev/tenant': 'soylent' });
    await removeWorkload.run(step, world);
  });

  test('is told that its image is not there, and fails when the deadline has passed', async () => {
    const { step, namespace, cluster } = await placed('initech');
    await deployWorkload.run(step, settled({ image: 'tenantry-app:missing' }));
    await expect
      .poll(() => cluster.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace }), { timeout: 5_000 })
      .toHaveLength(1);
    await cluster.apply(
      [
        {
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          metadata: { name: 'app', namespace },
          spec: { progressDeadlineSeconds: 2 },
        },
      ],
      { fieldManager: 'test' },
    );
    await expect(awaitWorkload.run(step, world)).rejects.toMatchObject({
      name: 'WorkloadRefused',
      message: expect.stringMatching(/cannot get ready: ProgressDeadlineExceeded: .*Image.*tenantry-app:missing/),
    });
    await removeWorkload.run(step, world);
  });

  test('is told that the quota of its namespace has no room', async () => {
    const { step, namespace, cluster } = await placed('hooli');
    const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'tight', namespace } };
    await cluster.apply([
      {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: namespace, labels: { 'tenantry.dev/tenant': 'hooli' } },
      },
      { ...quota, spec: { hard: { pods: '0' } } },
    ]);
    await deployWorkload.run(step, world);
    await expect(awaitWorkload.run(step, world)).rejects.toMatchObject({
      name: 'WorkloadRefused',
      message: expect.stringMatching(/FailedCreate: .*exceeded quota: tight/),
    });
    await removeWorkload.run(step, world);
  });

  test('meets no namespace of somebody else', async () => {
    const { step, namespace, cluster } = await placed('umbrella');
    const theirs = { apiVersion: 'v1', kind: 'Namespace', name: namespace };
    await cluster.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }]);
    for (const handler of [deployWorkload, removeWorkload])
      await expect(handler.run(step, world)).rejects.toMatchObject({
        name: 'WorkloadRefused',
        message: expect.stringContaining('belongs to nobody that Tenantry knows, not to tenant umbrella'),
      });
    expect((await cluster.get(theirs))!.metadata.deletionTimestamp).toBeUndefined();
    await cluster.remove(theirs);
  });

  test('is not called gone while something holds its namespace, which is named', async () => {
    const { step, placement, namespace, cluster } = await placed('stark');
    await deployWorkload.run(step, world);
    const held = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'held', namespace } };
    await cluster.apply([{ ...held, metadata: { ...held.metadata, finalizers: ['example.com/hold'] } }]);
    await removeWorkload.run(step, world);
    const look = () => takeDown(cluster, requireOwnApp(placement));
    await expect.poll(look, { timeout: 5_000 }).toMatchObject({
      gone: false,
      reason: expect.stringMatching(/NamespaceFinalizersRemaining.*example\.com\/hold/),
    });
    // Nobody waits for ever: a quarter of an hour later it is an error that says what to remove.
    const later = Object.create(world, { now: { value: () => new Date(Date.now() + 901_000) } }) as World;
    await expect(awaitWorkloadGone.run(step, later)).rejects.toMatchObject({
      name: 'WorkloadRefused',
      message: expect.stringMatching(/does not go: .*NamespaceFinalizersRemaining.*example\.com\/hold/),
    });
    await cluster.apply([{ ...held, metadata: { ...held.metadata, finalizers: [] } }]);
    await expect.poll(() => awaitWorkloadGone.run(step, world), { timeout: 20_000 }).toMatchObject({ gone: true });
  });

  test('keeps its namespace until its load balancer is gone', async () => {
    const { step, placement, namespace, cluster } = await placed('wayne');
    await deployWorkload.run(step, world);
    await switchRoute(world, { to: placement });
    const held = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name: 'app', namespace } };
    const hold = (finalizers: string[]) =>
      cluster.apply([{ ...held, metadata: { ...held.metadata, finalizers } }], { fieldManager: 'balancer' });
    await hold(['ingress.k8s.aws/resources']);
    const removing = removeWorkload.run(step, world);
    await expect
      .poll(() => cluster.get({ ...held, namespace, name: 'app' }))
      .toMatchObject({ metadata: { deletionTimestamp: expect.any(String) } });
    expect(await takeDown(cluster, requireOwnApp(placement))).toMatchObject({
      gone: false,
      routes: true,
      // The laptop's own controller may hold it too.
      reason: expect.stringMatching(/still has Ingress app \(held by .*ingress\.k8s\.aws\/resources/),
    });
    const theirs = await cluster.get({ apiVersion: 'v1', kind: 'Namespace', name: namespace });
    expect(theirs!.metadata.deletionTimestamp).toBeUndefined();
    await hold([]);
    await removing;
    await expect.poll(() => awaitWorkloadGone.run(step, world), { timeout: 20_000 }).toMatchObject({ gone: true });
  });
});

test('a tenant of the shared app has nothing to deploy and nothing to remove', async () => {
  const step = { operation: 'provision-shared', tenantId: 'oscorp' };
  await claimTenant.run({ ...step, execution: 'arn' }, world);
  await placeTenant.run({ ...step, tier: 'shared' }, world);
  await expect(deployWorkload.run(step, world)).rejects.toMatchObject({ name: 'TenantNotReady' });
  expect(await removeWorkload.run(step, world)).toEqual({ tier: 'shared', namespace: null });
  expect(await awaitWorkloadGone.run(step, world)).toMatchObject({ gone: true });
});

test('a tenant that moves between clusters has a route at every moment, and then one alone', async () => {
  const { step, placement } = await placed('cyberdyne');
  const other = placement.cluster!.id === 'shared' ? 'second' : 'shared';
  const next = { ...placement, namespace: 't-cyberdyne-next', cluster: { ...placement.cluster!, id: other } };
  await deployWorkload.run(step, world);
  await clusters.cluster(other).apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: next.namespace } }]);
  const routesAt = async ({ cluster, namespace }: typeof next) =>
    (
      await clusters
        .cluster(cluster.id)
        .list({ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' }, { namespace: namespace! })
    ).length;
  const both = async () => [
    await routesAt({ ...placement, cluster: placement.cluster! } as typeof next),
    await routesAt(next),
  ];
  await switchRoute(world, { to: placement });
  expect(await both()).toEqual([1, 0]);
  const move = await prepareRouteSwitch(world, { from: placement, to: next });
  expect(await both()).toEqual([1, 0]);
  await move.go();
  expect(await both()).toEqual([0, 1]);
  await move.go();
  expect(await both()).toEqual([0, 1]);
  await switchRoute(world, { from: next, to: placement });
  expect(await both()).toEqual([1, 0]);
  // To the shared app: what no cluster routes goes there.
  await switchRoute(world, { from: placement });
  expect(await both()).toEqual([0, 0]);
});
