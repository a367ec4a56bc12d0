import { usageOf } from '../admission/quota-usage.ts';
import { builtInKinds } from '../kinds.ts';
import type { KubeObject as ServedObject } from '../object.ts';
import { formatQuantity, sumQuantities } from '../quantity.ts';
import type { Cluster } from './cluster.ts';
import { type Kind, pathOf } from './kinds.ts';
import { type KubeObject, keyOf, splitKey } from './objects.ts';
import { createQueue, type Queue } from './queue.ts';

/** The collection that a resource of a quota counts: `group/plural`. */
const countedBy = (resource: string): string => {
  const [, plural = '', group = ''] = /^count\/([^.]+)(?:\.(.+))?$/.exec(resource) ?? [];
  if (plural !== '') return `${group}/${plural}`;
  if (/^services(\.|$)/.test(resource)) return '/services';
  if (/^(configmaps|secrets|resourcequotas)$/.test(resource)) return `/${resource}`;
  if (/^(persistentvolumeclaims|requests\.storage)$|storageclass/.test(resource)) return '/persistentvolumeclaims';
  return '/pods';
};

/** A rollout changes a namespace many times in a moment; its quota is counted once. */
const settle = 100;

/** Tells in a quota's status what its namespace uses of it, counted as admission counts. */
export const quotas = (cluster: Cluster): Queue => {
  const { client, quotas: all, watched, log } = cluster;

  const objectsOf = async (kind: Kind, namespace: string): Promise<readonly KubeObject[]> => {
    const resource = watched.find((other) => other.kind.group === kind.group && other.kind.plural === kind.plural);
    if (resource) return resource.list(namespace);
    return (await client.request<{ items: KubeObject[] }>('GET', pathOf(kind, { namespace }))).items;
  };

  const usedOf = async (namespace: string, resources: readonly string[]): Promise<Record<string, string>> => {
    const used: Record<string, string> = {};
    for (const collection of new Set(resources.map(countedBy))) {
      const kind = builtInKinds.find(({ group, plural }) => `${group}/${plural}` === collection);
      if (!kind) continue;
      const usages = (await objectsOf(kind, namespace)).map((object) => usageOf(kind, object as ServedObject));
      for (const resource of resources)
        if (countedBy(resource) === collection)
          used[resource] = formatQuantity(sumQuantities(usages.map((usage) => usage[resource])));
    }
    return used;
  };

  const reconcile = async (key: string): Promise<undefined> => {
    const { namespace, name } = splitKey(key);
    const hard = all.get(namespace, name)?.spec.hard;
    if (!hard) return;
    const used = await usedOf(namespace, Object.keys(hard));
    const latest = all.get(namespace, name);
    if (latest) await all.writeStatus(latest, { hard, used });
  };

  const queue = createQueue({ name: 'ResourceQuota', reconcile, log });
  all.onChange(({ object }) => queue.add(keyOf(object)));
  for (const resource of watched) {
    if (resource.kind.plural === all.kind.plural) continue;
    resource.onChange(({ object }) => {
      if (object.metadata.namespace === undefined) return;
      for (const quota of all.list(object.metadata.namespace)) queue.addAfter(keyOf(quota), settle);
    });
  }
  return queue;
};
