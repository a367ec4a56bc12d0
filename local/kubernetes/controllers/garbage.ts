import { isApiError } from '../api-client.ts';
import type { Cluster } from './cluster.ts';
import { type ApiResource, discover } from './discovery.ts';
import { type Kind, kinds, pathOf } from './kinds.ts';
import type { KubeObject, OwnerReference } from './objects.ts';
import { createQueue, type Queue } from './queue.ts';
import type { Resource } from './resource.ts';
import { isTerminating } from './workloads.ts';

/** Kinds whose objects can own something that is not watched here; the others own watched kinds alone. */
const wideOwners: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'Job', 'Service', 'Ingress']);

const contentType = 'application/merge-patch+json';

/**
 * Deletes what no living owner is left for, and does what `kubectl delete --cascade=foreground|orphan` asks for with finalizers.
 * Dependents of watched kinds are found at once; others when an owner of a watched kind goes.
 */
export const garbage = (cluster: Cluster): Queue[] => {
  const { client, watched, log } = cluster;
  const byKind = new Map(watched.map((resource) => [resource.kind.kind, resource]));

  const exists = async (namespace: string, owner: OwnerReference): Promise<boolean> => {
    const known = byKind.get(owner.kind);
    if (known?.get(namespace, owner.name)?.metadata.uid === owner.uid) return true;
    const [group = '', version = ''] = owner.apiVersion.includes('/')
      ? owner.apiVersion.split('/')
      : ['', owner.apiVersion];
    const kind: Kind | undefined =
      known?.kind ?? (await discover(client)).find((served) => served.group === group && served.kind === owner.kind);
    // Of a kind that is not served nothing can be said, so nothing is deleted.
    if (!kind) return true;
    const isCluster = kind.kind === 'Namespace' || ('namespaced' in kind && kind.namespaced === false);
    try {
      const path = pathOf(
        { ...kind, version: kind.version || version },
        { ...(!isCluster && { namespace }), name: owner.name },
      );
      return (await client.request<KubeObject>('GET', path)).metadata.uid === owner.uid;
    } catch (error) {
      if (isApiError(error, 404)) return false;
      throw error;
    }
  };

  const removeFrom = async (kind: Kind, object: KubeObject, finalizer: string): Promise<void> => {
    const finalizers = (object.metadata.finalizers ?? []).filter((name) => name !== finalizer);
    const { namespace, name, resourceVersion } = object.metadata;
    const path = pathOf(kind, { ...(namespace !== undefined && { namespace }), name });
    await client.request('PATCH', path, { body: { metadata: { resourceVersion, finalizers } }, contentType });
  };

  const collect = async (kind: Kind, object: KubeObject): Promise<void> => {
    const { namespace = '', name, uid, ownerReferences = [] } = object.metadata;
    if (isTerminating(object) || ownerReferences.length === 0) return;
    for (const owner of ownerReferences) if (await exists(namespace, owner)) return;
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid }, propagationPolicy: 'Background' };
    await client.request('DELETE', pathOf(kind, { namespace, name }), { body });
  };

  const dependents = (owner: KubeObject): { resource: Resource<KubeObject>; object: KubeObject }[] =>
    watched.flatMap((resource) =>
      resource
        .list(owner.metadata.namespace)
        .filter(({ metadata }) => metadata.ownerReferences?.some(({ uid }) => uid === owner.metadata.uid))
        .map((object) => ({ resource, object })),
    );

  const release = async (resource: Resource<KubeObject>, owner: KubeObject): Promise<number | undefined> => {
    const found = dependents(owner);
    if (owner.metadata.finalizers?.includes('orphan')) {
      for (const { resource: of, object } of found) {
        const ownerReferences = (object.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== owner.metadata.uid);
        await of.patch(object, { metadata: { uid: object.metadata.uid, ownerReferences } });
      }
      await removeFrom(resource.kind, owner, 'orphan');
    } else if (owner.metadata.finalizers?.includes('foregroundDeletion')) {
      for (const { resource: of, object } of found) if (!isTerminating(object)) await of.remove(object);
      if (found.length > 0) return 100;
      await removeFrom(resource.kind, owner, 'foregroundDeletion');
    }
    return undefined;
  };

  /** Dependents of kinds that nobody watches: asked for once, when the owner has gone. */
  const sweep = async (namespace: string, uid: string): Promise<void> => {
    const seen = new Set(watched.map(({ kind }) => `${kind.group}/${kind.plural}`));
    const others = (await discover(client)).filter(
      ({ group, plural, namespaced, verbs }: ApiResource) =>
        namespaced && verbs.includes('list') && plural !== kinds.events.plural && !seen.has(`${group}/${plural}`),
    );
    for (const resource of others) {
      const { items } = await client.request<{ items: KubeObject[] }>('GET', pathOf(resource, { namespace }));
      for (const object of items)
        if (object.metadata.ownerReferences?.some((owner) => owner.uid === uid)) await collect(resource, object);
    }
  };

  const objects = createQueue({
    name: 'Garbage',
    log,
    reconcile: async (key) => {
      const [kind = '', namespace, name = ''] = key.split('/');
      const resource = byKind.get(kind);
      const object = resource?.get(namespace, name);
      if (!resource || !object) return undefined;
      if (isTerminating(object)) return release(resource, object);
      await collect(resource.kind, object);
      return undefined;
    },
  });
  const sweeps = createQueue({
    name: 'Garbage sweep',
    log,
    reconcile: async (key) => {
      const [namespace = '', uid = ''] = key.split('/');
      await sweep(namespace, uid);
      return undefined;
    },
  });

  const keyFor = ({ kind }: Resource<KubeObject>, { metadata }: KubeObject): string =>
    `${kind.kind}/${metadata.namespace ?? ''}/${metadata.name}`;
  for (const resource of watched) {
    resource.onChange(({ type, object, before }) => {
      const { finalizers, ownerReferences, namespace, uid } = object.metadata;
      if (type === 'put') {
        const held =
          isTerminating(object) && finalizers?.some((name) => name === 'orphan' || name === 'foregroundDeletion');
        if (held || (!before && ownerReferences)) objects.add(keyFor(resource, object));
        return;
      }
      for (const dependent of dependents(object)) objects.add(keyFor(dependent.resource, dependent.object));
      if (namespace && wideOwners.has(resource.kind.kind)) sweeps.add(`${namespace}/${uid}`);
    });
  }
  return [objects, sweeps];
};
