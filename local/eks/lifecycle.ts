import type { ControlPlane } from './control-plane.ts';
import type { ClusterRecord, EksStore } from './store.ts';

export interface Lifecycle {
  /** Ends the wait of a cluster that has just been written as CREATING or DELETING. */
  follow(cluster: ClusterRecord): void;
  /** Takes up what an earlier life left under way, and serves every cluster that is there. */
  resume(): void;
  close(): void;
}

/** What EKS forgets with a cluster. */
const forget = (store: EksStore, name: string): void => {
  for (const { cluster, principalArn } of store.entries.all())
    if (cluster === name) store.entries.remove(`${cluster} ${principalArn}`);
  for (const { cluster, id } of store.associations.all()) if (cluster === name) store.associations.remove(id);
  store.clusters.remove(name);
};

export const openLifecycle = (store: EksStore, plane: ControlPlane): Lifecycle => {
  const timers = new Map<string, NodeJS.Timeout>();
  const finish = (name: string): void => {
    timers.delete(name);
    const cluster = store.clusters.get(name);
    if (cluster?.status === 'CREATING') {
      plane.create(name);
      store.clusters.update(name, { status: 'ACTIVE' });
    }
    if (cluster?.status === 'DELETING') {
      plane.remove(name);
      forget(store, name);
    }
  };
  const follow = ({ name, due }: ClusterRecord): void => {
    clearTimeout(timers.get(name));
    timers.set(
      name,
      setTimeout(() => finish(name), Math.max(0, due - Date.now())),
    );
  };
  return {
    follow,
    resume: () => {
      for (const cluster of store.clusters.all()) {
        if (cluster.status === 'CREATING') follow(cluster);
        else plane.create(cluster.name);
        if (cluster.status === 'DELETING') follow(cluster);
      }
    },
    close: () => {
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
    },
  };
};
