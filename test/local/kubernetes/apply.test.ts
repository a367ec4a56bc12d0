import { KubernetesObjectApi, PatchStrategy } from '@kubernetes/client-node';
import { expect, test } from 'vitest';
import { type Answer, applyType, ask, deployment, kubeConfigOf, tokenOf } from './api-server.ts';
import { namespace, planes } from './shared-cluster.ts';

const deployments = (rest: string): string => `/apis/apps/v1/namespaces/${namespace}/deployments${rest}`;

const apply = (
  body: { metadata: { name: string } },
  manager: string,
  options: { force?: boolean; path?: string; parameters?: string } = {},
): Promise<Answer> => {
  const { force = false, path = deployments(`/${body.metadata.name}`), parameters = '' } = options;
  return ask(planes, 'shared', 'PATCH', `${path}?fieldManager=${manager}&force=${force}${parameters}`, {
    contentType: applyType,
    body,
  });
};

const managers = ({ body }: Answer): string[] =>
  body.metadata.managedFields.map(
    ({ manager, operation }: { manager: string; operation: string }) => `${manager} ${operation}`,
  );

test('apply makes an object, and again changes nothing: no new version, no new time', async () => {
  const made = await apply(deployment('web', namespace, 2), 'tenantry');
  expect(made.status).toBe(201);
  expect(managers(made)).toEqual(['tenantry Apply']);
  expect(made.body.metadata.managedFields[0].fieldsV1).toEqual({
    'f:spec': {
      'f:replicas': {},
      'f:selector': {},
      'f:template': {
        'f:metadata': { 'f:labels': { 'f:app': {} } },
        'f:spec': {
          'f:containers': {
            'k:{"name":"app"}': {
              '.': {},
              'f:name': {},
              'f:image': {},
              'f:ports': { 'k:{"containerPort":8080,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } },
            },
          },
        },
      },
    },
  });
  const again = await apply(deployment('web', namespace, 2), 'tenantry');
  expect(again.status).toBe(200);
  expect(again.body).toEqual(made.body);
});

test('what another manager holds otherwise is a conflict, in the words of a real API', async () => {
  await apply(deployment('web', namespace, 2), 'tenantry');
  const one = deployment('web', namespace, 3);
  const refused = await apply(one, 'helm');
  expect(refused.body).toMatchObject({
    code: 409,
    reason: 'Conflict',
    message: 'Apply failed with 1 conflict: conflict with "tenantry": .spec.replicas',
    details: {
      causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "tenantry"', field: '.spec.replicas' }],
    },
  });
  one.spec.template.spec.containers[0].image = 'chat:2';
  const two = await apply(one, 'helm');
  expect(two.body.message).toBe(
    'Apply failed with 2 conflicts: conflicts with "tenantry":\n- .spec.replicas\n- .spec.template.spec.containers[name="app"].image',
  );
});

test('force takes the field over, and its old owner no longer removes it', async () => {
  await apply(deployment('web', namespace, 2), 'tenantry');
  const forced = await apply(deployment('web', namespace, 3), 'helm', { force: true });
  expect(forced.body.spec.replicas).toBe(3);
  const without = deployment('web', namespace);
  delete without.spec.replicas;
  expect((await apply(without, 'tenantry')).body.spec.replicas).toBe(3);
});

test("a field that was taken by force is its new owner's alone, who may let it go", async () => {
  await apply(deployment('web', namespace, 2), 'tenantry');
  await apply(deployment('web', namespace, 3), 'helm', { force: true });
  const without = deployment('web', namespace);
  delete without.spec.replicas;
  // Nobody holds it any more: the default comes back.
  expect((await apply(without, 'helm')).body.spec.replicas).toBe(1);
});

test('a field that an autoscaler scaled is its own: apply without it leaves it, apply with it is a conflict', async () => {
  await apply(deployment('web', namespace, 2), 'tenantry');
  const scaled = await ask(planes, 'shared', 'PATCH', deployments('/web/scale?fieldManager=hpa'), {
    contentType: 'application/merge-patch+json',
    body: { spec: { replicas: 7 } },
  });
  expect(scaled.status).toBe(200);
  const conflict = await apply(deployment('web', namespace, 2), 'tenantry');
  expect(conflict.body.message).toBe(
    'Apply failed with 1 conflict: conflict with "hpa" with subresource "scale" using apps/v1: .spec.replicas',
  );
  const without = deployment('web', namespace);
  delete without.spec.replicas;
  expect((await apply(without, 'tenantry')).body.spec.replicas).toBe(7);
});

test('what a manager no longer applies goes: labels, variables, containers, and parents left empty', async () => {
  const rich = deployment('web', namespace);
  rich.metadata.labels = { plan: 'pro', tenant: 'acme' };
  rich.metadata.annotations = { note: 'x' };
  rich.spec.template.spec.containers[0].env = [
    { name: 'A', value: '1' },
    { name: 'B', value: '2' },
  ];
  rich.spec.template.spec.containers.push({ name: 'side', image: 'side:1' });
  rich.spec.template.spec.nodeSelector = { zone: 'a' };
  const made = await apply(rich, 'tenantry');
  expect(made.body.spec.template.spec.containers).toHaveLength(2);
  const poor = deployment('web', namespace);
  poor.metadata.labels = { tenant: 'acme' };
  poor.spec.template.spec.containers[0].env = [{ name: 'B', value: '3' }];
  const { body } = await apply(poor, 'tenantry');
  expect(body.metadata.labels).toEqual({ tenant: 'acme' });
  expect(body.metadata.annotations).toBeUndefined();
  expect(body.spec.template.spec.nodeSelector).toBeUndefined();
  expect(body.spec.template.spec.containers).toMatchObject([{ name: 'app', env: [{ name: 'B', value: '3' }] }]);
  expect(body.spec.template.spec.containers).toHaveLength(1);
});

test('an item that another manager adds to stays with what that manager holds', async () => {
  const with2 = deployment('web', namespace);
  with2.spec.template.spec.containers.push({ name: 'side', image: 'side:1' });
  await apply(with2, 'tenantry');
  const other = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: { template: { spec: { containers: [{ name: 'side', env: [{ name: 'X', value: '1' }] }] } } },
  };
  expect((await apply(other, 'mesh')).status).toBe(200);
  const refused = await apply(deployment('web', namespace), 'tenantry');
  // The image of the other container went with its owner, and a container cannot be without one.
  expect(refused.body.message).toContain('spec.template.spec.containers[1].image: Required value');
});

test('two managers share finalizers and labels, each removing only its own', async () => {
  const map = (data: object, labels: object, finalizers: string[]) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'app', labels, finalizers },
    data,
  });
  const path = `/api/v1/namespaces/${namespace}/configmaps/app`;
  await apply(map({ a: '1' }, { one: '1' }, ['x.dev/a']), 'one', { path });
  const both = await apply(map({ b: '2' }, { two: '2' }, ['x.dev/b']), 'two', { path });
  expect(both.body).toMatchObject({ data: { a: '1', b: '2' }, metadata: { finalizers: ['x.dev/a', 'x.dev/b'] } });
  const less = await apply(map({}, {}, []), 'one', { path });
  expect(less.body.data).toEqual({ b: '2' });
  expect(less.body.metadata).toMatchObject({ labels: { two: '2' }, finalizers: ['x.dev/b'] });
});

test('an update takes the fields over from the one who applied them', async () => {
  await apply(deployment('web', namespace, 2), 'tenantry');
  const edited = await ask(planes, 'shared', 'PATCH', deployments('/web?fieldManager=kubectl-edit'), {
    contentType: 'application/merge-patch+json',
    body: { spec: { replicas: 4 } },
  });
  expect(managers(edited)).toEqual(['tenantry Apply', 'kubectl-edit Update']);
  const [applied, updated] = edited.body.metadata.managedFields;
  expect(applied.fieldsV1['f:spec']).not.toHaveProperty('f:replicas');
  expect(updated.fieldsV1).toEqual({ 'f:spec': { 'f:replicas': {} } });
  const conflict = await apply(deployment('web', namespace, 2), 'tenantry');
  expect(conflict.body.message).toBe(
    'Apply failed with 1 conflict: conflict with "kubectl-edit" using apps/v1: .spec.replicas',
  );
});

test('members that the kind does not have are refused as Kubernetes refuses them: 500 and no reason', async () => {
  const body = deployment('web', namespace);
  body.spec.replicaz = 1;
  const refused = await apply(body, 'tenantry');
  expect(refused.body).toMatchObject({ code: 500, reason: '' });
  expect(refused.body.message).toBe(
    `failed to create typed patch object (${namespace}/web; apps/v1, Kind=Deployment): .spec.replicaz: field not declared in schema`,
  );
});

test('apply wants a manager, its kind and no managed fields', async () => {
  const body = deployment('web', namespace);
  const anonymous = await ask(planes, 'shared', 'PATCH', deployments('/web'), { contentType: applyType, body });
  expect(anonymous.body.message).toContain('fieldManager: Required value: is required for apply patch');
  const fields = { ...body, metadata: { ...body.metadata, managedFields: [{ manager: 'x' }] } };
  expect((await apply(fields, 'tenantry')).body.message).toBe('metadata.managedFields must be nil');
  expect((await apply({ metadata: { name: 'web' } }, 'tenantry')).body.code).toBe(400);
});

test('apply reads YAML, and keeps the status out', async () => {
  const yaml = `apiVersion: v1\nkind: Service\nmetadata:\n  name: app\nspec:\n  ports: [{port: 80}]\nstatus: {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}\n`;
  const path = `/api/v1/namespaces/${namespace}/services/app?fieldManager=tenantry`;
  const made = await ask(planes, 'shared', 'PATCH', path, { contentType: applyType, body: yaml });
  expect(made.body.spec.ports).toEqual([{ port: 80, protocol: 'TCP', targetPort: 80 }]);
  expect(made.body.status).toEqual({ loadBalancer: {} });
  const again = await ask(planes, 'shared', 'PATCH', path, { contentType: applyType, body: yaml });
  expect(again.body.status).toEqual({ loadBalancer: {} });
});

test('the status is applied through its subresource, with an entry of its own', async () => {
  await apply(deployment('web', namespace), 'tenantry');
  const status = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    status: { conditions: [{ type: 'Available', status: 'True' }], replicas: 1 },
  };
  const told = await apply(status, 'controller', { path: deployments('/web/status') });
  expect(told.body.status).toEqual(status.status);
  expect(told.body.metadata.managedFields[0]).toMatchObject({
    manager: 'controller',
    operation: 'Apply',
    subresource: 'status',
    fieldsV1: { 'f:status': { 'f:replicas': {}, 'f:conditions': { 'k:{"type":"Available"}': { 'f:status': {} } } } },
  });
  expect((await apply(deployment('web', namespace), 'tenantry')).body.status).toEqual(status.status);
});

test('a dry run of apply shows what would be and keeps what is', async () => {
  const made = await apply(deployment('web', namespace, 2), 'tenantry');
  const tried = await apply(deployment('web', namespace, 5), 'tenantry', { parameters: '&dryRun=All' });
  expect(tried.body.spec.replicas).toBe(5);
  expect((await ask(planes, 'shared', 'GET', deployments('/web'))).body).toEqual(made.body);
});

test('an unmodified client-node applies on the server', async () => {
  const objects = KubernetesObjectApi.makeApiClient(kubeConfigOf(planes, 'shared', tokenOf('shared', 'root')));
  const body = deployment('web', namespace, 2);
  const applied = await objects.patch(body, undefined, undefined, 'node', true, PatchStrategy.ServerSideApply);
  expect(applied.metadata?.managedFields).toMatchObject([{ manager: 'node', operation: 'Apply' }]);
});
