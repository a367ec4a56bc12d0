import type { DatabaseSync } from 'node:sqlite';
import type { GroupCommit } from '../queues/group-commit.ts';
import { type Kind, kindKey } from './kinds.ts';
import type { KubeObject } from './object.ts';

/** One change of one object, as watches hear of it. */
export interface Change {
  readonly resourceVersion: number;
  readonly kind: string;
  /** As it is now; of a deletion, as it was last, with the resource version of the deletion. */
  readonly object: KubeObject;
  readonly previous: KubeObject | undefined;
  readonly deleted: boolean;
}

/** The objects of one cluster. Reads answer from memory; what they give must not be changed in place. */
export interface ClusterObjects {
  readonly name: string;
  /** Of the newest change. */
  readonly resourceVersion: number;
  /** Of the newest change that watches have heard of: a watch that goes on from there misses nothing. */
  readonly toldVersion: number;
  get(kind: Kind, namespace: string | undefined, name: string): KubeObject | undefined;
  /** In the order of namespace and name. */
  list(kind: Kind, namespace?: string): KubeObject[];
  /** Gives the object the next resource version. Resolves when it is on disk. */
  put(kind: Kind, object: KubeObject): Promise<KubeObject>;
  /** Resolves, with the object under the resource version of its deletion, when the row is gone from the disk. */
  erase(kind: Kind, object: KubeObject): Promise<KubeObject>;
  /** Changes after a resource version; undefined when they are no longer known (410 Gone). */
  since(resourceVersion: number): readonly Change[] | undefined;
  /** Hears of every change once it is on disk. */
  subscribe(listener: Listener): () => void;
  /** Resolves when everything that reads could have seen is on disk. */
  settled(): Promise<void>;
  /** Tells every listener that nothing more comes. Later writes are refused. */
  end(): void;
}

export interface Listener {
  changed(change: Change): void;
  ended(): void;
}

/** etcd of a real cluster keeps five minutes of changes; 10,000 are more than 50 rollouts of 100 tenants make in that time. */
const keptChanges = 10_000;

/**
 * A crash can lose changes that some watch was about to hear of but that nobody was told were done. Their numbers must not
 * come back with another meaning, so every start leaves a gap.
 */
const restartGap = 1_000;

type ByName = Map<string, KubeObject>;

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export const openClusterObjects = (options: {
  database: DatabaseSync;
  writer: GroupCommit;
  cluster: string;
}): ClusterObjects => {
  const { database, writer, cluster } = options;
  const kinds = new Map<string, Map<string, ByName>>();
  const listeners = new Set<Listener>();
  let changes: Change[] = [];
  let ended = false;

  const namesOf = (kind: string, namespace: string): ByName => {
    const namespaces = kinds.get(kind) ?? new Map<string, ByName>();
    kinds.set(kind, namespaces);
    const names: ByName = namespaces.get(namespace) ?? new Map();
    namespaces.set(namespace, names);
    return names;
  };

  for (const row of database
    .prepare('SELECT kind, namespace, name, body FROM objects WHERE cluster = ?')
    .all(cluster)) {
    namesOf(String(row.kind), String(row.namespace)).set(String(row.name), JSON.parse(String(row.body)));
  }
  const stored = database.prepare('SELECT resource_version FROM clusters WHERE name = ?').get(cluster);
  const compacted = Number(stored?.resource_version ?? 1);
  let resourceVersion = compacted === 1 ? 1 : compacted + restartGap;
  const opened = resourceVersion;
  let told = resourceVersion;

  const write = database.prepare('INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)');
  const erase = database.prepare('DELETE FROM objects WHERE cluster = ? AND kind = ? AND namespace = ? AND name = ?');
  const count = database.prepare('UPDATE clusters SET resource_version = ? WHERE name = ?');

  const publish = (change: Change): void => {
    told = change.resourceVersion;
    changes.push(change);
    if (changes.length > keptChanges * 1.2) changes = changes.slice(-keptChanges);
    for (const listener of listeners) listener.changed(change);
  };

  /** The row, the counter and memory change together, before anything else of this turn of the loop can look. */
  const commit = async (kind: Kind, object: KubeObject, deleted: boolean): Promise<KubeObject> => {
    if (ended) throw new Error(`cluster ${cluster} is closed`);
    const { name, namespace = '' } = object.metadata;
    const names = namesOf(kindKey(kind), namespace);
    const previous = names.get(name);
    const next = resourceVersion + 1;
    const written = { ...object, metadata: { ...object.metadata, resourceVersion: String(next) } };
    const change = { resourceVersion: next, kind: kindKey(kind), object: written, previous, deleted };
    const done = writer.write(() => {
      if (deleted) erase.run(cluster, kindKey(kind), namespace, name);
      else write.run(cluster, kindKey(kind), namespace, name, JSON.stringify(written));
      count.run(next, cluster);
      resourceVersion = next;
      if (deleted) names.delete(name);
      else names.set(name, written);
    });
    await done;
    publish(change);
    return written;
  };

  return {
    name: cluster,
    get resourceVersion() {
      return resourceVersion;
    },
    get toldVersion() {
      return told;
    },
    get: (kind, namespace, name) =>
      kinds
        .get(kindKey(kind))
        ?.get(kind.namespaced ? (namespace ?? '') : '')
        ?.get(name),
    list: (kind, namespace) => {
      const namespaces = kinds.get(kindKey(kind));
      if (!namespaces) return [];
      const wanted = kind.namespaced && namespace ? [namespace] : [...namespaces.keys()].sort(compare);
      return wanted.flatMap((key) =>
        [...(namespaces.get(key)?.values() ?? [])].sort((a, b) => compare(a.metadata.name, b.metadata.name)),
      );
    },
    put: (kind, object) => commit(kind, object, false),
    erase: (kind, object) => commit(kind, object, true),
    since: (from) => {
      if (from > resourceVersion) return undefined;
      if (from < compacted || (from > compacted && from < opened)) return undefined;
      const oldest = changes[0]?.resourceVersion;
      if (oldest !== undefined && from < oldest - 1 && oldest > opened + 1) return undefined;
      return changes.filter((change) => change.resourceVersion > from);
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    settled: () => writer.settled(),
    end: () => {
      ended = true;
      for (const listener of listeners) listener.ended();
      listeners.clear();
    },
  };
};
