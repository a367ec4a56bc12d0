import { AuthorizationV1Api, CoreV1Api } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ControlPlanes } from '../../../local/kubernetes/control-planes.ts';
import { type Answer, ask, kubeConfigOf, startTestControlPlanes, temporaryDirectory, tokenOf } from './api-server.ts';

let planes: ControlPlanes;
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;

beforeAll(async () => {
  directory = await temporaryDirectory();
  planes = await startTestControlPlanes(directory.path);
  for (const name of ['shared', 'other']) planes.create(name);
  for (const name of ['t-acme', 't-globex']) await create('/api/v1/namespaces', { metadata: { name } });
  await create(`${rbac}/namespaces/t-acme/roles`, {
    metadata: { name: 'support' },
    rules: [
      { apiGroups: [''], resources: ['pods', 'configmaps'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: [''], resources: ['secrets'], resourceNames: ['public'], verbs: ['get'] },
      { apiGroups: ['apps'], resources: ['deployments/scale'], verbs: ['patch'] },
    ],
  });
  await create(`${rbac}/namespaces/t-acme/rolebindings`, {
    metadata: { name: 'support' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'support' },
    subjects: [{ kind: 'Group', name: 'developers' }],
  });
});

afterAll(async () => {
  await planes.close();
  await directory.remove();
});

const rbac = '/apis/rbac.authorization.k8s.io/v1';
const jane = tokenOf('shared', 'jane');
const create = (path: string, body: object): Promise<Answer> => ask(planes, 'shared', 'POST', path, { body });
const asJane = (method: string, path: string, body?: object): Promise<Answer> =>
  ask(planes, 'shared', method, path, { token: jane, ...(body ? { body } : {}) });

test('without a good token of this very cluster nobody gets in', async () => {
  for (const token of ['', 'nonsense', tokenOf('other', 'root'), planes.adminToken('other')]) {
    const { status, body } = await ask(planes, 'shared', 'GET', '/version', { token });
    expect({ token, status }).toEqual({ token, status: 401 });
    expect(body).toMatchObject({ kind: 'Status', reason: 'Unauthorized', message: 'Unauthorized' });
  }
  const core = kubeConfigOf(planes, 'shared', 'wrong').makeApiClient(CoreV1Api);
  await expect(core.listNamespace()).rejects.toMatchObject({ code: 401 });
});

test('a cluster that is not there is 401 too, whatever the token', async () => {
  const { status } = await ask(planes, 'nowhere', 'GET', '/version', { token: tokenOf('nowhere', 'root') });
  expect(status).toBe(401);
});

test('the admin token of a cluster may do everything in it', async () => {
  const token = planes.adminToken('shared');
  expect((await ask(planes, 'shared', 'GET', '/api/v1/secrets', { token })).status).toBe(200);
});

test('a role opens its namespace and no other, its verbs and no others', async () => {
  expect((await asJane('GET', '/api/v1/namespaces/t-acme/pods')).status).toBe(200);
  const refused = await asJane('GET', '/api/v1/namespaces/t-globex/pods');
  expect(refused.body).toMatchObject({
    code: 403,
    reason: 'Forbidden',
    message: 'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "t-globex"',
  });
  expect((await asJane('GET', '/api/v1/pods')).body.message).toContain('at the cluster scope');
  const body = { metadata: { name: 'a' } };
  expect((await asJane('POST', '/api/v1/namespaces/t-acme/configmaps', body)).body.message).toContain('cannot create');
  expect((await asJane('DELETE', '/api/v1/namespaces/t-acme/pods')).body.message).toContain('cannot deletecollection');
  expect((await asJane('GET', '/api/v1/namespaces/t-acme/pods?watch=true&timeoutSeconds=1')).status).toBe(200);
});

test('resource names and subresources are judged by themselves', async () => {
  expect((await asJane('GET', '/api/v1/namespaces/t-acme/secrets/public')).status).toBe(404);
  expect((await asJane('GET', '/api/v1/namespaces/t-acme/secrets/db')).status).toBe(403);
  expect((await asJane('PATCH', '/apis/apps/v1/namespaces/t-acme/deployments/web')).status).toBe(403);
  expect((await asJane('PATCH', '/apis/apps/v1/namespaces/t-acme/deployments/web/scale')).status).not.toBe(403);
  expect((await asJane('GET', '/api/v1/namespaces/t-acme/pods/a/status')).status).toBe(403);
});

test('a cluster role bound cluster-wide opens every namespace, bound in one opens that one', async () => {
  const bind = (path: string, name: string, role: string) =>
    create(path, {
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [{ kind: 'User', name: 'jane' }],
    });
  await bind(`${rbac}/namespaces/t-globex/rolebindings`, 'edit', 'edit');
  const body = { metadata: { name: 'a' } };
  expect((await asJane('POST', '/api/v1/namespaces/t-globex/configmaps', body)).status).toBe(201);
  expect((await asJane('POST', `${rbac}/namespaces/t-globex/roles`, body)).status).toBe(403);
  expect((await asJane('GET', '/api/v1/namespaces')).status).toBe(403);
  await bind(`${rbac}/clusterrolebindings`, 'jane-views', 'view');
  expect((await asJane('GET', '/api/v1/namespaces')).status).toBe(200);
  expect((await asJane('GET', '/api/v1/namespaces/t-acme/secrets')).status).toBe(403);
  await ask(planes, 'shared', 'DELETE', `${rbac}/clusterrolebindings/jane-views`);
  expect((await asJane('GET', '/api/v1/namespaces')).status).toBe(403);
});

test('an administrator may look as somebody else, who may not look back', async () => {
  const as = (token: string, user: string, group = '') =>
    ask(planes, 'shared', 'GET', '/api/v1/namespaces/t-globex/secrets', {
      token,
      headers: { 'impersonate-user': user, ...(group ? { 'impersonate-group': group } : {}) },
    });
  const root = tokenOf('shared', 'root');
  expect((await as(root, 'nobody')).body.message).toContain('User "nobody" cannot list resource "secrets"');
  expect((await as(root, 'nobody', 'system:masters')).status).toBe(200);
  expect((await as(jane, 'root')).body).toMatchObject({
    code: 403,
    message:
      'users "root" is forbidden: User "jane" cannot impersonate resource "users" in API group "" at the cluster scope',
  });
  const account = 'system:serviceaccount:t-globex:app';
  expect((await as(root, account)).status).toBe(403);
  await create(`${rbac}/namespaces/t-globex/rolebindings`, {
    metadata: { name: 'app' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
    subjects: [{ kind: 'ServiceAccount', name: 'app', namespace: 't-globex' }],
  });
  expect((await as(root, account)).status).toBe(200);
});

test('everybody with a good token may ask for versions, kinds and what they may do', async () => {
  for (const path of ['/version', '/api', '/apis', '/apis/apps/v1', '/openapi/v3', '/readyz'])
    expect((await asJane('GET', path)).status).toBe(200);
  const reviews = kubeConfigOf(planes, 'shared', jane).makeApiClient(AuthorizationV1Api);
  const allowed = async (resource: string, namespace: string): Promise<boolean | undefined> => {
    const body = { spec: { resourceAttributes: { verb: 'list', resource, namespace } } };
    return (await reviews.createSelfSubjectAccessReview({ body })).status?.allowed;
  };
  expect(await allowed('pods', 't-acme')).toBe(true);
  expect(await allowed('secrets', 't-acme')).toBe(false);
  const rules = await reviews.createSelfSubjectRulesReview({ body: { spec: { namespace: 't-acme' } } });
  expect(rules.status?.resourceRules).toContainEqual({
    apiGroups: [''],
    resources: ['pods', 'configmaps'],
    verbs: ['get', 'list', 'watch'],
  });
});

test('discovery names every kind in both of its forms', async () => {
  const aggregated = await ask(planes, 'shared', 'GET', '/apis', {
    accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json',
  });
  expect(aggregated.headers['content-type']).toContain('as=APIGroupDiscoveryList');
  const apps = aggregated.body.items.find(({ metadata }: { metadata: { name: string } }) => metadata.name === 'apps');
  const names = apps.versions[0].resources.map(({ resource }: { resource: string }) => resource);
  expect(names).toEqual(['deployments', 'replicasets', 'statefulsets', 'daemonsets', 'controllerrevisions']);
  const legacy = await ask(planes, 'shared', 'GET', '/apis/apps/v1');
  expect(legacy.body.resources).toContainEqual(
    expect.objectContaining({ name: 'deployments/scale', kind: 'Scale', group: 'autoscaling' }),
  );
  expect((await ask(planes, 'shared', 'GET', '/apis/nothing.dev')).status).toBe(404);
  expect((await ask(planes, 'shared', 'GET', '/apis/nothing.dev/v1/things')).status).toBe(404);
});

test('a new kind changes the name of the OpenAPI document that clients keep', async () => {
  const documentOf = async () => (await ask(planes, 'other', 'GET', '/openapi/v3')).body.paths['apis/x.dev/v1'];
  const define = (plural: string, kind: string) =>
    ask(planes, 'other', 'POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
      body: {
        metadata: { name: `${plural}.x.dev` },
        spec: {
          group: 'x.dev',
          scope: 'Cluster',
          names: { kind, plural },
          versions: [{ name: 'v1', served: true, storage: true }],
        },
      },
    });
  await define('ones', 'One');
  const first = (await documentOf()).serverRelativeURL;
  expect(first).toMatch(/^\/clusters\/other\/openapi\/v3\/apis\/x.dev\/v1\?hash=\w+$/);
  await define('twos', 'Two');
  expect((await documentOf()).serverRelativeURL).not.toBe(first);
});

test('a path that no client means is refused cleanly', async () => {
  expect((await ask(planes, 'shared', 'GET', '/api/v1/namespaces/%zz')).body).toMatchObject({ code: 400 });
  expect((await ask(planes, 'shared', 'PUT', '/api/v1/namespaces')).body).toMatchObject({ code: 405 });
  expect((await ask(planes, 'shared', 'GET', '/api/v1/namespaces/t-acme/pods/a/log')).body).toMatchObject({
    code: 404,
  });
});

test('a body over three MiB is refused', async () => {
  const body = { metadata: { name: 'big' }, data: { a: 'x'.repeat(3 * 1024 * 1024) } };
  const { status } = await create('/api/v1/namespaces/t-acme/configmaps', body);
  expect(status).toBe(413);
});
