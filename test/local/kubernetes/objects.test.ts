import { expect, test } from 'vitest';
import { ask, deployment, pod, refusalOf } from './api-server.ts';
import { namespace, planes } from './shared-cluster.ts';
import { apps, appsPath, core, objects, path } from './typed-clients.ts';

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
