import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { requireOwnApp } from '../../../adapters/cluster/own-app.ts';
import { prepareRouteSwitch, switchRoute } from '../../../adapters/cluster/route.ts';
import { takeDown } from '../../../adapters/cluster/take-down.ts';
import type { World } from '../../../adapters/world.ts';
import { handler as awaitWorkloadGone } from '../../../lambdas/placement/await-workload-gone.ts';
import { handler as deployWorkload } from '../../../lambdas/placement/deploy-workload.ts';
import { handler as removeWorkload } from '../../../lambdas/placement/remove-workload.ts';
import { startWorkloadLaptop, type WorkloadLaptop } from './workload-laptop.ts';

let bench: WorkloadLaptop;
let clusters: WorkloadLaptop['clusters'];
let world: WorkloadLaptop['world'];
let placed: WorkloadLaptop['placed'];

beforeAll(async () => {
  bench = await startWorkloadLaptop();
  ({ clusters, world, placed } = bench);
});
afterAll(() => bench.stop());

describe('a tenant with an app of its own', () => {
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
