import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type ApiClient, openApiClient } from '../../../local/kubernetes/api-client.ts';
import { startControlPlanes } from '../../../local/kubernetes/control-planes.ts';
import { kinds, pathOf } from '../../../local/kubernetes/controllers/kinds.ts';
import { mostEvents } from '../../../local/kubernetes/controllers/recorder.ts';
import type { Deployment, Pod } from '../../../local/kubernetes/controllers/workloads.ts';
import { startControllers } from '../../../local/kubernetes/controllers.ts';
import { createPodRuntime } from '../../../local/kubernetes/pod-runtime.ts';
import { appSpec, eventually, images } from './test-cluster.ts';

const ends: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** Passes connections on and counts the bytes, so that a test sees who talks when nothing happens. TLS goes through untouched. */
const startForwarder = async (port: number) => {
  let bytes = 0;
  let blocked = false;
  const sockets = new Set<Socket>();
  const server = createServer((inner) => {
    if (blocked) {
      inner.destroy();
      return;
    }
    const outer = connect(port, '127.0.0.1');
    for (const socket of [inner, outer]) {
      sockets.add(socket);
      socket.on('data', (data) => {
        bytes += data.length;
      });
      socket.on('error', () => undefined);
      socket.on('close', () => {
        inner.destroy();
        outer.destroy();
        sockets.delete(socket);
      });
    }
    inner.pipe(outer);
    outer.pipe(inner);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  ends.push(() => {
    server.close();
    cut();
  });
  const block = (on: boolean): void => {
    blocked = on;
    if (on) cut();
  };
  return { port: (server.address() as AddressInfo).port, bytes: () => bytes, block };
};

const start = async (prepare: (api: ApiClient) => Promise<void> = () => Promise.resolve()) => {
  const directory = await mkdtemp(join(tmpdir(), 'tenantry-kubernetes-'));
  ends.push(() => rm(directory, { recursive: true, force: true }));
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  const planes = await startControlPlanes({ directory, authenticate: () => Promise.resolve(undefined), log });
  ends.push(() => planes.close());
  planes.create('one');
  const forwarder = await startForwarder(planes.port);
  const connection = { token: planes.adminToken('one'), certificateAuthority: planes.certificateAuthority };
  const runtime = createPodRuntime({ images: () => images, log });
  ends.push(() => runtime.close());
  const server = `https://127.0.0.1:${forwarder.port}/clusters/one`;
  const api = openApiClient({ ...connection, server: planes.endpoint('one') });
  ends.push(() => api.close());
  await prepare(api);
  const controllers = await startControllers({ ...connection, server }, { runtime, log });
  ends.push(() => controllers.close());
  return { forwarder, api, lines };
};

const path = pathOf(kinds.deployments, { namespace: 'default' });

test('an idle cluster is quiet: nobody asks, nobody answers', async () => {
  const { forwarder, api } = await start();
  await api.request('POST', path, { body: { metadata: { name: 'app' }, ...appSpec() } });
  await eventually(async () => {
    const { status } = await api.request<Deployment>('GET', `${path}/app`);
    expect(status?.availableReplicas).toBe(1);
  });
  // Quiet is a moment without a byte; what came before were the last words about the new pod.
  const quiet = async (): Promise<number> => {
    const before = forwarder.bytes();
    await new Promise((done) => setTimeout(done, 400));
    return forwarder.bytes() - before;
  };
  await eventually(async () => expect(await quiet()).toBe(0));
  const cpu = process.cpuUsage();
  expect(await quiet()).toBe(0);
  const { user, system } = process.cpuUsage(cpu);
  // 400 ms with API, controllers, a probed pod's kubelet and this test in one process.
  expect((user + system) / 1_000).toBeLessThan(80);
});

test('lost watches are taken up again, and what changed or went meanwhile is done', async () => {
  const { forwarder, api, lines } = await start();
  for (const name of ['app', 'other'])
    await api.request('POST', path, { body: { metadata: { name }, ...appSpec({ name }) } });
  const pods = async (): Promise<string[]> => {
    const { items } = await api.request<{ items: Pod[] }>('GET', pathOf(kinds.pods, { namespace: 'default' }));
    return items
      .filter(({ status }) => status?.containerStatuses?.every(({ ready }) => ready))
      .map(({ metadata }) => metadata.name.split('-')[0]!)
      .sort();
  };
  await eventually(async () => expect(await pods()).toEqual(['app', 'other']));
  forwarder.block(true);
  await api.request('DELETE', `${path}/other`);
  const contentType = 'application/merge-patch+json';
  await api.request('PATCH', `${path}/app`, { body: { spec: { replicas: 2 } }, contentType });
  forwarder.block(false);
  await eventually(async () => expect(await pods()).toEqual(['app', 'app']));
  expect(lines.some((line) => /^watch of deployments: .*; again in \d+ ms$/.test(line))).toBe(true);
});

test('events of one namespace are kept up to their number, also those that were there before', async () => {
  const event = (index: number) => ({
    metadata: { name: `old-${index}` },
    involvedObject: { kind: 'Pod', namespace: 'default', name: `pod-${index}`, uid: `uid-${index}` },
    reason: 'Old',
    message: String(index),
    lastTimestamp: '2020-01-01T00:00:00Z',
  });
  const events = pathOf(kinds.events, { namespace: 'default' });
  const { api } = await start(async (early) => {
    for (let index = 0; index < mostEvents + 5; index += 1) await early.request('POST', events, { body: event(index) });
  });
  await api.request('POST', path, { body: { metadata: { name: 'app' }, ...appSpec() } });
  await eventually(async () => {
    const { items } = await api.request<{ items: { reason: string }[] }>('GET', events);
    expect(items.map(({ reason }) => reason)).toEqual(
      expect.arrayContaining(['ScalingReplicaSet', 'SuccessfulCreate', 'Started']),
    );
    expect(items).toHaveLength(mostEvents);
  });
});
