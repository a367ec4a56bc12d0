import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kinds } from '../../../local/kubernetes/controllers/kinds.ts';
import type { KubeObject } from '../../../local/kubernetes/controllers/objects.ts';
import { call } from '../ingress/http.ts';
import { appSpec, eventually, startTestLaptop, type TestCluster, type TestLaptop } from './test-cluster.ts';

let laptop: TestLaptop;

beforeAll(async () => {
  laptop = await startTestLaptop();
});

afterAll(() => laptop.stop());

const taskSpec = (exitCode: number, spec: object = {}, pod: object = {}) => ({
  spec: {
    ...spec,
    template: {
      spec: {
        restartPolicy: 'Never',
        containers: [{ name: 'task', image: 'task:1', args: [String(exitCode)] }],
        ...pod,
      },
    },
  },
});

describe('a Job', () => {
  test('is complete when its program has ended well as often as asked', async () => {
    const cluster = await laptop.open('t-job');
    await cluster.create(kinds.jobs, 'migrate', taskSpec(0, { completions: 2 }));
    await eventually(async () =>
      expect((await cluster.job('migrate')).status).toMatchObject({
        succeeded: 2,
        active: 0,
        completionTime: expect.any(String),
        conditions: [{ type: 'Complete', status: 'True' }],
      }),
    );
    const pods = await cluster.pods();
    expect(pods.map(({ status }) => status?.phase)).toEqual(['Succeeded', 'Succeeded']);
    expect(pods[0]!.metadata.labels).toMatchObject({ 'job-name': 'migrate' });
  });

  test('has failed when its program failed more often than it may', async () => {
    const cluster = await laptop.open('t-job-fails');
    await cluster.create(kinds.jobs, 'migrate', taskSpec(7, { backoffLimit: 1 }));
    await eventually(async () =>
      expect((await cluster.job('migrate')).status).toMatchObject({
        failed: 2,
        conditions: [{ type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded' }],
      }),
    );
    const [pod] = await cluster.pods();
    expect(pod!.status).toMatchObject({
      phase: 'Failed',
      containerStatuses: [{ state: { terminated: { exitCode: 7, reason: 'Error' } } }],
    });
  });

  test('that runs too long is ended, and one that is over goes after its time', async () => {
    const cluster = await laptop.open('t-job-late');
    const container = { name: 'task', image: 'app:1' };
    await cluster.create(kinds.jobs, 'endless', {
      ...taskSpec(0, { activeDeadlineSeconds: 1 }, { containers: [container], terminationGracePeriodSeconds: 1 }),
    });
    await cluster.create(kinds.jobs, 'brief', taskSpec(0, { ttlSecondsAfterFinished: 1 }));
    await eventually(async () =>
      expect((await cluster.job('endless')).status?.conditions).toMatchObject([
        { type: 'Failed', reason: 'DeadlineExceeded' },
      ]),
    );
    await eventually(async () => {
      expect(await cluster.find(kinds.jobs, 'brief')).toBeUndefined();
      expect(await cluster.pods()).toEqual([]);
    });
  });
});

describe('a StatefulSet', () => {
  const named = (status: { metadata: { name: string } }[]) => status.map(({ metadata }) => metadata.name);

  test('does not start a pod before the one in front of it is ready', async () => {
    const cluster = await laptop.open('t-in-order');
    const env = [{ name: 'BEHAVIOUR', value: 'sick' }];
    const { spec } = appSpec({ replicas: 2, container: { env } });
    await cluster.create(kinds.statefulSets, 'app', { spec: { ...spec, serviceName: 'app' } });
    const port = await eventually(async () => {
      const [first] = await cluster.pods();
      const reasons = (await cluster.list<{ reason: string }>(kinds.events)).map(({ reason }) => reason);
      expect(reasons).toContain('Unhealthy');
      const found = laptop.runtime.port(first!.metadata.uid);
      expect(found).toBeDefined();
      return found!;
    });
    expect(named(await cluster.pods())).toEqual(['app-0']);
    await call(port, '/heal');
    await eventually(async () => expect(named(await cluster.pods())).toEqual(['app-0', 'app-1']));
  });

  test('has numbered pods, each ready before the next, with a claim each, and is changed from its last pod down', async () => {
    const cluster = await laptop.open('t-stateful');
    const { spec } = appSpec({ replicas: 2 });
    await cluster.create(kinds.statefulSets, 'app', {
      spec: {
        ...spec,
        serviceName: 'app',
        volumeClaimTemplates: [
          {
            metadata: { name: 'data' },
            spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
          },
        ],
      },
    });
    const rolledOut = (revision?: unknown) =>
      eventually(async () => {
        const found = await cluster.get<KubeObject & { status?: Record<string, unknown> }>(kinds.statefulSets, 'app');
        expect(found.status).toMatchObject({
          readyReplicas: 2,
          updatedReplicas: 2,
          observedGeneration: found.metadata.generation,
        });
        expect(found.status?.currentRevision).toBe(found.status?.updateRevision);
        expect(found.status?.updateRevision).not.toBe(revision);
        return found.status?.updateRevision;
      });
    const first = await rolledOut();
    const pods = await cluster.pods();
    expect(named(pods)).toEqual(['app-0', 'app-1']);
    const readyAt = pods[0]!.status!.conditions!.find(({ type }) => type === 'Ready')!.lastTransitionTime!;
    expect(readyAt <= pods[1]!.metadata.creationTimestamp).toBe(true);
    await eventually(async () =>
      expect(await cluster.list(kinds.persistentVolumeClaims)).toMatchObject([
        { metadata: { name: 'data-app-0' }, status: { phase: 'Bound', capacity: { storage: '1Gi' } } },
        { metadata: { name: 'data-app-1' }, status: { phase: 'Bound' } },
      ]),
    );
    await cluster.patch(kinds.statefulSets, 'app', {
      spec: { template: { spec: { containers: [{ name: 'app', image: 'app:2' }] } } },
    });
    await rolledOut(first);
    const [zero, one] = await cluster.pods();
    expect([zero, one].map((pod) => pod!.spec.containers[0]!.image)).toEqual(['app:2', 'app:2']);
    expect(one!.metadata.creationTimestamp <= zero!.metadata.creationTimestamp).toBe(true);
    await cluster.patch(kinds.statefulSets, 'app', { spec: { replicas: 1 } });
    await eventually(async () => expect(named(await cluster.pods())).toEqual(['app-0']));
  });
});

const open = async (namespace: string, replicas: number): Promise<TestCluster> => {
  const cluster = await laptop.open(namespace);
  await cluster.create(kinds.deployments, 'app', appSpec({ replicas }));
  return cluster;
};

describe('what looks after workloads', () => {
  test('a budget says how many pods may be disturbed', async () => {
    const cluster = await open('t-budget', 3);
    await cluster.create(kinds.disruptionBudgets, 'app', {
      spec: { minAvailable: 2, selector: { matchLabels: { 'app.kubernetes.io/name': 'app' } } },
    });
    await cluster.rolledOut();
    const status = (expected: object) =>
      eventually(async () =>
        expect(await cluster.get(kinds.disruptionBudgets, 'app')).toMatchObject({ status: expected }),
      );
    await status({ expectedPods: 3, currentHealthy: 3, desiredHealthy: 2, disruptionsAllowed: 1 });
    await cluster.patch(kinds.deployments, 'app', { spec: { replicas: 2 } });
    await status({
      expectedPods: 2,
      currentHealthy: 2,
      disruptionsAllowed: 0,
      conditions: [{ type: 'DisruptionAllowed', status: 'False', reason: 'InsufficientPods' }],
    });
  });

  test('an autoscaler keeps its target between minimum and maximum', async () => {
    const cluster = await open('t-autoscaler', 1);
    await cluster.create(kinds.autoscalers, 'app', {
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
        minReplicas: 2,
        maxReplicas: 3,
      },
    });
    const replicas = (count: number) =>
      eventually(async () => {
        expect((await cluster.rolledOut()).spec.replicas).toBe(count);
        expect(await cluster.get(kinds.autoscalers, 'app')).toMatchObject({
          status: { currentReplicas: count, desiredReplicas: count },
        });
      });
    await replicas(2);
    await cluster.patch(kinds.deployments, 'app', { spec: { replicas: 5 } });
    await replicas(3);
  });

  test('a quota says what is used of it, of pods, services, storage and counted objects', async () => {
    const cluster = await laptop.open('t-used');
    await cluster.create(kinds.resourceQuotas, 'plan', {
      spec: {
        hard: {
          pods: '4',
          'requests.cpu': '2',
          'limits.memory': '1Gi',
          services: '5',
          'services.loadbalancers': '1',
          'requests.storage': '10Gi',
          'count/deployments.apps': '3',
        },
      },
    });
    const resources = { requests: { cpu: '250m', memory: '128Mi' }, limits: { cpu: '250m', memory: '128Mi' } };
    await cluster.create(kinds.deployments, 'app', appSpec({ replicas: 2, container: { resources } }));
    await cluster.create(kinds.services, 'app', { spec: { selector: { a: 'b' }, ports: [{ port: 80 }] } });
    await cluster.create(kinds.persistentVolumeClaims, 'data', {
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '2Gi' } } },
    });
    await eventually(async () =>
      expect((await cluster.get<KubeObject>(kinds.resourceQuotas, 'plan')).status).toMatchObject({
        used: {
          pods: '2',
          'requests.cpu': '500m',
          'limits.memory': '256Mi',
          services: '1',
          'services.loadbalancers': '0',
          'requests.storage': '2Gi',
          'count/deployments.apps': '1',
        },
      }),
    );
  });
});
