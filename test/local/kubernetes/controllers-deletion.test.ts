import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kinds } from '../../../local/kubernetes/controllers/kinds.ts';
import type { KubeObject } from '../../../local/kubernetes/controllers/objects.ts';
import type { ReplicaSet } from '../../../local/kubernetes/controllers/workloads.ts';
import { appSpec, eventually, startTestLaptop, type TestLaptop } from './test-cluster.ts';

let laptop: TestLaptop;

beforeAll(async () => {
  laptop = await startTestLaptop();
});

afterAll(() => laptop.stop());

describe('what is deleted', () => {
  test('takes what it owns along, and the processes end', async () => {
    const cluster = await laptop.open('t-garbage');
    await cluster.create(kinds.deployments, 'app', appSpec());
    const { metadata } = await cluster.rolledOut();
    const [pod] = await cluster.pods();
    const [pid] = laptop.runtime.pids(pod!.metadata.uid);
    await cluster.create(kinds.configMaps, 'owned', {
      metadata: { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'app', uid: metadata.uid }] },
    });
    await cluster.remove(kinds.deployments, 'app', { propagationPolicy: 'Background' });
    await eventually(async () => {
      expect(await cluster.list(kinds.replicaSets)).toEqual([]);
      expect(await cluster.pods()).toEqual([]);
      expect(await cluster.find(kinds.configMaps, 'owned')).toBeUndefined();
    });
    expect(() => process.kill(pid!, 0)).toThrow('ESRCH');
  });

  test('in the foreground stays until what it owns has gone', async () => {
    const cluster = await laptop.open('t-foreground');
    await cluster.create(kinds.deployments, 'app', appSpec());
    await cluster.rolledOut();
    const [{ metadata: set }] = (await cluster.list<ReplicaSet>(kinds.replicaSets)) as [ReplicaSet];
    await cluster.patch(kinds.replicaSets, set.name, { metadata: { finalizers: ['example.com/holds'] } });
    await cluster.remove(kinds.deployments, 'app', { propagationPolicy: 'Foreground' });
    await eventually(async () => {
      const { metadata } = await cluster.get<ReplicaSet>(kinds.replicaSets, set.name);
      expect(metadata.deletionTimestamp).toBeDefined();
    });
    expect((await cluster.deployment()).metadata.finalizers).toEqual(['foregroundDeletion']);
    await cluster.patch(kinds.replicaSets, set.name, { metadata: { finalizers: null } });
    await eventually(async () => expect(await cluster.find(kinds.deployments, 'app')).toBeUndefined());
    expect(await cluster.list(kinds.replicaSets)).toEqual([]);
  });

  test('as an orphan leaves its pods, which the next Deployment of the name takes over', async () => {
    const cluster = await laptop.open('t-orphan');
    await cluster.create(kinds.deployments, 'app', appSpec());
    await cluster.rolledOut();
    const before = (await cluster.pods()).map(({ metadata }) => metadata.uid);
    await cluster.remove(kinds.deployments, 'app', { propagationPolicy: 'Orphan' });
    await eventually(async () => expect(await cluster.find(kinds.deployments, 'app')).toBeUndefined());
    expect(
      (await cluster.list<ReplicaSet>(kinds.replicaSets)).map(({ metadata }) => metadata.ownerReferences ?? []),
    ).toEqual([[]]);
    await cluster.create(kinds.deployments, 'app', appSpec());
    await cluster.rolledOut();
    expect((await cluster.pods()).map(({ metadata }) => metadata.uid)).toEqual(before);
  });

  test('is a whole namespace once no finalizer holds it, and says what does', async () => {
    const cluster = await laptop.open('t-stuck');
    await cluster.create(
      kinds.deployments,
      'app',
      appSpec({ container: { env: [{ name: 'BEHAVIOUR', value: 'stubborn' }] } }),
    );
    await cluster.create(kinds.secrets, 'held', { metadata: { finalizers: ['example.com/holds'] } });
    await cluster.rolledOut();
    const [pod] = await cluster.pods();
    await cluster.api.request('DELETE', '/api/v1/namespaces/t-stuck');
    const namespace = () => cluster.api.request<KubeObject>('GET', '/api/v1/namespaces/t-stuck');
    await eventually(async () =>
      expect((await namespace()).status).toMatchObject({
        phase: 'Terminating',
        conditions: expect.arrayContaining([
          expect.objectContaining({
            type: 'NamespaceFinalizersRemaining',
            status: 'True',
            message:
              'Some content in the namespace has finalizers remaining: example.com/holds in 1 resource instances',
          }),
          expect.objectContaining({
            type: 'NamespaceContentRemaining',
            message: expect.stringContaining('secrets. has 1 resource instances'),
          }),
        ]),
      }),
    );
    await cluster.patch(kinds.secrets, 'held', { metadata: { finalizers: null } });
    await eventually(async () => await expect(namespace()).rejects.toMatchObject({ status: 404 }));
    expect(laptop.runtime.pids(pod!.metadata.uid)).toEqual([]);
  });
});
