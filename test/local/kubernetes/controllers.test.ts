import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kinds } from '../../../local/kubernetes/controllers/kinds.ts';
import type { KubeObject } from '../../../local/kubernetes/controllers/objects.ts';
import type { ReplicaSet } from '../../../local/kubernetes/controllers/workloads.ts';
import { call } from '../ingress/http.ts';
import {
  appSpec,
  eventually,
  hasKubectl,
  ingressSpec,
  serviceSpec,
  startTestLaptop,
  type TestCluster,
  type TestLaptop,
} from './test-cluster.ts';

let laptop: TestLaptop;

beforeAll(async () => {
  laptop = await startTestLaptop();
});

afterAll(() => laptop.stop());

const condition = async (cluster: TestCluster, type: string) =>
  (await cluster.deployment()).status?.conditions?.find((found) => found.type === type);

interface TestEvent extends KubeObject {
  readonly reason: string;
  readonly message: string;
  readonly involvedObject: { readonly kind: string };
}

const eventReasons = async (cluster: TestCluster): Promise<string[]> =>
  (await cluster.list<TestEvent>(kinds.events)).map(({ involvedObject, reason }) => `${involvedObject.kind} ${reason}`);

describe('a namespace', () => {
  test('has the account and the certificate that every namespace has', async () => {
    const cluster = await laptop.open('t-plain');
    await eventually(() => cluster.get(kinds.serviceAccounts, 'default'));
    const { data } = await eventually(() =>
      cluster.get<{ data: Record<string, string> }>(kinds.configMaps, 'kube-root-ca.crt'),
    );
    expect(Buffer.from(data['ca.crt']!).toString('base64')).toBe(cluster.connection.certificateAuthority);
  });
});

describe('a Deployment', () => {
  test('is rolled out, served at its host and told so', async () => {
    const cluster = await laptop.open('t-acme');
    await cluster.create(kinds.services, 'app', serviceSpec);
    await cluster.create(kinds.ingresses, 'app', ingressSpec('acme.localhost', 'chat.acme.example'));
    await cluster.create(kinds.deployments, 'app', appSpec({ replicas: 2 }));
    const { status, metadata } = await cluster.rolledOut();
    expect(status).toMatchObject({
      readyReplicas: 2,
      conditions: [
        { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable' },
        { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' },
      ],
    });
    expect(metadata.annotations).toMatchObject({ 'deployment.kubernetes.io/revision': '1' });
    const ports = await eventually(() => {
      const seen = new Set([1, 2].map(() => laptop.hosts.port('acme.localhost')));
      expect(seen.size).toBe(2);
      return [...seen];
    });
    for (const port of ports) expect((await call(port!, '/')).status).toBe(200);
    expect(laptop.hosts.port('chat.acme.example')).toBeDefined();
    const ingress = await eventually(async () => {
      const found = await cluster.get<KubeObject>(kinds.ingresses, 'app');
      expect(found.status).toEqual({ loadBalancer: { ingress: [{ hostname: 't-acme-app.lb.localhost' }] } });
      return found;
    });
    expect(ingress.metadata.generation).toBe(1);
    const { subsets } = await eventually(async () => {
      const found = await cluster.get<{ subsets: { addresses?: object[]; ports: object[] }[] }>(kinds.endpoints, 'app');
      expect(found.subsets?.[0]?.addresses).toHaveLength(2);
      return found;
    });
    expect(subsets[0]!.ports).toEqual([{ name: 'http', port: 8080, protocol: 'TCP' }]);
    expect(await eventReasons(cluster)).toEqual(
      expect.arrayContaining(['Deployment ScalingReplicaSet', 'ReplicaSet SuccessfulCreate', 'Pod Started']),
    );
  });

  test('whose pod runs and is not ready gets no request', async () => {
    const cluster = await laptop.open('t-unready');
    const host = 'unready.localhost';
    await cluster.create(kinds.services, 'app', serviceSpec);
    await cluster.create(kinds.ingresses, 'app', ingressSpec(host));
    const env = [{ name: 'BEHAVIOUR', value: 'sick' }];
    await cluster.create(kinds.deployments, 'app', appSpec({ container: { env } }));
    const port = await eventually(async () => {
      const [pod] = await cluster.pods();
      const found = laptop.runtime.port(pod!.metadata.uid);
      expect(found).toBeDefined();
      return found!;
    });
    await eventually(async () => expect(await eventReasons(cluster)).toContain('Pod Unhealthy'));
    expect(laptop.hosts.port(host)).toBeUndefined();
    await call(port, '/heal');
    await eventually(() => expect(laptop.hosts.port(host)).toBe(port));
  });

  test('that gets another image changes pod by pod and answers every request meanwhile', async () => {
    const cluster = await laptop.open('t-rolling');
    const host = 'rolling.localhost';
    await cluster.create(kinds.services, 'app', serviceSpec);
    await cluster.create(kinds.ingresses, 'app', ingressSpec(host));
    await cluster.create(kinds.deployments, 'app', appSpec({ replicas: 2 }));
    await cluster.rolledOut();
    await eventually(() => expect(laptop.hosts.port(host)).toBeDefined());
    const before = (await cluster.pods()).map(({ metadata }) => metadata.uid);
    let rolling = true;
    const answers: (number | string)[] = [];
    const asking = (async () => {
      while (rolling) {
        const port = laptop.hosts.port(host);
        answers.push(port === undefined ? 'no route' : await call(port, '/').then(({ status }) => status, String));
      }
    })();
    await cluster.patch(kinds.deployments, 'app', {
      spec: { template: { spec: { containers: [{ name: 'app', image: 'app:2' }] } } },
    });
    const { metadata } = await cluster.rolledOut();
    rolling = false;
    await asking;
    expect(metadata.annotations).toMatchObject({ 'deployment.kubernetes.io/revision': '2' });
    expect(answers.length).toBeGreaterThan(10);
    expect(new Set(answers)).toEqual(new Set([200]));
    const pods = await eventually(async () => {
      const left = await cluster.pods();
      expect(left).toHaveLength(2);
      return left;
    });
    expect(pods.map(({ metadata: { uid } }) => uid).filter((uid) => before.includes(uid))).toEqual([]);
    expect(new Set(pods.map(({ spec }) => spec.containers[0]!.image))).toEqual(new Set(['app:2']));
  });

  test('with an image that nobody has is told as late, keeps its old pods, has another try, and goes back', async () => {
    const cluster = await laptop.open('t-bad-image');
    await cluster.create(kinds.deployments, 'app', appSpec({ replicas: 2, progressDeadlineSeconds: 1 }));
    await cluster.rolledOut();
    await cluster.patch(kinds.deployments, 'app', {
      spec: { template: { spec: { containers: [{ name: 'app', image: 'app:missing' }] } } },
    });
    await eventually(async () =>
      expect(await condition(cluster, 'Progressing')).toMatchObject({
        status: 'False',
        reason: 'ProgressDeadlineExceeded',
        message: expect.stringMatching(/^ReplicaSet "app-\w+" has timed out progressing\.$/),
      }),
    );
    const deployment = await cluster.deployment();
    expect(deployment.status).toMatchObject({ availableReplicas: 2, updatedReplicas: 1, replicas: 3 });
    expect(await condition(cluster, 'Available')).toMatchObject({ status: 'True' });
    const waiting = (await cluster.pods()).flatMap(({ status }) => status?.containerStatuses?.[0]?.state.waiting ?? []);
    expect(waiting).toMatchObject([{ reason: expect.stringMatching(/^(ErrImagePull|ImagePullBackOff)$/) }]);
    const other = [{ name: 'app', image: 'app:missing-too' }];
    await cluster.patch(kinds.deployments, 'app', {
      spec: { progressDeadlineSeconds: 60, template: { spec: { containers: other } } },
    });
    await eventually(async () => {
      const { metadata, status } = await cluster.deployment();
      expect(status?.observedGeneration).toBe(metadata.generation);
    });
    expect(await condition(cluster, 'Progressing')).toMatchObject({ status: 'True' });
    await cluster.patch(kinds.deployments, 'app', {
      spec: { template: { spec: { containers: [{ name: 'app', image: 'app:1' }] } } },
    });
    const back = await cluster.rolledOut();
    expect(back.metadata.annotations).toMatchObject({ 'deployment.kubernetes.io/revision': '4' });
    const sets = await cluster.list<ReplicaSet>(kinds.replicaSets);
    expect(sets.map(({ spec }) => spec.replicas).sort()).toEqual([0, 0, 2]);
  });

  test.runIf(hasKubectl)('obeys kubectl rollout and scale', async () => {
    const cluster = await laptop.open('t-kubectl');
    await cluster.create(kinds.deployments, 'app', appSpec());
    expect(await cluster.kubectl('rollout', 'status', 'deployment/app', '--timeout=20s')).toContain(
      'successfully rolled out',
    );
    await cluster.kubectl('set', 'image', 'deployment/app', 'app=app:2');
    await cluster.kubectl('rollout', 'status', 'deployment/app', '--timeout=20s');
    await cluster.kubectl('rollout', 'undo', 'deployment/app');
    await cluster.kubectl('rollout', 'status', 'deployment/app', '--timeout=20s');
    const { spec, metadata } = await cluster.deployment();
    expect(spec.template.spec.containers[0]!.image).toBe('app:1');
    expect(metadata.annotations).toMatchObject({ 'deployment.kubernetes.io/revision': '3' });
    expect(await cluster.kubectl('rollout', 'history', 'deployment/app')).toMatch(/\n2 +<none>\n3 +<none>\n/);
    await cluster.kubectl('scale', 'deployment/app', '--replicas=3');
    await cluster.kubectl('rollout', 'status', 'deployment/app', '--timeout=20s');
    expect(await cluster.pods()).toHaveLength(3);
    await cluster.kubectl('scale', 'deployment/app', '--replicas=0');
    await eventually(async () => expect(await cluster.pods()).toEqual([]));
  });

  test('of strategy Recreate never has pods of two templates', async () => {
    const cluster = await laptop.open('t-recreate');
    await cluster.create(kinds.deployments, 'app', appSpec({ strategy: { type: 'Recreate' } }));
    await cluster.rolledOut();
    await cluster.patch(kinds.deployments, 'app', {
      spec: { template: { spec: { containers: [{ name: 'app', image: 'app:2' }] } } },
    });
    const mixed: string[][] = [];
    await eventually(async () => {
      const seen = (await cluster.pods()).map(({ spec }) => spec.containers[0]!.image);
      if (new Set(seen).size > 1) mixed.push(seen);
      expect(seen).toEqual(['app:2']);
    });
    await cluster.rolledOut();
    expect(mixed).toEqual([]);
  });

  test('that its quota does not allow says so, and is rolled out once it may', async () => {
    const cluster = await laptop.open('t-quota');
    await cluster.create(kinds.resourceQuotas, 'plan', { spec: { hard: { pods: '1' } } });
    await cluster.create(kinds.deployments, 'app', appSpec({ replicas: 2 }));
    await eventually(async () =>
      expect(await condition(cluster, 'ReplicaFailure')).toMatchObject({
        status: 'True',
        reason: 'FailedCreate',
        message: expect.stringContaining('exceeded quota: plan, requested: pods=1, used: pods=1, limited: pods=1'),
      }),
    );
    await eventually(async () => expect(await eventReasons(cluster)).toContain('ReplicaSet FailedCreate'));
    await eventually(async () =>
      expect(await cluster.get(kinds.resourceQuotas, 'plan')).toMatchObject({
        status: { hard: { pods: '1' }, used: { pods: '1' } },
      }),
    );
    await cluster.patch(kinds.resourceQuotas, 'plan', { spec: { hard: { pods: '2' } } });
    await cluster.rolledOut();
    expect(await condition(cluster, 'ReplicaFailure')).toBeUndefined();
  });

  test('that Pod Security does not allow says why', async () => {
    const cluster = await laptop.open('t-restricted');
    await cluster.api.request('PATCH', '/api/v1/namespaces/t-restricted', {
      body: { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } } },
      contentType: 'application/merge-patch+json',
    });
    await cluster.create(kinds.deployments, 'app', appSpec());
    await eventually(async () =>
      expect(await condition(cluster, 'ReplicaFailure')).toMatchObject({
        reason: 'FailedCreate',
        message: expect.stringMatching(/violates PodSecurity "restricted:latest".*allowPrivilegeEscalation != false/),
      }),
    );
  });
});
