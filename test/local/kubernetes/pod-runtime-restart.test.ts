import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { openApiClient } from '../../../local/kubernetes/api-client.ts';
import { startControlPlanes } from '../../../local/kubernetes/control-planes.ts';
import { kinds, pathOf } from '../../../local/kubernetes/controllers/kinds.ts';
import type { Pod } from '../../../local/kubernetes/controllers/workloads.ts';
import { startControllers } from '../../../local/kubernetes/controllers.ts';
import { createPodRuntime } from '../../../local/kubernetes/pod-runtime.ts';
import { appSpec, eventually, images } from './test-cluster.ts';

const ends: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const open = async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tenantry-kubernetes-'));
  ends.push(() => rm(directory, { recursive: true, force: true }));
  const log = (): void => undefined;
  const planes = await startControlPlanes({ directory, authenticate: () => Promise.resolve(undefined), log });
  ends.push(() => planes.close());
  planes.create('one');
  const token = planes.adminToken('one');
  const connection = { server: planes.endpoint('one'), token, certificateAuthority: planes.certificateAuthority };
  const api = openApiClient(connection);
  ends.push(() => api.close());
  const start = async (startDelayMillis = 0) => {
    const runtime = createPodRuntime({ images: () => images, log });
    const controllers = await startControllers(connection, { runtime, log, startDelayMillis });
    const stop = async (): Promise<void> => {
      await controllers.close();
      await runtime.close();
    };
    ends.push(stop);
    return { runtime, stop };
  };
  const pods = pathOf(kinds.pods, { namespace: 'default' });
  const create = (name: string, spec: object) => api.request('POST', pods, { body: { metadata: { name }, spec } });
  const status = (name: string, check: (pod: Pod) => void): Promise<Pod> =>
    eventually(async () => {
      const pod = await api.request<Pod>('GET', `${pods}/${name}`);
      check(pod);
      return pod;
    });
  return { start, create, status, api, pods };
};

const app = appSpec().spec.template.spec;

test('pods of a laptop that is started again run again, those that may run once are told as lost', async () => {
  const { start, create, status } = await open();
  const first = await start();
  await create('app', app);
  await create('once', { ...app, restartPolicy: 'Never' });
  for (const name of ['app', 'once'])
    await status(name, (pod) => expect(pod.status?.containerStatuses?.[0]?.ready).toBe(true));
  await first.stop();
  const second = await start();
  const again = await status('app', (pod) =>
    expect(pod.status?.containerStatuses).toMatchObject([
      { ready: true, restartCount: 1, lastState: { terminated: { reason: 'ContainerStatusUnknown' } } },
    ]),
  );
  expect(second.runtime.port(again.metadata.uid)).toBeDefined();
  const lost = await status('once', (pod) =>
    expect(pod.status).toMatchObject({
      phase: 'Failed',
      containerStatuses: [{ ready: false, state: { terminated: { exitCode: 137 } } }],
    }),
  );
  expect(second.runtime.pids(lost.metadata.uid)).toEqual([]);
});

test('a pod is pending for as long as the start of pods is delayed', async () => {
  const { start, create, status } = await open();
  const { runtime } = await start(400);
  await create('app', app);
  const pending = await status('app', (pod) =>
    expect(pod.status).toMatchObject({
      phase: 'Pending',
      containerStatuses: [{ state: { waiting: { reason: expect.any(String) } } }],
    }),
  );
  expect(runtime.pids(pending.metadata.uid)).toEqual([]);
  await status('app', (pod) => expect(pod.status?.containerStatuses?.[0]?.ready).toBe(true));
});

test('a pod that is deleted by force takes its stubborn process along, whatever its grace', async () => {
  const { start, create, status, api, pods } = await open();
  const { runtime } = await start();
  const [container] = app.containers;
  const env = [{ name: 'BEHAVIOUR', value: 'stubborn' }];
  await create('app', { ...app, terminationGracePeriodSeconds: 60, containers: [{ ...container, env }] });
  const { metadata } = await status('app', (pod) => expect(pod.status?.containerStatuses?.[0]?.ready).toBe(true));
  await api.request('DELETE', `${pods}/app`);
  await status('app', (pod) => expect(pod.metadata.deletionTimestamp).toBeDefined());
  expect(runtime.pids(metadata.uid)).toHaveLength(1);
  await api.request('DELETE', `${pods}/app`, { query: { gracePeriodSeconds: '0' } });
  await eventually(() => expect(runtime.pids(metadata.uid)).toEqual([]));
});
