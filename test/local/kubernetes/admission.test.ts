import { expect, test } from 'vitest';
import { type Answer, ask, deployment, pod } from './api-server.ts';
import { namespace, planes } from './shared-cluster.ts';

const post = (path: string, body: object): Promise<Answer> => ask(planes, 'shared', 'POST', path, { body });
const create = (plural: string, body: object): Promise<Answer> =>
  post(`/api/v1/namespaces/${namespace}/${plural}`, body);
const makePod = (name: string, container: object = {}, spec: object = {}): Promise<Answer> =>
  create('pods', pod(name, namespace, container, spec));

const quota = (hard: object): Promise<Answer> =>
  create('resourcequotas', { metadata: { name: 'plan' }, spec: { hard } });

const label = (labels: object): Promise<Answer> =>
  ask(planes, 'shared', 'PATCH', `/api/v1/namespaces/${namespace}`, {
    contentType: 'application/merge-patch+json',
    body: { metadata: { labels } },
  });

const resources = (cpu: string, memory: string) => ({
  resources: { limits: { cpu, memory }, requests: { cpu, memory } },
});

test('a quota refuses the pod that goes over it, in the words that a workflow reports', async () => {
  await quota({ pods: '2', 'limits.cpu': '1', 'limits.memory': '1Gi' });
  expect((await makePod('a', resources('500m', '256Mi'))).status).toBe(201);
  const refused = await makePod('b', resources('600m', '256Mi'));
  expect(refused.body).toMatchObject({ code: 403, reason: 'Forbidden', details: { name: 'b', kind: 'pods' } });
  expect(refused.body.message).toBe(
    'pods "b" is forbidden: exceeded quota: plan, requested: limits.cpu=600m, used: limits.cpu=500m, limited: limits.cpu=1',
  );
  expect((await makePod('b', resources('500m', '512Mi'))).status).toBe(201);
  expect((await makePod('c', resources('100m', '300Mi'))).body.message).toBe(
    'pods "c" is forbidden: exceeded quota: plan, requested: limits.cpu=100m,limits.memory=300Mi,pods=1, used: limits.cpu=1,limits.memory=768Mi,pods=2, limited: limits.cpu=1,limits.memory=1Gi,pods=2',
  );
});

test('a pod that has ended, or is gone, makes room', async () => {
  await quota({ pods: '1' });
  await makePod('a');
  expect((await makePod('b')).status).toBe(403);
  await ask(planes, 'shared', 'PATCH', `/api/v1/namespaces/${namespace}/pods/a/status`, {
    contentType: 'application/merge-patch+json',
    body: { status: { phase: 'Succeeded' } },
  });
  expect((await makePod('b')).status).toBe(201);
  await ask(planes, 'shared', 'DELETE', `/api/v1/namespaces/${namespace}/pods/b`);
  expect((await makePod('c')).status).toBe(201);
});

test('a quota of compute resources wants every container to name them', async () => {
  await quota({ 'limits.cpu': '2', 'requests.memory': '1Gi' });
  expect((await makePod('a')).body.message).toBe(
    'pods "a" is forbidden: failed quota: plan: must specify limits.cpu for: app; requests.memory for: app',
  );
});

test('a quota counts objects: services by kind, any kind by count/', async () => {
  await quota({ 'services.loadbalancers': '0', 'count/deployments.apps': '1', secrets: '0' });
  const service = (name: string, type: string) =>
    create('services', { metadata: { name }, spec: { type, ports: [{ port: 80 }] } });
  expect((await service('a', 'ClusterIP')).status).toBe(201);
  expect((await service('b', 'LoadBalancer')).body.message).toBe(
    'services "b" is forbidden: exceeded quota: plan, requested: services.loadbalancers=1, used: services.loadbalancers=0, limited: services.loadbalancers=0',
  );
  const patched = await ask(planes, 'shared', 'PATCH', `/api/v1/namespaces/${namespace}/services/a`, {
    contentType: 'application/merge-patch+json',
    body: { spec: { type: 'LoadBalancer' } },
  });
  expect(patched.status).toBe(403);
  const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  expect((await post(deployments, deployment('one', namespace))).status).toBe(201);
  expect((await post(deployments, deployment('two', namespace))).body.message).toContain('count/deployments.apps=1');
  expect((await create('secrets', { metadata: { name: 's' } })).status).toBe(403);
});

test('a limit range fills in what containers leave out, and a quota charges that', async () => {
  await create('limitranges', {
    metadata: { name: 'defaults' },
    spec: {
      limits: [
        {
          type: 'Container',
          default: { cpu: '500m', memory: '512Mi' },
          defaultRequest: { cpu: '100m' },
          max: { cpu: '1', memory: '1Gi' },
        },
      ],
    },
  });
  await quota({ 'limits.cpu': '1' });
  const made = await makePod('a');
  expect(made.body.spec.containers[0].resources).toEqual({
    limits: { cpu: '500m', memory: '512Mi' },
    requests: { cpu: '100m', memory: '512Mi' },
  });
  expect((await makePod('b', { resources: { limits: { cpu: '2' } } })).body.message).toBe(
    'pods "b" is forbidden: maximum cpu usage per Container is 1, but limit is 2',
  );
  expect((await makePod('b')).status).toBe(201);
  expect((await makePod('c')).body.message).toContain('exceeded quota: plan, requested: limits.cpu=500m');
});

const hardened = {
  securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
};
const hardenedPod = { securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } } };

test('a restricted namespace takes only hardened pods, and says all that is missing', async () => {
  await label({
    'pod-security.kubernetes.io/enforce': 'restricted',
    'pod-security.kubernetes.io/enforce-version': 'v1.36',
  });
  const refused = await makePod('a');
  expect(refused.body).toMatchObject({ code: 403, reason: 'Forbidden' });
  expect(refused.body.message).toBe(
    'pods "a" is forbidden: violates PodSecurity "restricted:v1.36": allowPrivilegeEscalation != false (container "app" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "app" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "app" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "app" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  );
  expect((await makePod('a', hardened, hardenedPod)).status).toBe(201);
});

test('a workload that would break the rules is accepted with a warning: its pods are refused later', async () => {
  await label({ 'pod-security.kubernetes.io/enforce': 'restricted' });
  const made = await post(`/apis/apps/v1/namespaces/${namespace}/deployments`, deployment('web', namespace));
  expect(made.status).toBe(201);
  expect(made.headers.warning).toContain('299 - "would violate PodSecurity \\"restricted:latest\\"');
});

test('a baseline namespace refuses the host and keeps plain pods', async () => {
  await label({ 'pod-security.kubernetes.io/enforce': 'baseline' });
  expect((await makePod('a')).status).toBe(201);
  const refused = await makePod(
    'b',
    {
      ports: [{ containerPort: 80, hostPort: 80 }],
      securityContext: { privileged: true, capabilities: { add: ['SYS_ADMIN', 'CHOWN'] } },
    },
    { hostNetwork: true, volumes: [{ name: 'root', hostPath: { path: '/' } }] },
  );
  expect(refused.body.message).toBe(
    'pods "b" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true), hostPath volumes (volume "root"), hostPort (container "app" uses hostPort 80), non-default capabilities (container "app" must not include "SYS_ADMIN" in securityContext.capabilities.add), privileged (container "app" must not set securityContext.privileged=true)',
  );
});

test('an unlabelled namespace takes any pod', async () => {
  expect((await makePod('a', { securityContext: { privileged: true } })).status).toBe(201);
});

test('a pod names a service account and a priority that are there', async () => {
  expect((await makePod('a', {}, { serviceAccountName: 'app' })).body.message).toBe(
    `pods "a" is forbidden: error looking up service account ${namespace}/app: serviceaccount "app" not found`,
  );
  await create('serviceaccounts', { metadata: { name: 'app' } });
  expect((await makePod('a', {}, { serviceAccountName: 'app' })).status).toBe(201);
  expect((await makePod('b', {}, { priorityClassName: 'gold' })).body.message).toBe(
    'pods "b" is forbidden: no PriorityClass with name gold was found',
  );
  await post('/apis/scheduling.k8s.io/v1/priorityclasses', { metadata: { name: 'gold' }, value: 1000 });
  expect((await makePod('b', {}, { priorityClassName: 'gold' })).body.spec).toMatchObject({
    priority: 1000,
    preemptionPolicy: 'PreemptLowerPriority',
  });
});

test('nothing is made in a namespace that is absent or being deleted', async () => {
  const absent = await post('/api/v1/namespaces/nowhere/configmaps', { metadata: { name: 'a' } });
  expect(absent.body).toMatchObject({ code: 404, message: 'namespaces "nowhere" not found' });
  await ask(planes, 'shared', 'DELETE', `/api/v1/namespaces/${namespace}`);
  const late = await create('configmaps', { metadata: { name: 'a' } });
  expect(late.body).toMatchObject({
    code: 403,
    message: `configmaps "a" is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`,
    details: { causes: [{ reason: 'NamespaceTerminating' }] },
  });
});
