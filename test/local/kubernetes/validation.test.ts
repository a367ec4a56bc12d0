import { expect, test } from 'vitest';
import { ask, deployment, pod, refusalOf } from './api-server.ts';
import { namespace, planes } from './shared-cluster.ts';
import { apps, appsPath, core, path } from './typed-clients.ts';

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
