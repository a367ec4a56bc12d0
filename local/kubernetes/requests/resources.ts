import { type Kind, podKind } from '../kinds.ts';
import type { KubeObject } from '../object.ts';
import { noSuchPath, notAllowed, notFound } from '../status.ts';
import { listObjects, selectionOf } from '../views/listing.ts';
import { representationOf } from '../views/representation.ts';
import { watchObjects } from '../views/watching.ts';
import { type Deletion, deleteObject, deleteOptionsOf } from '../writes/deletion.ts';
import { checkEviction, withBinding } from '../writes/pods.ts';
import { patchScale, scaleOf, withScale } from '../writes/scale.ts';
import { type Target, type WriteOptions, type Written, writeOptionsOf } from '../writes/target.ts';
import { applyObject, createObject, modifyObject, patchObject, patchTypeOf, updateObject } from '../writes/writes.ts';
import { objectBody, readBody } from './body.ts';
import { answer, type Exchange } from './exchange.ts';
import type { ResourcePath, Verb } from './request.ts';

interface Asked extends Exchange {
  readonly target: Target;
  readonly path: ResourcePath;
  readonly options: WriteOptions;
}

const find = ({ objects, kind, namespace }: Target, name: string): KubeObject => {
  const found = objects.get(kind, namespace, name);
  if (!found) throw notFound(kind, name);
  return found;
};

const give = ({ response, request, query, target }: Asked, status: number, written: Written | KubeObject): void => {
  const { object, warnings } = 'warnings' in written ? (written as Written) : { object: written, warnings: [] };
  const { kind, subresource } = target;
  const shown = subresource === 'scale' ? scaleOf(object) : object;
  const { one } = representationOf(kind, request.headers.accept ?? '', query);
  answer(response, status, subresource === 'scale' ? shown : one(shown), { warnings });
};

const get = async (asked: Asked, name: string): Promise<void> => {
  await asked.objects.settled();
  give(asked, 200, find(asked.target, name));
};

const success = (kind: Kind, object: KubeObject): object => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  details: {
    name: object.metadata.name,
    ...(kind.group ? { group: kind.group } : {}),
    kind: kind.plural,
    uid: object.metadata.uid,
  },
});

const giveDeletion = (asked: Asked, object: KubeObject, deletion: Deletion): void => {
  if (deletion.gone) answer(asked.response, 200, success(asked.target.kind, object));
  else give(asked, 200, deletion.object);
};

/** `pods/<name>/binding` and `pods/<name>/eviction`. */
const createSubresource = async (asked: Asked, name: string): Promise<void> => {
  const { target, request, query, response, options } = asked;
  const body = objectBody(await readBody(request));
  if (target.kind !== podKind) throw notAllowed();
  if (target.subresource === 'binding') {
    await modifyObject(target, name, (pod) => withBinding(target, pod, body), options);
  } else if (target.subresource === 'eviction') {
    const pod = find(target, name);
    checkEviction(target.objects, pod);
    await deleteObject(target, pod, deleteOptionsOf(body.deleteOptions, query));
  } else throw notAllowed();
  answer(response, 201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' });
};

const create = async (asked: Asked): Promise<void> => {
  const { target, path, request, options } = asked;
  if (path.name !== undefined) return createSubresource(asked, path.name);
  if (target.kind.namespaced && target.namespace === undefined) throw notAllowed();
  give(asked, 201, await createObject(target, objectBody(await readBody(request)), options));
};

const update = async (asked: Asked, name: string): Promise<void> => {
  const { target, request, options } = asked;
  const body = objectBody(await readBody(request));
  const written =
    target.subresource === 'scale'
      ? await modifyObject(target, name, (object) => withScale(object, body), options)
      : await updateObject(target, name, body, options);
  give(asked, 200, written);
};

const patch = async (asked: Asked, name: string): Promise<void> => {
  const { target, request, query, options } = asked;
  const type = patchTypeOf(request.headers['content-type'] ?? '', target.kind);
  const body = await readBody(request);
  if (target.subresource === 'scale') {
    const change = (object: KubeObject): KubeObject => withScale(object, patchScale(object, type, body));
    give(asked, 200, await modifyObject(target, name, change, options));
    return;
  }
  const written =
    type === 'apply'
      ? await applyObject(target, name, objectBody(body), query, options)
      : await patchObject(target, name, type, body, options);
  give(asked, written.created ? 201 : 200, written);
};

const remove = async (asked: Asked, name: string): Promise<void> => {
  const { target, request, query } = asked;
  const body = await readBody(request);
  const object = find(target, name);
  giveDeletion(asked, object, await deleteObject(target, object, deleteOptionsOf(body, query)));
};

const removeCollection = async (asked: Asked): Promise<void> => {
  const { target, request, response, query } = asked;
  const { objects, kind, namespace } = target;
  const deletion = deleteOptionsOf(await readBody(request), query);
  const selected = objects.list(kind, namespace).filter(selectionOf(query));
  const options = { ...deletion, uid: undefined, resourceVersion: undefined };
  await Promise.all(selected.map((object) => deleteObject(target, object, options)));
  const { many } = representationOf(kind, request.headers.accept ?? '', query);
  answer(response, 200, many(selected, { resourceVersion: String(objects.resourceVersion) }));
};

const list = async ({ target, request, response, query }: Asked): Promise<void> => {
  const representation = representationOf(target.kind, request.headers.accept ?? '', query);
  answer(response, 200, await listObjects(target.objects, target.kind, target.namespace, query, representation));
};

const watch = ({ target, path, request, response, query }: Asked): Promise<void> => {
  const representation = representationOf(target.kind, request.headers.accept ?? '', query);
  const selecting = new URLSearchParams(query);
  if (path.name !== undefined) selecting.append('fieldSelector', `metadata.name=${path.name}`);
  return watchObjects({ ...target, query: selecting, representation, response });
};

/** Serves a request for objects of a kind. Rejects with StatusError as long as nothing was answered. */
export const serveResource = async (exchange: Exchange, kind: Kind, path: ResourcePath, verb: Verb): Promise<void> => {
  const { objects, query, request } = exchange;
  const { name, subresource } = path;
  if (subresource !== undefined && !kind.subresources.includes(subresource)) throw noSuchPath();
  const target: Target = { objects, kind, namespace: kind.namespaced ? path.namespace : undefined, subresource };
  const options = writeOptionsOf(query, request.headers['user-agent'] ?? '');
  const asked: Asked = { ...exchange, target, path, options };
  switch (verb) {
    case 'list':
      return list(asked);
    case 'watch':
      return watch(asked);
    case 'create':
      return create(asked);
    case 'deletecollection':
      return removeCollection(asked);
    default:
  }
  if (name === undefined) throw notAllowed();
  switch (verb) {
    case 'get':
      return get(asked, name);
    case 'update':
      return update(asked, name);
    case 'patch':
      return patch(asked, name);
    case 'delete':
      return remove(asked, name);
  }
};
