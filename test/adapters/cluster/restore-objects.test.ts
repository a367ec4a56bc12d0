import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { stampSet } from '../../../adapters/cluster/apply-set.ts';
import type { Cluster } from '../../../adapters/cluster/cluster.ts';
import { exportNamespace, readExported } from '../../../adapters/cluster/export.ts';
import { type ObjectsRestore, planObjects, restoreObjects } from '../../../adapters/cluster/restore-objects.ts';
import { type ObjectsReport, objectsDiff } from '../../../domain/restore-objects.ts';
import { type KubeObject, labelNames, objectName } from '../../../domain/workload/object.ts';
import { routeObject } from '../../../domain/workload/route.ts';
import { workloadObjects } from '../../../domain/workload/workload.ts';
import { aWorkload } from '../../domain/workload/any-workload.ts';
import { startTestClusters, type TestClusters } from './control-plane.ts';

let clusters: TestClusters;
let source: Cluster;
let namespace: string;
let spec: ReturnType<typeof aWorkload>;
let objects: KubeObject[];
let today: KubeObject[];

const byHand = (data: object): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'by-hand', namespace },
  data,
});

beforeAll(async () => {
  clusters = await startTestClusters();
  source = clusters.cluster('source');
});
afterAll(() => clusters?.stop());

/** A namespace of its own for each test, as a deployment left it, with one object made by hand. */
beforeEach(async () => {
  namespace = `t-acme-${randomUUID().slice(0, 6)}`;
  spec = aWorkload({ namespace, image: 'unknown:1' });
  today = [...stampSet(workloadObjects(spec)).objects, routeObject(spec)];
  await source.applySet(workloadObjects(spec));
  await source.apply([routeObject(spec), byHand({ colour: 'blue' })]);
  const taken = (await exportNamespace(source, { namespace, tenantId: 'acme', now: new Date() }))!;
  objects = await readExported(taken.manifest, taken.body);
});

const ask = (more: Partial<ObjectsRestore> = {}): ObjectsRestore => ({
  objects,
  today,
  tenantId: 'acme',
  namespace,
  ...more,
});
const only = (kind: string, name?: string) =>
  ask({
    objects: objects.filter((one) => one.kind === kind && (name === undefined || one.metadata.name === name)),
  });
const restore = (asked: ObjectsRestore): Promise<ObjectsReport> =>
  restoreObjects(source, { ...asked, mark: 'r-1', begin: async (report) => report });
const read = async (kind: string, name = 'app', apiVersion = 'v1'): Promise<KubeObject> =>
  (await source.get({ apiVersion, kind, namespace, name }))!;
const deployment = async () => {
  const { spec: found } = await read('Deployment', 'app', 'apps/v1');
  return found as {
    replicas: number;
    template: {
      metadata: { annotations: Record<string, string> };
      spec: { containers: { image: string; env: { name: string; value: string }[]; resources: object }[] };
    };
  };
};

/** As people do it: with a field manager that is not Tenantry's. */
const byKubectl = (...changed: KubeObject[]) => source.apply(changed, { fieldManager: 'kubectl-edit' });

const damageDeployment = () =>
  byKubectl({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'app', namespace },
    spec: {
      template: {
        spec: { containers: [{ name: 'app', image: 'bad:1', env: [{ name: 'EVIL', value: '1' }], tty: true }] },
      },
    },
  });

describe('a restore of Kubernetes objects', () => {
  test('of a backup just taken would change nothing', async () => {
    const report = await planObjects(source, ask());
    expect(report.objects.filter(({ change }) => change !== 'same')).toEqual([]);
    expect(report).toMatchObject({ cluster: 'source', namespace, restart: false });
    expect(report.left).toMatchObject([{ object: `v1 Namespace ${namespace}` }]);
    const { resourceVersion } = (await read('Deployment', 'app', 'apps/v1')).metadata;
    await restore(ask());
    expect((await read('Deployment', 'app', 'apps/v1')).metadata.resourceVersion).toBe(resourceVersion);
  });

  test('shows each field that differs beforehand, and takes out what others put in', async () => {
    await damageDeployment();
    const plan = await planObjects(source, only('Deployment'));
    const container = 'spec.template.spec.containers[0]';
    expect(objectsDiff(plan)).toEqual([
      `~ apps/v1 Deployment ${namespace}/app`,
      `    ${container}.env[2]: {"name":"EVIL","value":"1"} -> none`,
      `    ${container}.image: "bad:1" -> "unknown:1"`,
      `    ${container}.tty: true -> none`,
      '1 of 1 objects differ',
    ]);
    expect((await deployment()).template.spec.containers[0]!.image).toBe('bad:1');
    expect(await restore(only('Deployment'))).toEqual(plan);
    const [app] = (await deployment()).template.spec.containers;
    expect(app).toMatchObject({ image: 'unknown:1', env: [{ name: 'PORT' }, { name: 'HOST' }] });
    expect(app).not.toHaveProperty('tty');
    expect((await restore(only('Deployment'))).objects).toMatchObject([{ change: 'same' }]);
  });

  test('makes what is gone anew, and leaves alone what is not asked for', async () => {
    await source.remove({ apiVersion: 'v1', kind: 'Service', namespace, name: 'app' });
    await byKubectl(byHand({ colour: 'red', shape: 'round' }));
    const report = await restore(only('Service'));
    expect(report.objects).toMatchObject([{ object: `v1 Service ${namespace}/app`, change: 'create' }]);
    expect((await read('Service')).spec).toMatchObject({ ports: [{ name: 'http', port: 80 }] });
    expect((await read('ConfigMap', 'by-hand')).data).toEqual({ colour: 'red', shape: 'round' });
    await restore(only('ConfigMap', 'by-hand'));
    expect((await read('ConfigMap', 'by-hand')).data).toEqual({ colour: 'blue' });
  });

  describe('whose object a controller writes to as well', () => {
    /** The cluster as another's write comes between the reading of the Deployment and what is done about it. */
    const contended = (mode: 'plan' | 'write', times: number): Cluster => {
      let left = times;
      return {
        ...source,
        trim: async (object, fields, how = {}) => {
          if ((how.dryRun ?? false) === (mode === 'plan') && left-- > 0) await write(left + 1);
          return source.trim(object, fields, how);
        },
      };
    };
    const write = (minReadySeconds: number) => {
      const [metadata, spec] = [{ name: 'app', namespace }, { minReadySeconds }];
      return source.apply([{ apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec }], {
        fieldManager: 'a-controller',
      });
    };
    const asked = () => ({ ...only('Deployment'), mark: 'r-5', begin: async (report: ObjectsReport) => report });

    test('plans it as it is by then', async () => {
      await damageDeployment();
      const plan = await planObjects(contended('plan', 1), only('Deployment'));
      expect(plan.objects[0]!.fields).toContainEqual({ path: 'spec.minReadySeconds', from: 1, to: undefined });
    });

    test('sets it back as it is by then', async () => {
      await damageDeployment();
      await restoreObjects(contended('write', 2), asked());
      expect((await deployment()).template.spec.containers[0]).toMatchObject({ image: 'unknown:1' });
      expect(await deployment()).not.toHaveProperty('minReadySeconds');
    });

    test('is tried again later when the writes do not end', async () => {
      await damageDeployment();
      await expect(restoreObjects(contended('write', 100), asked())).rejects.toMatchObject({
        name: 'WorkloadNotReady',
        message: expect.stringContaining('changes faster than it can be restored'),
      });
    });
  });

  test('starts the pods anew once when what they read at their start changes', async () => {
    const marks = async () => (await deployment()).template.metadata.annotations['tenantry.dev/restored'];
    await restore(only('Service'));
    expect(await marks()).toBeUndefined();
    await byKubectl(byHand({ colour: 'red' }));
    expect(await restore(only('ConfigMap', 'by-hand'))).toMatchObject({ restart: true });
    expect(await marks()).toBe('r-1');
    // A later deployment of the app, and the same restore again, restart nothing.
    await source.applySet(workloadObjects(spec));
    expect(await marks()).toBe('r-1');
    expect((await planObjects(source, ask())).objects.filter(({ change }) => change !== 'same')).toEqual([]);
  });

  test('starts them anew too when only a repeat comes so far', async () => {
    const first = { ...(await planObjects(source, only('ConfigMap', 'by-hand'))), restart: true };
    const asked = { ...only('ConfigMap', 'by-hand'), mark: 'r-2', begin: async () => first };
    expect(await restoreObjects(source, asked)).toBe(first);
    expect((await deployment()).template.metadata.annotations).toMatchObject({ 'tenantry.dev/restored': 'r-2' });
  });

  test('gives the Secret db the password of today, and shows none', async () => {
    await byKubectl({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'db', namespace },
      data: { DATABASE_PASSWORD: btoa('stolen') },
    });
    const text = JSON.stringify(await planObjects(source, only('Secret')));
    expect(text).toContain('data.DATABASE_PASSWORD');
    for (const secret of ['stolen', spec.database.password])
      for (const shown of [secret, btoa(secret)]) expect(text).not.toContain(shown);
    await restore(only('Secret'));
    expect((await read('Secret', 'db')).data).toEqual({ DATABASE_PASSWORD: btoa(spec.database.password) });
  });

  test('makes a namespace that is gone as a deployment would, and then what the backup has', async () => {
    const target = clusters.cluster(`target-${namespace}`);
    const asked = { ...only('ConfigMap', 'by-hand'), mark: 'r-3', begin: async (report: ObjectsReport) => report };
    const plan = await planObjects(target, asked);
    expect(plan.objects.every(({ change }) => change === 'create')).toBe(true);
    expect(plan.objects.map(({ object }) => object)).toEqual(
      expect.arrayContaining([...today.map(objectName), `v1 ConfigMap ${namespace}/by-hand`]),
    );
    expect(await restoreObjects(target, asked)).toEqual(plan);
    for (const object of [...today, byHand({})]) {
      const { apiVersion, kind, metadata } = object;
      expect(await target.get({ apiVersion, kind, namespace, name: metadata.name }), objectName(object)).toBeDefined();
    }
    // Its books are whole: the next deployment has nothing to remove.
    expect(await target.applySet(workloadObjects(spec))).toEqual({ pruned: [] });
  });

  test('goes into no namespace of another tenant', async () => {
    const labels = { [labelNames.tenant]: 'globex' };
    const theirs = `${namespace}-theirs`;
    await source.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: theirs, labels } }]);
    await expect(restore(ask({ namespace: theirs }))).rejects.toMatchObject({
      name: 'WorkloadRefused',
      message: expect.stringContaining('belongs to globex, not to tenant acme'),
    });
  });

  test('that the API refuses is refused in its words before anything changes', async () => {
    const [service] = only('Service').objects;
    const begun: ObjectsReport[] = [];
    const broken = { ...service!, spec: { ...(service!.spec as object), misspelt: 1 } };
    const asked = {
      ...ask({ objects: [broken] }),
      mark: 'r-4',
      begin: async (report: ObjectsReport) => {
        begun.push(report);
        return report;
      },
    };
    await expect(restoreObjects(source, asked)).rejects.toMatchObject({
      name: 'WorkloadRefused',
      message: expect.stringContaining('misspelt'),
    });
    expect(begun).toEqual([]);
  });
});
