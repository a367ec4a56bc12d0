import { spawnSync } from 'node:child_process';
import { request } from 'node:http';
import { resolve } from 'node:path';
import { CreateClusterCommand, ListPodIdentityAssociationsCommand } from '@aws-sdk/client-eks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { archivedObjects, archiveObjects } from '../../../adapters/cluster/archived-objects.ts';
import { requireOwnApp } from '../../../adapters/cluster/own-app.ts';
import { restoreObjects } from '../../../adapters/cluster/restore-objects.ts';
import { todaysObjects } from '../../../adapters/cluster/todays-objects.ts';
import { openIdentities } from '../../../adapters/clusters/identities.ts';
import type { World } from '../../../adapters/world.ts';
import { type ObjectsReport, objectsDiff } from '../../../domain/restore-objects.ts';
import { handler as awaitWorkload } from '../../../lambdas/placement/await-workload.ts';
import { handler as awaitWorkloadGone } from '../../../lambdas/placement/await-workload-gone.ts';
import { handler as deployWorkload } from '../../../lambdas/placement/deploy-workload.ts';
import { handler as removeWorkload } from '../../../lambdas/placement/remove-workload.ts';
import { handler as activateTenant } from '../../../lambdas/provision/activate-tenant.ts';
import { handler as claimTenant } from '../../../lambdas/provision/claim-tenant.ts';
import { handler as placeTenant } from '../../../lambdas/provision/place-tenant.ts';
import { clusterOf, openEks } from '../../local/eks/laptop-eks.ts';
import { startWorkloadLaptop, type WorkloadLaptop } from './workload-laptop.ts';

const helm = process.env.TENANTRY_HELM ?? 'helm';
const hasHelm = spawnSync(helm, ['version']).status === 0;

let bench: WorkloadLaptop;
let laptop: WorkloadLaptop['laptop'];
let clusters: WorkloadLaptop['clusters'];
let hosts: WorkloadLaptop['hosts'];
let world: WorkloadLaptop['world'];
let settled: WorkloadLaptop['settled'];
let placed: WorkloadLaptop['placed'];
let becomesReady: WorkloadLaptop['becomesReady'];

beforeAll(async () => {
  bench = await startWorkloadLaptop();
  ({ laptop, clusters, hosts, world, settled, placed, becomesReady } = bench);
});
afterAll(() => bench.stop());

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
});

test('a tenant of the shared app has nothing to deploy and nothing to remove', async () => {
  const step = { operation: 'provision-shared', tenantId: 'oscorp' };
  await claimTenant.run({ ...step, execution: 'arn' }, world);
  await placeTenant.run({ ...step, tier: 'shared' }, world);
  await expect(deployWorkload.run(step, world)).rejects.toMatchObject({ name: 'TenantNotReady' });
  expect(await removeWorkload.run(step, world)).toEqual({ tier: 'shared', namespace: null });
  expect(await awaitWorkloadGone.run(step, world)).toMatchObject({ gone: true });
});
