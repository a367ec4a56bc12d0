import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Cluster } from '../../../adapters/cluster/cluster.ts';
import { exportNamespace, readExported } from '../../../adapters/cluster/export.ts';
import { type KubeObject, objectName } from '../../../domain/workload/object.ts';
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
