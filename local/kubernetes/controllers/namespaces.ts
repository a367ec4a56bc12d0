import { isApiError } from '../api-client.ts';
import type { Cluster } from './cluster.ts';
import { type ApiResource, discover } from './discovery.ts';
import { kinds, pathOf } from './kinds.ts';
import { type Condition, type KubeObject, keyOf, splitKey, withCondition } from './objects.ts';
import type { Namespace } from './policy-objects.ts';
import { createQueue, type Queue } from './queue.ts';
import { isTerminating } from './workloads.ts';

interface Remains {
  readonly resource: ApiResource;
  readonly objects: readonly KubeObject[];
}

const nameOf = ({ plural, group, version }: ApiResource): string =>
  group === '' ? `${plural}.` : `${plural}.${version}.${group}`;

/** What keeps a namespace from going, in the words of Kubernetes' namespace controller. */
const conditionsOf = (
  known: readonly Condition[] | undefined,
  remains: readonly Remains[],
  failures: readonly string[],
): Condition[] => {
  const content = remains.map(
    ({ resource, objects }) => `${nameOf(resource)} has ${objects.length} resource instances`,
  );
  const held = new Map<string, number>();
  for (const { objects } of remains)
    for (const { metadata } of objects)
      for (const finalizer of metadata.finalizers ?? []) held.set(finalizer, (held.get(finalizer) ?? 0) + 1);
  const finalizers = [...held].map(([name, count]) => `${name} in ${count} resource instances`);
  const conditions: Condition[] = [
    failures.length > 0
      ? {
          type: 'NamespaceDeletionContentFailure',
          status: 'True',
          reason: 'ContentDeletionFailed',
          message: `Failed to delete all resource types, ${failures.length} remaining: ${failures.join(', ')}`,
        }
      : {
          type: 'NamespaceDeletionContentFailure',
          status: 'False',
          reason: 'ContentDeleted',
          message: 'All content successfully deleted, may be waiting on finalization',
        },
    content.length > 0
      ? {
          type: 'NamespaceContentRemaining',
          status: 'True',
          reason: 'SomeResourcesRemain',
          message: `Some resources are remaining: ${content.join(', ')}`,
        }
      : {
          type: 'NamespaceContentRemaining',
          status: 'False',
          reason: 'ContentRemoved',
          message: 'All content successfully removed',
        },
    finalizers.length > 0
      ? {
          type: 'NamespaceFinalizersRemaining',
          status: 'True',
          reason: 'SomeFinalizersRemain',
          message: `Some content in the namespace has finalizers remaining: ${finalizers.join(', ')}`,
        }
      : {
          type: 'NamespaceFinalizersRemaining',
          status: 'False',
          reason: 'ContentHasNoFinalizers',
          message: 'All content-preserving finalizers finished',
        },
  ];
  return conditions.reduce<Condition[]>((all, condition) => withCondition(all, condition), [...(known ?? [])]);
};

/** Pause before the next look at a namespace whose content stays: a finalizer of a kind that is not watched may be gone. */
const pauses = { first: 100, longest: 3_000 } as const;

/** Empties a namespace that is being deleted, kind by kind, and lets it go when nothing is left; finalizers are honoured. */
export const namespaces = (cluster: Cluster): Queue => {
  const { client, namespaces: all, log } = cluster;
  const looks = new Map<string, number>();

  const listed = async (namespace: string, resource: ApiResource): Promise<KubeObject[]> => {
    const { items } = await client.request<{ items: KubeObject[] }>('GET', pathOf(resource, { namespace }));
    return items;
  };

  const empty = async (namespace: string): Promise<{ remains: Remains[]; failures: string[] }> => {
    const remains: Remains[] = [];
    const failures: string[] = [];
    for (const resource of await discover(client)) {
      if (!resource.namespaced || !resource.verbs.includes('delete') || !resource.verbs.includes('list')) continue;
      try {
        for (const { metadata } of await listed(namespace, resource)) {
          if (metadata.deletionTimestamp !== undefined) continue;
          const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' };
          await client
            .request('DELETE', pathOf(resource, { namespace, name: metadata.name }), { body })
            .catch((error: unknown) => {
              if (!isApiError(error, 404)) throw error;
            });
        }
        const objects = await listed(namespace, resource);
        if (objects.length > 0) remains.push({ resource, objects });
      } catch (error) {
        if (!isApiError(error)) throw error;
        failures.push(`${nameOf(resource)}: ${error.message}`);
      }
    }
    return { remains, failures };
  };

  const finalize = async (namespace: Namespace): Promise<void> => {
    const finalizers = (namespace.spec?.finalizers ?? []).filter((name) => name !== 'kubernetes');
    const path = pathOf(kinds.namespaces, { name: namespace.metadata.name, subresource: 'finalize' });
    const body = { apiVersion: 'v1', kind: 'Namespace', ...namespace, spec: { ...namespace.spec, finalizers } };
    await client.request('PUT', path, { body });
  };

  const reconcile = async (key: string): Promise<number | undefined> => {
    const { name } = splitKey(key);
    const namespace = all.get(undefined, name);
    if (!namespace || !isTerminating(namespace)) return undefined;
    if (!namespace.spec?.finalizers?.includes('kubernetes')) return undefined;
    const { remains, failures } = await empty(name);
    const latest = all.get(undefined, name);
    if (!latest) return undefined;
    const conditions = conditionsOf(latest.status?.conditions, remains, failures);
    await all.writeStatus(latest, { ...latest.status, phase: 'Terminating', conditions });
    if (remains.length === 0 && failures.length === 0) {
      await finalize(all.get(undefined, name) ?? latest);
      return undefined;
    }
    const count = looks.get(key) ?? 0;
    looks.set(key, count + 1);
    return Math.min(pauses.first * 2 ** count, pauses.longest);
  };

  const queue = createQueue({ name: 'Namespace', reconcile, log });
  all.onChange(({ type, object }) => {
    if (type === 'gone') looks.delete(keyOf(object));
    else if (isTerminating(object)) queue.add(keyOf(object));
  });
  for (const resource of cluster.watched) {
    resource.onChange(({ type, object }) => {
      const namespace = object.metadata.namespace && all.get(undefined, object.metadata.namespace);
      if (type === 'gone' && namespace && isTerminating(namespace)) queue.addAfter(keyOf(namespace), 20);
    });
  }
  return queue;
};
