import { fork } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kinds } from '../../../local/kubernetes/controllers/kinds.ts';
import type { KubeObject } from '../../../local/kubernetes/controllers/objects.ts';
import type { ContainerStatus, Pod } from '../../../local/kubernetes/controllers/workloads.ts';
import { call } from '../ingress/http.ts';
import { isRunning } from '../processes.ts';
import { appSpec, eventually, images, startTestLaptop, type TestCluster, type TestLaptop } from './test-cluster.ts';

let laptop: TestLaptop;

beforeAll(async () => {
  laptop = await startTestLaptop();
});

afterAll(() => laptop.stop());

/** A namespace with one pod `app` of the fixture app. */
const openPod = async (
  namespace: string,
  container: object = {},
  pod: object = {},
  before?: (cluster: TestCluster) => Promise<unknown>,
) => {
  const cluster = await laptop.open(namespace);
  await before?.(cluster);
  const { metadata, spec } = appSpec({ container, pod }).spec.template;
  await cluster.create(kinds.pods, 'app', { metadata, spec });
  const get = () => cluster.get<Pod>(kinds.pods, 'app');
  const status = (check: (status: ContainerStatus, pod: Pod) => void): Promise<Pod> =>
    eventually(async () => {
      const found = await get();
      const [first] = found.status?.containerStatuses ?? [];
      if (!first) throw new Error('no status yet');
      check(first, found);
      return found;
    });
  const ready = () => status((first) => expect(first).toMatchObject({ ready: true, started: true }));
  const ask = async (path: string) => call(laptop.runtime.port((await get()).metadata.uid)!, path);
  const pid = async () => laptop.runtime.pids((await get()).metadata.uid)[0]!;
  return { cluster, get, status, ready, ask, pid };
};

describe('the environment of a pod', () => {
  test('is what its container names, PATH and PORT, and nothing of ours', async () => {
    process.env.OPERATOR_SECRET = 'ours';
    const { ready, ask } = await openPod(
      't-environment',
      {
        args: ['--mode', '$(COLOUR)'],
        env: [
          { name: 'PORT', value: '8080' },
          { name: 'HOST', value: '0.0.0.0' },
          { name: 'COLOUR', value: 'green' },
          { name: 'SHADE', value: 'dark $(COLOUR), $$(COLOUR), $(NOBODY)' },
          { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } },
          { name: 'MODE', valueFrom: { configMapKeyRef: { name: 'app', key: 'mode' } } },
          { name: 'ABSENT', valueFrom: { configMapKeyRef: { name: 'nobody', key: 'mode', optional: true } } },
          { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
        ],
        envFrom: [{ configMapRef: { name: 'app' } }, { prefix: 'DB_', secretRef: { name: 'db' } }],
      },
      {},
      async (cluster) => {
        await cluster.create(kinds.secrets, 'db', { stringData: { password: 'pässword' } });
        await cluster.create(kinds.configMaps, 'app', { data: { mode: 'quiet', COLOUR: 'red' } });
      },
    );
    await ready();
    delete process.env.OPERATOR_SECRET;
    const { env, args } = JSON.parse((await ask('/')).body) as { env: object; args: string[] };
    expect(env).toEqual({
      PATH: process.env.PATH,
      PORT: '0',
      HOST: '127.0.0.1',
      COLOUR: 'green',
      SHADE: 'dark green, $(COLOUR), $(NOBODY)',
      PASSWORD: 'pässword',
      DB_password: 'pässword',
      MODE: 'quiet',
      mode: 'quiet',
      POD: 'app',
      NAMESPACE: 't-environment',
    });
    expect(args).toEqual(['--mode', 'green']);
  });

  test('that lacks a Secret keeps the pod waiting, and it starts when the Secret comes', async () => {
    const { cluster, status, ready } = await openPod('t-no-secret', { envFrom: [{ secretRef: { name: 'db' } }] });
    await status((first) =>
      expect(first.state).toEqual({
        waiting: { reason: 'CreateContainerConfigError', message: 'secret "db" not found' },
      }),
    );
    await cluster.create(kinds.secrets, 'db', { stringData: { password: 'x' } });
    await ready();
  });
});

describe('a pod', () => {
  test('has the state, the address and the conditions of a running pod', async () => {
    const { ready } = await openPod('t-status');
    const { status } = await ready();
    expect(status).toMatchObject({
      phase: 'Running',
      podIP: '127.0.0.1',
      startTime: expect.any(String),
      containerStatuses: [{ name: 'app', image: 'app:1', restartCount: 0, state: { running: {} } }],
    });
    expect(status!.conditions!.map(({ type, status: holds }) => `${type} ${holds}`).sort()).toEqual([
      'ContainersReady True',
      'Initialized True',
      'PodScheduled True',
      'Ready True',
    ]);
  });

  test('of an unknown image never runs, and does once the image is known', async () => {
    const { status, ready } = await openPod('t-unknown', { image: 'later:1' });
    await status((first, pod) => {
      expect(first.state.waiting?.reason).toBe('ErrImagePull');
      expect(pod.status?.phase).toBe('Pending');
    });
    await status((first) =>
      expect(first.state.waiting).toEqual({
        reason: 'ImagePullBackOff',
        message: 'Back-off pulling image "later:1"',
      }),
    );
    images.set('later:1', images.get('app:1')!);
    await ready();
    images.delete('later:1');
  });

  test('with a command of its own is told that a laptop has no file system of the image', async () => {
    const { status } = await openPod('t-command', { command: ['node', 'server.js'] });
    await status((first) => expect(first.state.waiting?.reason).toBe('RunContainerError'));
  });

  test('runs its init containers first', async () => {
    const init = [
      { name: 'one', image: 'task:1' },
      { name: 'two', image: 'task:1' },
    ];
    const { ready } = await openPod('t-init', {}, { initContainers: init });
    const { status } = await ready();
    expect(status!.initContainerStatuses).toMatchObject([
      { name: 'one', state: { terminated: { exitCode: 0 } } },
      { name: 'two', state: { terminated: { exitCode: 0 } } },
    ]);
  });
});

describe('a process', () => {
  test('that dies is started again, and its pod serves nobody meanwhile', async () => {
    const { ready, ask, pid, status, get } = await openPod('t-dies');
    await ready();
    const dead = await pid();
    const { uid } = (await get()).metadata;
    const port = laptop.runtime.port(uid);
    await ask('/die').catch(() => undefined);
    await eventually(() => expect(laptop.runtime.port(uid)).not.toBe(port));
    await status((first) =>
      expect(first).toMatchObject({
        restartCount: 1,
        ready: true,
        lastState: { terminated: { exitCode: 3, reason: 'Error' } },
      }),
    );
    expect(await pid()).not.toBe(dead);
  });

  test('that dies at every start is started with growing pauses, and told so', async () => {
    const { cluster, status } = await openPod('t-crashes', { env: [{ name: 'BEHAVIOUR', value: 'dies' }] });
    const { status: last } = await status((first) => {
      expect(first.restartCount).toBeGreaterThanOrEqual(3);
      expect(first.state.waiting?.reason).toBe('CrashLoopBackOff');
    });
    const [first] = last!.containerStatuses!;
    expect(first!.ready).toBe(false);
    expect(first!.state.waiting?.message).toMatch(
      /^back-off (800|1600)ms restarting failed container=app pod=app_t-crashes/,
    );
    const events = await cluster.list<KubeObject & { reason: string; count: number }>(kinds.events);
    expect(events.find(({ reason }) => reason === 'BackOff')?.count).toBeGreaterThanOrEqual(3);
  });

  test('that gets sick loses its readiness at once and its life after the threshold, then serves again', async () => {
    const { ready, ask, pid, status, cluster } = await openPod('t-sick', {
      livenessProbe: { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 1, failureThreshold: 2 },
    });
    await ready();
    const sick = await pid();
    await ask('/sicken');
    await status((first) => expect(first).toMatchObject({ ready: false, restartCount: 0, state: { running: {} } }));
    expect(await pid()).toBe(sick);
    await status((first) => expect(first).toMatchObject({ ready: true, restartCount: 1 }));
    expect(isRunning(sick)).toBe(false);
    const reasons = (await cluster.list<{ reason: string }>(kinds.events)).map(({ reason }) => reason);
    expect(reasons).toEqual(expect.arrayContaining(['Unhealthy', 'Killing']));
  });

  test('is not ready before its startup probe has succeeded, however long that may take', async () => {
    const { status, ask, ready } = await openPod('t-startup', {
      env: [{ name: 'BEHAVIOUR', value: 'sick' }],
      readinessProbe: undefined,
      startupProbe: { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 1, failureThreshold: 60 },
    });
    await status((first) => expect(first).toMatchObject({ started: false, ready: false, state: { running: {} } }));
    await eventually(() => ask('/heal'));
    await ready();
  });

  test('has as long as its pod says to end, not longer', async () => {
    const { cluster, ready, pid, get } = await openPod(
      't-stubborn',
      { env: [{ name: 'BEHAVIOUR', value: 'stubborn' }] },
      { terminationGracePeriodSeconds: 1 },
    );
    await ready();
    const stubborn = await pid();
    const { uid } = (await get()).metadata;
    const began = performance.now();
    await cluster.remove(kinds.pods, 'app');
    await eventually(() => expect(laptop.runtime.port(uid)).toBeUndefined());
    expect(isRunning(stubborn)).toBe(true);
    expect((await get()).metadata.deletionTimestamp).toBeDefined();
    await eventually(async () => expect(await cluster.find(kinds.pods, 'app')).toBeUndefined());
    const took = performance.now() - began;
    expect(isRunning(stubborn)).toBe(false);
    expect(took).toBeGreaterThan(900);
    expect(took).toBeLessThan(5_000);
  });
});

describe('no process outlives', () => {
  test('its cluster', async () => {
    const other = await startTestLaptop();
    const cluster = await other.open('t-closing');
    await cluster.create(kinds.deployments, 'app', appSpec({ replicas: 2 }));
    await cluster.rolledOut();
    const pids = (await cluster.pods()).flatMap(({ metadata }) => other.runtime.pids(metadata.uid));
    expect(pids.map(isRunning)).toEqual([true, true]);
    await other.stop();
    expect(pids.map(isRunning)).toEqual([false, false]);
  });

  test('a laptop that is killed', async () => {
    const parent = fork(new URL('parent.fixture.ts', import.meta.url), [images.get('app:1')!], { execArgv: [] });
    const [{ pid }] = (await once(parent, 'message')) as [{ pid: number }];
    expect(isRunning(pid)).toBe(true);
    parent.kill('SIGKILL');
    await eventually(() => expect(isRunning(pid)).toBe(false));
  });
});
