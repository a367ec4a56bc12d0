import { AppsV1Api, CoreV1Api, KubernetesObjectApi } from '@kubernetes/client-node';
import { beforeAll, expect, test } from 'vitest';
import { ask, deployment, kubeConfigOf, pod, refusalOf, tokenOf } from './api-server.ts';
import { namespace, planes } from './shared-cluster.ts';

let core: CoreV1Api;
let apps: AppsV1Api;
let objects: KubernetesObjectApi;

beforeAll(() => {
  const config = kubeConfigOf(planes, 'shared', tokenOf('shared', 'root'));
  core = config.makeApiClient(CoreV1Api);
  apps = config.makeApiClient(AppsV1Api);
  objects = KubernetesObjectApi.makeApiClient(config);
});

const path = (rest: string): string => `/api/v1/namespaces/${namespace}${rest}`;
const appsPath = (rest: string): string => `/apis/apps/v1/namespaces/${namespace}${rest}`;

test('a new cluster has its first namespaces, and a new namespace its label, phase and finalizer', async () => {
  const { items } = await core.listNamespace();
  const names = items.map(({ metadata }) => metadata?.name);
  expect(names).toEqual(
    expect.arrayContaining(['default', 'kube-node-lease', 'kube-public', 'kube-system', namespace]),
  );
  const mine = items.find(({ metadata }) => metadata?.name === namespace);
  expect(mine).toMatchObject({
    metadata: { labels: { 'kubernetes.io/metadata.name': namespace } },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  });
});

test('a Deployment gets the defaults, uid, generation and version of a real API', async () => {
  const made = await apps.createNamespacedDeployment({ namespace, body: deployment('web', namespace) });
  expect(made.spec).toMatchObject({
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
    template: {
      spec: {
        restartPolicy: 'Always',
        terminationGracePeriodSeconds: 30,
        containers: [{ imagePullPolicy: 'IfNotPresent', ports: [{ containerPort: 8080, protocol: 'TCP' }] }],
      },
    },
  });
  expect(made.metadata).toMatchObject({ generation: 1, uid: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  expect(Number(made.metadata?.resourceVersion)).toBeGreaterThan(0);
});

test('only a change of the spec counts up the generation, and the status only through its subresource', async () => {
  const made = await apps.createNamespacedDeployment({ namespace, body: deployment('web', namespace) });
  const status = await ask(planes, 'shared', 'PATCH', appsPath('/deployments/web/status'), {
    contentType: 'application/merge-patch+json',
    body: { spec: { replicas: 9 }, metadata: { labels: { a: 'b' } }, status: { readyReplicas: 1 } },
  });
  expect(status.body).toMatchObject({
    metadata: { generation: 1 },
    spec: { replicas: 1 },
    status: { readyReplicas: 1 },
  });
  expect(status.body.metadata.labels).toBeUndefined();
  const scaled = await ask(planes, 'shared', 'PATCH', appsPath('/deployments/web'), {
    contentType: 'application/merge-patch+json',
    body: { spec: { replicas: 2 }, status: { readyReplicas: 7 } },
  });
  expect(scaled.body).toMatchObject({
    metadata: { generation: 2 },
    spec: { replicas: 2 },
    status: { readyReplicas: 1 },
  });
  expect(scaled.body.metadata.uid).toBe(made.metadata?.uid);
});

test('a write that changes nothing keeps the resource version', async () => {
  const made = await apps.createNamespacedDeployment({ namespace, body: deployment('web', namespace) });
  const again = await ask(planes, 'shared', 'PATCH', appsPath('/deployments/web'), {
    contentType: 'application/merge-patch+json',
    body: { spec: { replicas: 1 } },
  });
  expect(again.body.metadata.resourceVersion).toBe(made.metadata?.resourceVersion);
});

test('an update of an old version is refused, in the words that clients retry on', async () => {
  const made = await core.createNamespacedConfigMap({
    namespace,
    body: { metadata: { name: 'app' }, data: { a: '1' } },
  });
  await core.replaceNamespacedConfigMap({ namespace, name: 'app', body: { ...made, data: { a: '2' } } });
  const refused = await refusalOf(
    core.replaceNamespacedConfigMap({ namespace, name: 'app', body: { ...made, data: { a: '3' } } }),
  );
  expect(refused).toMatchObject({ code: 409, reason: 'Conflict', details: { name: 'app', kind: 'configmaps' } });
  expect(refused.message).toBe(
    'Operation cannot be fulfilled on configmaps "app": the object has been modified; please apply your changes to the latest version and try again',
  );
});

test('names that are taken, absent or malformed are told apart', async () => {
  await core.createNamespacedSecret({ namespace, body: { metadata: { name: 'db' } } });
  expect(await refusalOf(core.createNamespacedSecret({ namespace, body: { metadata: { name: 'db' } } }))).toMatchObject(
    {
      code: 409,
      reason: 'AlreadyExists',
      message: 'secrets "db" already exists',
    },
  );
  expect(await refusalOf(apps.readNamespacedDeployment({ namespace, name: 'nope' }))).toMatchObject({
    code: 404,
    reason: 'NotFound',
    message: 'deployments.apps "nope" not found',
    details: { name: 'nope', group: 'apps', kind: 'deployments' },
  });
  const malformed = await refusalOf(core.createNamespacedSecret({ namespace, body: { metadata: { name: 'Db_1' } } }));
  expect(malformed).toMatchObject({ code: 422, reason: 'Invalid' });
  expect(malformed.message).toContain(
    'Secret "Db_1" is invalid: metadata.name: Invalid value: "Db_1": a lowercase RFC 1123',
  );
});

test('the values of stringData go into data', async () => {
  const body = { metadata: { name: 'db' }, data: { user: 'YXBw' }, stringData: { password: 'öl' } };
  const made = await core.createNamespacedSecret({ namespace, body });
  expect(made.data).toEqual({ user: 'YXBw', password: Buffer.from('öl').toString('base64') });
  expect(made).not.toHaveProperty('stringData');
  expect(made.type).toBe('Opaque');
});

test('a Service keeps its address over updates that leave it out, and never takes another', async () => {
  const body = { metadata: { name: 'app' }, spec: { selector: { app: 'web' }, ports: [{ port: 80 }] } };
  const made = await core.createNamespacedService({ namespace, body });
  expect(made.spec).toMatchObject({
    type: 'ClusterIP',
    clusterIP: expect.stringMatching(/^172\.20\.\d+\.\d+$/),
    ports: [{ port: 80, targetPort: 80, protocol: 'TCP' }],
  });
  const update = { ...body, spec: { ...body.spec, ports: [{ port: 81 }] } };
  const updated = await core.replaceNamespacedService({ namespace, name: 'app', body: update });
  expect(updated.spec?.clusterIP).toBe(made.spec?.clusterIP);
  const moved = { ...body, spec: { ...body.spec, clusterIP: '172.20.9.9' } };
  const refused = await refusalOf(core.replaceNamespacedService({ namespace, name: 'app', body: moved }));
  expect(refused.message).toContain('spec.clusterIP: Invalid value: "172.20.9.9": field is immutable');
});

test('a selector, a role reference and a sealed map do not change', async () => {
  await apps.createNamespacedDeployment({ namespace, body: deployment('web', namespace) });
  const other = deployment('web', namespace);
  other.spec.selector.matchLabels.app = 'other';
  other.spec.template.metadata.labels.app = 'other';
  const refused = await refusalOf(apps.replaceNamespacedDeployment({ namespace, name: 'web', body: other }));
  expect(refused).toMatchObject({ code: 422, details: { causes: [{ field: 'spec.selector' }] } });
  expect(refused.message).toContain('field is immutable');
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`;
  const binding = (role: string) => ({
    metadata: { name: 'admin' },
    roleRef: { kind: 'Role', name: role, apiGroup: 'rbac.authorization.k8s.io' },
  });
  expect((await ask(planes, 'shared', 'POST', rbac, { body: binding('one') })).status).toBe(201);
  const rebound = await ask(planes, 'shared', 'PUT', `${rbac}/admin`, { body: binding('two') });
  expect(rebound.body.message).toContain('cannot change roleRef');
  await core.createNamespacedConfigMap({
    namespace,
    body: { metadata: { name: 'sealed' }, immutable: true, data: { a: '1' } },
  });
  const broken = { metadata: { name: 'sealed' }, immutable: true, data: { a: '2' } };
  expect((await refusalOf(core.replaceNamespacedConfigMap({ namespace, name: 'sealed', body: broken }))).code).toBe(
    422,
  );
});

test('of a pod that runs only the image may change', async () => {
  await core.createNamespacedPod({ namespace, body: pod('web', namespace) });
  const patch = (spec: object) =>
    ask(planes, 'shared', 'PATCH', path('/pods/web'), {
      contentType: 'application/strategic-merge-patch+json',
      body: { spec },
    });
  expect((await patch({ containers: [{ name: 'app', image: 'chat:2' }] })).status).toBe(200);
  const refused = await patch({ containers: [{ name: 'app', command: ['sh'] }] });
  expect(refused.body).toMatchObject({ code: 422, reason: 'Invalid' });
  expect(refused.body.message).toContain('pod updates may not change fields other than');
});

test('a typed client that sends an object of another name or namespace is refused', async () => {
  const body = { metadata: { name: 'a', namespace: 'default' } };
  expect((await ask(planes, 'shared', 'POST', path('/configmaps'), { body })).body).toMatchObject({
    code: 400,
    message: 'the namespace of the provided object does not match the namespace sent on the request',
  });
  await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'a' } } });
  const named = await ask(planes, 'shared', 'PUT', path('/configmaps/a'), { body: { metadata: { name: 'b' } } });
  expect(named.body.message).toBe('the name of the object (b) does not match the name on the URL (a)');
});

test('unknown members are warned of, refused when strict and ignored when told to', async () => {
  const body = deployment('web', namespace);
  body.spec.replicaz = 2;
  body.spec.template.spec.containers[0].imagee = 'x';
  const create = (validation: string) =>
    ask(planes, 'shared', 'POST', appsPath(`/deployments?dryRun=All&fieldValidation=${validation}`), { body });
  const strict = await create('Strict');
  expect(strict.body).toMatchObject({ code: 400, reason: 'BadRequest' });
  expect(strict.body.message).toBe(
    'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.template.spec.containers[0].imagee", unknown field "spec.replicaz"',
  );
  const warned = await create('Warn');
  expect(warned.status).toBe(201);
  expect(warned.headers.warning).toContain('299 - "unknown field \\"spec.replicaz\\""');
  expect((await create('Ignore')).headers.warning).toBeUndefined();
});

test('wrong types are 400, missing members and unknown values 422 and all told at once', async () => {
  const wrong = deployment('web', namespace);
  wrong.spec.replicas = '3';
  const typed = await ask(planes, 'shared', 'POST', appsPath('/deployments'), { body: wrong });
  expect(typed.body).toMatchObject({ code: 400, reason: 'BadRequest' });
  expect(typed.body.message).toContain('cannot unmarshal string into Go struct field Deployment.spec.replicas');
  const missing = deployment('web', namespace);
  delete missing.spec.selector;
  missing.spec.template.spec.restartPolicy = 'Sometimes';
  const refused = await ask(planes, 'shared', 'POST', appsPath('/deployments'), { body: missing });
  expect(refused.status).toBe(422);
  expect(refused.body.details.causes).toEqual([
    { field: 'spec.selector', reason: 'FieldValueRequired', message: 'Required value' },
    {
      field: 'spec.template.spec.restartPolicy',
      reason: 'FieldValueNotSupported',
      message: 'Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"',
    },
  ]);
});

test('what only the rules of a kind can say is refused by field', async () => {
  const causes = async (change: (body: ReturnType<typeof deployment>) => void): Promise<string[]> => {
    const body = deployment('web', namespace);
    change(body);
    const { body: status } = await ask(planes, 'shared', 'POST', appsPath('/deployments?dryRun=All'), { body });
    return (status.details?.causes ?? []).map(
      (cause: { field: string; message: string }) => `${cause.field}: ${cause.message}`,
    );
  };
  expect(await causes(({ spec }) => (spec.template.metadata.labels.app = 'x'))).toEqual([
    'spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`',
  ]);
  expect(await causes(({ spec }) => (spec.template.spec.containers = []))).toContain(
    'spec.template.spec.containers: Required value',
  );
  expect(await causes(({ spec }) => delete spec.template.spec.containers[0].image)).toEqual([
    'spec.template.spec.containers[0].image: Required value',
  ]);
  expect(
    await causes(
      ({ spec }) => (spec.template.spec.containers[0].resources = { requests: { cpu: '2' }, limits: { cpu: '1500m' } }),
    ),
  ).toEqual([
    'spec.template.spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1500m',
  ]);
  expect(
    await causes(({ spec }) => (spec.template.spec.containers[0].volumeMounts = [{ name: 'tmp', mountPath: '/tmp' }])),
  ).toEqual(['spec.template.spec.containers[0].volumeMounts[0].name: Not found: "tmp"']);
  expect(await causes(({ metadata }) => (metadata.labels = { tenant: 'not a label' }))).toHaveLength(1);
});

test('a dry run checks everything and keeps nothing', async () => {
  const made = await ask(planes, 'shared', 'POST', appsPath('/deployments?dryRun=All'), {
    body: deployment('web', namespace),
  });
  expect(made.status).toBe(201);
  expect(made.body.spec.progressDeadlineSeconds).toBe(600);
  expect((await ask(planes, 'shared', 'GET', appsPath('/deployments/web'))).status).toBe(404);
  await apps.createNamespacedDeployment({ namespace, body: deployment('web', namespace) });
  await ask(planes, 'shared', 'DELETE', appsPath('/deployments/web?dryRun=All'));
  expect((await ask(planes, 'shared', 'GET', appsPath('/deployments/web'))).status).toBe(200);
});

test('scale reads and sets the replicas, as a Scale', async () => {
  await apps.createNamespacedDeployment({ namespace, body: deployment('web', namespace) });
  const patched = await ask(planes, 'shared', 'PATCH', appsPath('/deployments/web/scale'), {
    contentType: 'application/merge-patch+json',
    body: { spec: { replicas: 3 } },
  });
  expect(patched.body).toMatchObject({ kind: 'Scale', apiVersion: 'autoscaling/v1', spec: { replicas: 3 } });
  const scale = await apps.readNamespacedDeploymentScale({ namespace, name: 'web' });
  expect(scale).toMatchObject({ spec: { replicas: 3 }, status: { selector: 'app=web' } });
  await apps.replaceNamespacedDeploymentScale({ namespace, name: 'web', body: { ...scale, spec: { replicas: 5 } } });
  expect((await apps.readNamespacedDeployment({ namespace, name: 'web' })).spec?.replicas).toBe(5);
});

test('a CustomResourceDefinition makes a kind that discovery lists and that keeps what it is given', async () => {
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'servicemonitors.monitoring.coreos.com' },
    spec: {
      group: 'monitoring.coreos.com',
      scope: 'Namespaced',
      names: { kind: 'ServiceMonitor', plural: 'servicemonitors', shortNames: ['smon'] },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
    },
  };
  const group = '/apis/monitoring.coreos.com/v1';
  expect((await ask(planes, 'shared', 'GET', group)).status).toBe(404);
  await objects.create(definition);
  const { body } = await ask(planes, 'shared', 'GET', group);
  expect(body.resources).toMatchObject([{ name: 'servicemonitors', kind: 'ServiceMonitor', shortNames: ['smon'] }]);
  const monitor = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'ServiceMonitor',
    metadata: { name: 'app', namespace },
    spec: { endpoints: [{ port: 'http' }], anything: { goes: true } },
  };
  expect(await objects.create(monitor)).toMatchObject({ spec: monitor.spec, metadata: { generation: 1 } });
  const { body: defined } = await ask(
    planes,
    'shared',
    'GET',
    `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${definition.metadata.name}`,
  );
  expect(defined.status.conditions).toContainEqual(expect.objectContaining({ type: 'Established', status: 'True' }));
  await objects.delete(definition);
  expect((await ask(planes, 'shared', 'GET', group)).status).toBe(404);
  await objects.create(definition);
  expect((await ask(planes, 'shared', 'GET', `${group}/servicemonitors`)).body.items).toEqual([]);
});

test('a pod is bound to a node once', async () => {
  await core.createNamespacedPod({ namespace, body: pod('web', namespace) });
  const bind = (node: string) =>
    ask(planes, 'shared', 'POST', path('/pods/web/binding'), {
      body: { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'web' }, target: { kind: 'Node', name: node } },
    });
  expect((await bind('laptop')).status).toBe(201);
  expect((await core.readNamespacedPod({ namespace, name: 'web' })).spec?.nodeName).toBe('laptop');
  expect((await bind('other')).body).toMatchObject({ code: 409, reason: 'Conflict' });
});
