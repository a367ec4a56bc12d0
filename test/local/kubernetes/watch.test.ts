import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CoreV1Api, Watch } from '@kubernetes/client-node';
import { expect, test } from 'vitest';
import {
  type Answer,
  ask,
  kubeConfigOf,
  openWatch,
  temporaryDirectory,
  tokenOf,
  type WatchEvent,
} from './api-server.ts';
import { call, namespace, planes } from './shared-cluster.ts';

const maps = (rest = ''): string => `/api/v1/namespaces/${namespace}/configmaps${rest}`;
const makeMap = (name: string, labels: object = {}): Promise<Answer> =>
  call('POST', maps(), { metadata: { name, labels } });
const patchMap = (name: string, body: object): Promise<Answer> =>
  call('PATCH', maps(`/${name}`), body, 'application/merge-patch+json');

const told = (events: readonly WatchEvent[]): string[] =>
  events.map(({ type, object }) => `${type} ${object.metadata.name}`);

test('pages of a list follow each other without a gap', async () => {
  for (const name of ['a', 'b', 'c', 'd', 'e']) await makeMap(name);
  const names: string[] = [];
  let token = '';
  do {
    const { body } = await call('GET', maps(`?limit=2${token && `&continue=${token}`}`));
    names.push(...body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name));
    if (names.length === 2) expect(body.metadata.remainingItemCount).toBe(3);
    token = body.metadata.continue ?? '';
  } while (token);
  expect(names).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect((await call('GET', maps('?continue=nonsense'))).status).toBe(400);
});

test('selectors choose by label and by field', async () => {
  await makeMap('a', { app: 'web', tier: 'gold' });
  await makeMap('b', { app: 'web' });
  await makeMap('c', { app: 'job' });
  const names = async (query: string): Promise<string[]> =>
    (await call('GET', maps(`?${query}`))).body.items.map(
      ({ metadata }: { metadata: { name: string } }) => metadata.name,
    );
  const byLabel = (selector: string) => names(`labelSelector=${encodeURIComponent(selector)}`);
  expect(await byLabel('app=web')).toEqual(['a', 'b']);
  expect(await byLabel('app in (job,web),!tier')).toEqual(['b', 'c']);
  expect(await byLabel('app in (job)')).toEqual(['c']);
  expect(await byLabel('tier in (gold,silver)')).toEqual(['a']);
  expect(await byLabel('tier notin (gold)')).toEqual(['b', 'c']);
  expect(await byLabel('app notin (job),tier')).toEqual(['a']);
  expect(await byLabel('app!=web')).toEqual(['c']);
  expect(await names('fieldSelector=metadata.name%3Db')).toEqual(['b']);
  expect((await call('GET', maps('?labelSelector=%3D%3D'))).status).toBe(400);
});

test('a list of all namespaces holds those of each', async () => {
  await makeMap('mine');
  const { body } = await call('GET', '/api/v1/configmaps');
  expect(body.kind).toBe('ConfigMapList');
  expect(body.items).toContainEqual(
    expect.objectContaining({ metadata: expect.objectContaining({ name: 'mine', namespace }) }),
  );
});

test('a watch from a version tells everything after it, once, and then what comes', async () => {
  await makeMap('before');
  const { body } = await call('GET', maps());
  await makeMap('missed');
  await patchMap('before', { data: { a: '1' } });
  const watch = await openWatch(planes, 'shared', maps(`?watch=true&resourceVersion=${body.metadata.resourceVersion}`));
  await watch.first(2);
  await call('DELETE', maps('/missed'));
  expect(told(await watch.first(3))).toEqual(['ADDED missed', 'MODIFIED before', 'DELETED missed']);
  const versions = watch.events.map(({ object }) => Number(object.metadata.resourceVersion));
  expect(versions).toEqual(versions.toSorted((a, b) => a - b));
  expect(new Set(versions).size).toBe(3);
});

test('a watch without a version begins with what is there', async () => {
  await makeMap('a');
  const watch = await openWatch(planes, 'shared', maps('?watch=1'));
  await watch.first(1);
  await makeMap('b');
  expect(told(await watch.first(2))).toEqual(['ADDED a', 'ADDED b']);
});

test('initial events end with a marked bookmark, as WatchList clients need it', async () => {
  await makeMap('a');
  const query = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  const watch = await openWatch(planes, 'shared', maps(`?${query}`));
  const [added, bookmark] = await watch.first(2);
  expect(added).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'a' } } });
  expect(bookmark).toMatchObject({
    type: 'BOOKMARK',
    object: { kind: 'ConfigMap', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
  });
  await makeMap('b');
  const [next] = (await watch.first(3)).slice(2);
  expect(next).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'b' } } });
});

test('an object that leaves the selection is deleted for that watch, and added when it comes back', async () => {
  const watch = await openWatch(planes, 'shared', maps('?watch=true&labelSelector=app%3Dweb'));
  await makeMap('a', { app: 'web' });
  await patchMap('a', { metadata: { labels: { app: 'job' } } });
  await patchMap('a', { data: { unseen: '1' } });
  await patchMap('a', { metadata: { labels: { app: 'web' } } });
  expect(told(await watch.first(3))).toEqual(['ADDED a', 'DELETED a', 'ADDED a']);
  expect(watch.events[1]?.object.metadata.labels).toEqual({ app: 'web' });
});

test('a write that is in the middle of its commit when a watch begins is told once', async () => {
  const { openObjectStore } = await import('../../../local/kubernetes/store.ts');
  const { namespaceKind: kind } = await import('../../../local/kubernetes/kinds.ts');
  const { watchObjects } = await import('../../../local/kubernetes/views/watching.ts');
  const { representationOf } = await import('../../../local/kubernetes/views/representation.ts');
  const other = await temporaryDirectory();
  const store = openObjectStore(other.path);
  const objects = store.create('c');
  const put = (name: string) => objects.put(kind, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  const writing: Promise<unknown>[] = [];
  const server = createServer((_, response) => {
    const query = new URLSearchParams();
    const representation = representationOf(kind, '', query);
    writing.push(watchObjects({ objects, kind, namespace: undefined, query, representation, response }));
    // The watch lists after this, and hears of it after that.
    writing.push(put('during').then(() => put('after')));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await Promise.all(writing);
  store.close();
  const lines = (await response.text()).trim().split('\n');
  expect(told(lines.map((line) => JSON.parse(line) as WatchEvent))).toEqual(['ADDED during', 'ADDED after']);
  server.close();
  await other.remove();
});

test('a watch hears nothing of other namespaces and kinds', async () => {
  const watch = await openWatch(planes, 'shared', maps('?watch=true'));
  await call('POST', `/api/v1/namespaces/${namespace}/secrets`, { metadata: { name: 'x' } });
  await call('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: `of-${namespace}` } });
  await makeMap('mine');
  expect(told(await watch.first(1))).toEqual(['ADDED mine']);
});

test('a watch ends when its time is over, with a bookmark', async () => {
  const watch = await openWatch(planes, 'shared', maps('?watch=true&timeoutSeconds=1&allowWatchBookmarks=true'));
  await watch.ended;
  expect(watch.events).toMatchObject([
    { type: 'BOOKMARK', object: { metadata: { resourceVersion: expect.any(String) } } },
  ]);
});

test('a version from the future, or from before what is known, is 410 Gone', async () => {
  const watch = await openWatch(planes, 'shared', maps('?watch=true&resourceVersion=99999999'));
  await watch.ended;
  expect(watch.events).toMatchObject([{ type: 'ERROR', object: { code: 410, reason: 'Expired' } }]);
});

test('more changes than are kept are 410 Gone, and the newest still replay', async () => {
  await makeMap('busy');
  const start = (await call('GET', maps())).body.metadata.resourceVersion;
  // The store itself, for speed: 12,001 changes are what makes it forget the first.
  const { openObjectStore } = await import('../../../local/kubernetes/store.ts');
  const { builtInKinds } = await import('../../../local/kubernetes/kinds.ts');
  const other = await temporaryDirectory();
  const store = openObjectStore(other.path);
  const objects = store.create('c');
  const kind = builtInKinds.find(({ plural }) => plural === 'configmaps')!;
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default' } };
  await Promise.all(Array.from({ length: 12_001 }, () => objects.put(kind, object)));
  expect(objects.since(1)).toBeUndefined();
  expect(objects.since(objects.resourceVersion - 3)).toHaveLength(3);
  store.close();
  await other.remove();
  expect(Number(start)).toBeGreaterThan(0);
});

test('tables and bare metadata are watched and listed too', async () => {
  await makeMap('a');
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
  const table = await ask(planes, 'shared', 'GET', maps(), { accept });
  expect(table.body).toMatchObject({
    kind: 'Table',
    columnDefinitions: [{ name: 'Name' }, { name: 'Data' }, { name: 'Age' }],
    rows: [{ cells: ['a', 0, expect.any(String)], object: { kind: 'PartialObjectMetadata', metadata: { name: 'a' } } }],
  });
  const watch = await openWatch(planes, 'shared', maps('?watch=true'), accept);
  expect((await watch.first(1))[0]).toMatchObject({
    type: 'ADDED',
    object: { kind: 'Table', rows: [{ cells: ['a', 0, expect.any(String)] }] },
  });
  const partial = await ask(planes, 'shared', 'GET', maps(), {
    accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
  });
  expect(partial.body).toMatchObject({ kind: 'PartialObjectMetadataList', items: [{ metadata: { name: 'a' } }] });
});

test("client-node's watch hears what its typed client does", async () => {
  const config = kubeConfigOf(planes, 'shared', tokenOf('shared', 'root'));
  const heard = Promise.withResolvers<string>();
  const controller = await new Watch(config).watch(
    maps(),
    {},
    (type, object) => heard.resolve(`${type} ${object.metadata.name}`),
    () => undefined,
  );
  await config.makeApiClient(CoreV1Api).createNamespacedConfigMap({ namespace, body: { metadata: { name: 'a' } } });
  expect(await heard.promise).toBe('ADDED a');
  controller.abort();
});

test('removing a cluster ends its watches', async () => {
  planes.create('brief');
  const watch = await openWatch(planes, 'brief', '/api/v1/namespaces?watch=true');
  await watch.first(4);
  planes.remove('brief');
  await watch.ended;
  expect((await ask(planes, 'brief', 'GET', '/api/v1/namespaces')).status).toBe(401);
});
