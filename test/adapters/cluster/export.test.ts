import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Cluster } from '../../../adapters/cluster/cluster.ts';
import { exportNamespace, readExported } from '../../../adapters/cluster/export.ts';
import { planObjects, restoreObjects } from '../../../adapters/cluster/restore-objects.ts';
import { type KubeObject, labelNames, objectName } from '../../../domain/workload/object.ts';
import { routeObject } from '../../../domain/workload/route.ts';
import { workloadObjects } from '../../../domain/workload/workload.ts';
import { aWorkload } from '../../domain/workload/any-workload.ts';
import { startTestClusters, type TestClusters } from './control-plane.ts';

const spec = aWorkload({ image: 'unknown:1' });
const { namespace } = spec;
const now = new Date('2026-11-27T05:00:00Z');

let clusters: TestClusters;
let source: Cluster;
let objects: KubeObject[];
let text: string;

const configMap = (name: string, more: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  ...more,
});

beforeAll(async () => {
  clusters = await startTestClusters();
  source = clusters.cluster('source');
  await clusters.control('source');
  await source.applySet(workloadObjects(spec));
  await source.apply([
    routeObject(spec),
    configMap('by-hand', { data: { colour: 'blue' } }),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'peers', namespace },
      spec: { clusterIP: 'None', selector: { app: 'x' }, ports: [{ port: 80 }] },
    },
  ]);
  // Pods and what the controllers make besides are there before the export looks.
  await vi.waitFor(
    async () => expect(await source.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace })).not.toEqual([]),
    { timeout: 10_000 },
  );
  const taken = (await exportNamespace(source, { namespace, tenantId: 'acme', now }))!;
  text = gunzipSync(taken.body).toString();
  objects = await readExported(JSON.parse(JSON.stringify(taken.manifest)), taken.body);
});
afterAll(() => clusters?.stop());

const ask = (more: object = {}) => ({ objects, tenantId: 'acme', namespace, existing: 'update', ...more }) as const;

describe('a backup of the objects of a tenant', () => {
  test('has what somebody asked for, its own kinds and those applied by hand, and nothing that controllers made', () => {
    const names = objects.map(objectName);
    for (const wish of [...workloadObjects(spec), routeObject(spec)]) expect(names).toContain(objectName(wish));
    expect(names).toContain(`v1 ConfigMap ${namespace}/by-hand`);
    const kinds = new Set(objects.map(({ kind }) => kind));
    for (const kind of ['Pod', 'ReplicaSet', 'Event', 'EndpointSlice', 'Endpoints']) expect(kinds).not.toContain(kind);
    expect(names).not.toContain(`v1 ServiceAccount ${namespace}/default`);
    expect(names).not.toContain(`v1 ConfigMap ${namespace}/kube-root-ca.crt`);
    expect(names[0]).toBe(`v1 Namespace ${namespace}`);
    expect(names.at(-1)).toContain('Ingress');
  });

  test('holds no secret value, and nothing that ties an object to its cluster', () => {
    expect(text).not.toContain(Buffer.from(spec.database.password).toString('base64'));
    const secret = objects.find(({ kind }) => kind === 'Secret')!;
    expect(secret).toMatchObject({ keys: ['DATABASE_PASSWORD'] });
    expect(secret).not.toHaveProperty('data');
    for (const word of ['"uid"', 'resourceVersion', 'managedFields', 'creationTimestamp', '"status"'])
      expect(text).not.toContain(word);
    const [app, peers] = ['app', 'peers'].map(
      (name) => objects.find(({ kind, metadata }) => kind === 'Service' && metadata.name === name)!.spec,
    );
    expect(app).not.toHaveProperty('clusterIP');
    expect(peers).toHaveProperty('clusterIP', 'None');
    expect(objects.find(({ kind }) => kind === 'Deployment')!.spec).not.toHaveProperty('replicas');
  });

  test('is refused when a byte or a line of it changed', async () => {
    const taken = (await exportNamespace(source, { namespace, tenantId: 'acme', now }))!;
    const broken = Buffer.from(taken.body);
    broken.writeUInt8(broken.readUInt8(broken.length >> 1) ^ 1, broken.length >> 1);
    const damaged = { name: 'ArchiveDamaged' };
    await expect(readExported(taken.manifest, broken)).rejects.toMatchObject(damaged);
    const [first, ...rest] = taken.manifest.objects;
    const short = { ...taken.manifest, objects: rest };
    await expect(readExported(short, taken.body)).rejects.toMatchObject(damaged);
    const other = { ...taken.manifest, objects: [{ ...first!, sha256: 'x' }, ...rest] };
    await expect(readExported(other, taken.body)).rejects.toMatchObject(damaged);
    await expect(readExported({ format: 2 }, taken.body)).rejects.toMatchObject(damaged);
  });

  test('of a namespace that is not there is none', async () => {
    expect(await exportNamespace(source, { namespace: 'nowhere', tenantId: 'acme', now })).toBeUndefined();
  });
});

describe('a restore of objects', () => {
  test('of a backup just taken would change nothing', async () => {
    const { objects: plan } = await planObjects(source, ask({ routes: true }));
    expect(plan.filter(({ change }) => change !== 'same')).toEqual([]);
  });

  test('shows each field that differs beforehand, and then sets it back', async () => {
    await source.apply([configMap('by-hand', { data: { colour: 'red', shape: 'round' } })]);
    const only = ask({ kinds: ['ConfigMap'], names: ['by-hand'] });
    const plan = await planObjects(source, only);
    const change = {
      object: `v1 ConfigMap ${namespace}/by-hand`,
      change: 'update',
      fields: [
        { path: 'data.colour', from: 'red', to: 'blue' },
        { path: 'data.shape', from: 'round', to: undefined },
      ],
    };
    expect(plan.objects).toContainEqual(change);
    expect(plan.objects.filter(({ change: one }) => one !== 'same')).toEqual([change]);
    const read = async () =>
      (await source.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'by-hand' }))!.data;
    expect(await read()).toEqual({ colour: 'red', shape: 'round' });
    await restoreObjects(source, only);
    expect(await read()).toEqual({ colour: 'blue' });
    expect((await restoreObjects(source, only)).objects.every(({ change: one }) => one === 'same')).toBe(true);
  });

  test('leaves what is there alone where that was asked for', async () => {
    await source.apply([configMap('by-hand', { data: { colour: 'green' } })]);
    await restoreObjects(source, ask({ existing: 'skip' }));
    const after = await source.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'by-hand' });
    expect(after!.data).toEqual({ colour: 'green' });
  });

  test('into another namespace of another cluster makes everything but routes and secrets, without pods until they may start', async () => {
    const target = clusters.cluster('target');
    const restore = ask({ namespace: 't-acme-restored', paused: true });
    const { objects: made, secrets } = await restoreObjects(target, restore);
    expect(made.every(({ change }) => change === 'create')).toBe(true);
    expect(secrets).toEqual(['db']);
    const there = await target.get({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      namespace: 't-acme-restored',
      name: 'app',
    });
    expect(there!.spec).toMatchObject({ replicas: 0 });
    const kinds = [
      { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' },
      { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' },
      { apiVersion: 'v1', kind: 'Secret' },
    ];
    for (const kind of kinds) expect(await target.list(kind, { namespace: 't-acme-restored' })).toEqual([]);
    expect((await restoreObjects(target, restore)).objects.filter(({ change }) => change !== 'same')).toEqual([]);
    expect(await target.get({ apiVersion: 'v1', kind: 'Namespace', name: namespace })).toBeUndefined();
  });

  test('goes into no namespace of another tenant', async () => {
    const labels = { [labelNames.tenant]: 'globex' };
    const theirs = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 't-globex', labels } };
    await source.apply([theirs]);
    await expect(restoreObjects(source, ask({ namespace: 't-globex' }))).rejects.toMatchObject({
      name: 'WorkloadRefused',
      message: expect.stringContaining('belongs to globex, not to tenant acme'),
    });
  });
});
