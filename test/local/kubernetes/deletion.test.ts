import { expect, test } from 'vitest';
import { type Answer, deployment, pod } from './api-server.ts';
import { call, namespace } from './shared-cluster.ts';

const core = (rest: string): string => `/api/v1/namespaces/${namespace}${rest}`;
const mergePatch = 'application/merge-patch+json';

const makeMap = (name: string, metadata: object = {}): Promise<Answer> =>
  call('POST', core('/configmaps'), { metadata: { name, ...metadata } });

test('a delete answers what is gone, and again that it is not there', async () => {
  const { body } = await makeMap('a');
  expect((await call('DELETE', core('/configmaps/a'))).body).toMatchObject({
    status: 'Success',
    details: { name: 'a', kind: 'configmaps', uid: body.metadata.uid },
  });
  expect((await call('DELETE', core('/configmaps/a'))).status).toBe(404);
});

test('a delete that means another uid or version deletes nothing', async () => {
  const { body } = await makeMap('a');
  const wrongUid = await call('DELETE', core('/configmaps/a'), { preconditions: { uid: 'other' } });
  expect(wrongUid.body).toMatchObject({ code: 409, reason: 'Conflict' });
  expect(wrongUid.body.message).toContain('Precondition failed: UID in precondition: other, UID in object meta:');
  expect((await call('DELETE', core('/configmaps/a'), { preconditions: { resourceVersion: '1' } })).status).toBe(409);
  const { uid, resourceVersion } = body.metadata;
  expect((await call('DELETE', core('/configmaps/a'), { preconditions: { uid, resourceVersion } })).status).toBe(200);
});

test('finalizers hold an object that is being deleted until the last is taken off', async () => {
  await makeMap('a', { finalizers: ['x.dev/one', 'x.dev/two'] });
  const marked = await call('DELETE', core('/configmaps/a'));
  expect(marked.body).toMatchObject({ kind: 'ConfigMap', metadata: { deletionTimestamp: expect.any(String) } });
  await call('PATCH', core('/configmaps/a'), { metadata: { finalizers: ['x.dev/two'] } }, mergePatch);
  expect((await call('GET', core('/configmaps/a'))).status).toBe(200);
  await call('PATCH', core('/configmaps/a'), { metadata: { finalizers: null } }, mergePatch);
  expect((await call('GET', core('/configmaps/a'))).status).toBe(404);
});

test('the garbage collector is told of foreground and orphan deletions by finalizers', async () => {
  await makeMap('a');
  const foreground = await call('DELETE', core('/configmaps/a?propagationPolicy=Foreground'));
  expect(foreground.body.metadata.finalizers).toEqual(['foregroundDeletion']);
  await makeMap('b');
  const orphan = await call('DELETE', core('/configmaps/b'), { propagationPolicy: 'Orphan' });
  expect(orphan.body.metadata.finalizers).toEqual(['orphan']);
  await makeMap('c');
  expect((await call('DELETE', core('/configmaps/c'), { propagationPolicy: 'Background' })).body.status).toBe(
    'Success',
  );
  expect((await call('DELETE', core('/configmaps/b'), { propagationPolicy: 'Sideways' })).status).toBe(400);
});

test('a pod that a node runs is marked, and goes with the delete of grace 0; another goes at once', async () => {
  await call('POST', core('/pods'), pod('free', namespace));
  expect((await call('DELETE', core('/pods/free'))).body.status).toBe('Success');
  await call(
    'POST',
    core('/pods'),
    pod('bound', namespace, {}, { nodeName: 'laptop', terminationGracePeriodSeconds: 7 }),
  );
  const marked = await call('DELETE', core('/pods/bound'));
  expect(marked.body.metadata).toMatchObject({ deletionGracePeriodSeconds: 7, deletionTimestamp: expect.any(String) });
  const ended = await call('DELETE', core('/pods/bound'), {
    gracePeriodSeconds: 0,
    preconditions: { uid: marked.body.metadata.uid },
  });
  expect(ended.status).toBe(200);
  expect((await call('GET', core('/pods/bound'))).status).toBe(404);
});

test('a namespace is Terminating until its finalizer is taken off through /finalize', async () => {
  const deleted = await call('DELETE', `/api/v1/namespaces/${namespace}`);
  expect(deleted.body).toMatchObject({ status: { phase: 'Terminating' }, spec: { finalizers: ['kubernetes'] } });
  const again = await call('DELETE', `/api/v1/namespaces/${namespace}`);
  expect(again.body.metadata.deletionTimestamp).toBe(deleted.body.metadata.deletionTimestamp);
  const finalized = await call('PUT', `/api/v1/namespaces/${namespace}/finalize`, {
    ...deleted.body,
    metadata: { name: namespace },
    spec: { finalizers: [] },
  });
  expect(finalized.status).toBe(200);
  expect((await call('GET', `/api/v1/namespaces/${namespace}`)).status).toBe(404);
});

test('the namespaces of the cluster itself are not deleted', async () => {
  expect((await call('DELETE', '/api/v1/namespaces/kube-system')).body).toMatchObject({
    code: 403,
    message: 'namespaces "kube-system" is forbidden: this namespace may not be deleted',
  });
});

test('a collection is deleted by selector', async () => {
  await makeMap('a', { labels: { 'apply-set': 'old' } });
  await makeMap('b', { labels: { 'apply-set': 'old' } });
  await makeMap('c', { labels: { 'apply-set': 'new' } });
  const deleted = await call('DELETE', core('/configmaps?labelSelector=apply-set%21%3Dnew'));
  expect(deleted.body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)).toEqual(['a', 'b']);
  expect((await call('GET', core('/configmaps'))).body.items).toHaveLength(1);
});

test('an eviction waits while a disruption budget allows none', async () => {
  await call('POST', core('/pods'), { ...pod('a', namespace), metadata: { name: 'a', labels: { app: 'web' } } });
  const policy = `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`;
  await call('POST', policy, {
    metadata: { name: 'web' },
    spec: { minAvailable: 1, selector: { matchLabels: { app: 'web' } } },
  });
  const evict = () =>
    call('POST', core('/pods/a/eviction'), { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'a' } });
  expect((await evict()).body).toMatchObject({ code: 429, reason: 'TooManyRequests' });
  await call('PATCH', `${policy}/web/status`, { status: { disruptionsAllowed: 1 } }, mergePatch);
  expect((await evict()).status).toBe(201);
  expect((await call('GET', core('/pods/a'))).status).toBe(404);
});

test('a patch that names an old version is refused', async () => {
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  const { body } = await call('POST', path, deployment('web', namespace));
  await call('PATCH', `${path}/web`, { spec: { replicas: 2 } }, mergePatch);
  const { resourceVersion } = body.metadata;
  const stale = await call(
    'PATCH',
    `${path}/web`,
    { metadata: { resourceVersion }, spec: { replicas: 3 } },
    mergePatch,
  );
  expect(stale.body).toMatchObject({ code: 409, reason: 'Conflict' });
});
