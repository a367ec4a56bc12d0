import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '../../../adapters/cluster/cluster.ts';
import { monitorKind } from '../../../domain/workload/monitor.ts';
import { type KubeObject, labelNames, objectName } from '../../../domain/workload/object.ts';
import { routeObject } from '../../../domain/workload/route.ts';
import { workloadObjects } from '../../../domain/workload/workload.ts';
import { aWorkload } from '../../domain/workload/any-workload.ts';
import { startTestClusters, type TestClusters } from './control-plane.ts';

let clusters: TestClusters;
let shared: Cluster;

beforeAll(async () => {
  clusters = await startTestClusters();
  shared = clusters.cluster('shared');
  // Deletions in the foreground end by the garbage collector.
  await clusters.control('shared');
});
afterAll(() => clusters.stop());

const read = (cluster: Cluster, { apiVersion, kind, metadata }: KubeObject) =>
  cluster.get({ apiVersion, kind, namespace: metadata.namespace, name: metadata.name });

const versionsOf = async (cluster: Cluster, objects: readonly KubeObject[]) =>
  Promise.all(objects.map(async (object) => (await read(cluster, object))?.metadata.resourceVersion));

const configMap = (namespace: string, name: string, more: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace, labels: { [labelNames.managedBy]: 'tenantry' } },
  ...more,
});

const one = { replicas: 1, cpu: '250m', memory: '512Mi' };

describe("a tenant's set of objects", () => {
  test('is there as a whole, the second time changes nothing, and no server-side field is a surprise', async () => {
    const objects = workloadObjects(aWorkload({}, 'acme'));
    // No controllers are in this one, whose notes would change versions too.
    const still = clusters.cluster('still');
    expect(await still.applySet(objects)).toEqual({ pruned: [] });
    const versions = await versionsOf(still, objects);
    expect(versions.every((version) => version !== undefined)).toBe(true);
    expect(await still.applySet(objects)).toEqual({ pruned: [] });
    expect(await versionsOf(still, objects)).toEqual(versions);
    expect(await shared.applySet(objects)).toEqual({ pruned: [] });
    const [secret] = await shared.list({ apiVersion: 'v1', kind: 'Secret' }, { namespace: 't-acme' });
    expect(secret).toMatchObject({ kind: 'Secret', apiVersion: 'v1', type: 'Opaque' });
  });

  test('loses what the tenant no longer has, and nothing that Tenantry did not apply', async () => {
    const before = workloadObjects(aWorkload({}, 'globex'));
    await shared.applySet(before);
    const foreign: KubeObject = {
      ...configMap('t-globex', 'by-hand'),
      metadata: { name: 'by-hand', namespace: 't-globex' },
    };
    await shared.apply([foreign, configMap('t-globex', 'outside-any-set'), routeObject(aWorkload({}, 'globex'))]);
    const { pruned } = await shared.applySet(workloadObjects(aWorkload({ resources: one }, 'globex')));
    expect(pruned).toEqual([
      'autoscaling/v2 HorizontalPodAutoscaler t-globex/app',
      'policy/v1 PodDisruptionBudget t-globex/app',
    ]);
    const kept = await shared.list({ apiVersion: 'v1', kind: 'ConfigMap' }, { namespace: 't-globex' });
    expect(kept.map(({ metadata }) => metadata.name)).toEqual(
      expect.arrayContaining(['app', 'by-hand', 'outside-any-set']),
    );
    expect(await read(shared, routeObject(aWorkload({}, 'globex')))).toBeDefined();
    const budget = before.find(({ kind }) => kind === 'PodDisruptionBudget')!;
    expect(await shared.waitGone({ ...budget, namespace: 't-globex', name: 'app' }, 5_000)).toBe(true);
  });

  test('that was cut short is finished by the next one: what the first had left behind goes too', async () => {
    const whole = workloadObjects(aWorkload({}, 'initech'));
    await shared.applySet(whole);
    const extra = configMap('t-initech', 'extra');
    const broken = { ...configMap('t-initech', 'broken'), dataa: {} };
    await expect(shared.applySet([...whole, extra, broken])).rejects.toMatchObject({ name: 'WorkloadRefused' });
    expect(await read(shared, extra)).toBeDefined();
    expect((await shared.applySet(whole)).pruned).toEqual(['v1 ConfigMap t-initech/extra']);
    expect(await shared.waitGone({ ...extra, namespace: 't-initech', name: 'extra' }, 5_000)).toBe(true);
    expect((await shared.applySet(whole)).pruned).toEqual([]);
  });

  test('takes a namespace over whose books nobody kept', async () => {
    const old = configMap('t-hooli', 'old');
    await shared.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 't-hooli' } }]);
    await shared.apply([
      { ...old, metadata: { ...old.metadata, labels: { ...old.metadata.labels, [labelNames.applySet]: 'x' } } },
    ]);
    expect((await shared.applySet(workloadObjects(aWorkload({}, 'hooli')))).pruned).toEqual([
      'v1 ConfigMap t-hooli/old',
    ]);
  });

  test('rolls the pods when the app is told something else, and not when only its quota grows', async () => {
    const template = async () =>
      (
        (await shared.get({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: 't-umbrella', name: 'app' }))!
          .spec as {
          template: object;
        }
      ).template;
    const spec = aWorkload({}, 'umbrella');
    await shared.applySet(workloadObjects(spec));
    const first = await template();
    await shared.applySet(workloadObjects({ ...spec, quota: { ...spec.quota, pods: 20 } }));
    expect(await template()).toEqual(first);
    await shared.applySet(workloadObjects({ ...spec, database: { ...spec.database, password: 'another' } }));
    expect(await template()).not.toEqual(first);
    expect(JSON.stringify(await template())).not.toContain('another');
  });

  test('stays inside its namespace', async () => {
    const objects = workloadObjects(aWorkload({}, 'acme'));
    await expect(shared.applySet([...objects, configMap('t-globex', 'x')])).rejects.toThrow('t-globex/x is outside');
    await expect(shared.applySet(objects.slice(1))).rejects.toThrow('exactly one Namespace');
  });
});

test('a misspelt field is refused with its name, and a kind that the cluster does not have with what to do', async () => {
  await expect(
    shared.apply([{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', namespace: 't-acme' }, dat: {} }]),
  ).rejects.toMatchObject({
    name: 'WorkloadRefused',
    message: expect.stringMatching(/^cluster shared refuses to apply v1 ConfigMap t-acme\/x: \d+ .*\bdat\b/),
  });
  await expect(
    shared.apply([{ apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'x' } }]),
  ).rejects.toMatchObject({
    name: 'WorkloadRefused',
    message: expect.stringContaining('no kind Widget in example.com/v1'),
  });
});

test('fields of another manager that the set names are taken over, the others stay', async () => {
  await shared.apply([configMap('t-acme', 'owned', { data: { ours: '1' } })]);
  await shared.apply([configMap('t-acme', 'owned', { data: { ours: '2', theirs: '2' } })], { fieldManager: 'kubectl' });
  const [after] = await shared.apply([configMap('t-acme', 'owned', { data: { ours: '3' } })]);
  expect(after!.data).toEqual({ ours: '3', theirs: '2' });
});

test('a dry run answers what would be and stores nothing', async () => {
  const wish = configMap('t-acme', 'wish', { data: { a: 'b' } });
  const [would] = await shared.apply([wish], { dryRun: true });
  expect(would!.data).toEqual({ a: 'b' });
  expect(await read(shared, wish)).toBeUndefined();
});

test('a kind that an operator installs is found without a new connection', async () => {
  expect(await shared.has(monitorKind)).toBe(false);
  await shared.apply([
    {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'servicemonitors.monitoring.coreos.com' },
      spec: {
        group: 'monitoring.coreos.com',
        names: {
          kind: 'ServiceMonitor',
          plural: 'servicemonitors',
          singular: 'servicemonitor',
          listKind: 'ServiceMonitorList',
        },
        scope: 'Namespaced',
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        ],
      },
    },
  ]);
  await expect.poll(() => shared.has(monitorKind)).toBe(true);
  await shared.applySet(workloadObjects(aWorkload({ monitoring: true }, 'acme')));
  const monitors = await shared.list(monitorKind, { namespace: 't-acme' });
  expect(monitors.map(objectName)).toEqual(['monitoring.coreos.com/v1 ServiceMonitor t-acme/app']);
  const { pruned } = await shared.applySet(workloadObjects(aWorkload({}, 'acme')));
  expect(pruned).toEqual([
    'monitoring.coreos.com/v1 ServiceMonitor t-acme/app',
    'networking.k8s.io/v1 NetworkPolicy t-acme/allow-monitoring',
  ]);
});

test('a list longer than a page is read to its end', async () => {
  const many = Array.from({ length: 520 }, (_, index) => configMap('t-acme', `page-${index}`));
  await shared.apply(many);
  const listed = await shared.list(
    { apiVersion: 'v1', kind: 'ConfigMap' },
    { namespace: 't-acme', labels: `${labelNames.managedBy}=tenantry` },
  );
  expect(listed.filter(({ metadata }) => metadata.name.startsWith('page-'))).toHaveLength(520);
});

test('what is not there is no error to read, to list or to remove', async () => {
  expect(await shared.get({ apiVersion: 'v1', kind: 'Secret', namespace: 'nowhere', name: 'x' })).toBeUndefined();
  expect(await shared.list({ apiVersion: 'example.com/v1', kind: 'Widget' })).toEqual([]);
  await shared.remove({ apiVersion: 'v1', kind: 'Namespace', name: 'nowhere' });
  expect(await shared.waitGone({ apiVersion: 'v1', kind: 'Namespace', name: 'nowhere' })).toBe(true);
  expect(await shared.waitGone({ apiVersion: 'v1', kind: 'Namespace', name: 't-acme' })).toBe(false);
});
