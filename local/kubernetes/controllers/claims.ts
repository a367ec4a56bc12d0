import type { Cluster } from './cluster.ts';
import { keyOf, splitKey } from './objects.ts';
import { createQueue, type Queue } from './queue.ts';
import { isTerminating } from './workloads.ts';

/** Binds every claim to as much as it asks for. No volume is made: processes of a laptop have its file system. */
export const claims = ({ claims: all, log }: Cluster): Queue => {
  const reconcile = async (key: string): Promise<undefined> => {
    const { namespace, name } = splitKey(key);
    const claim = all.get(namespace, name);
    if (!claim || isTerminating(claim) || claim.status?.phase === 'Bound') return;
    const { accessModes, resources } = claim.spec;
    await all.writeStatus(claim, {
      phase: 'Bound',
      ...(accessModes && { accessModes }),
      ...(resources?.requests && { capacity: resources.requests }),
    });
  };
  const queue = createQueue({ name: 'PersistentVolumeClaim', reconcile, log });
  all.onChange(({ object }) => queue.add(keyOf(object)));
  return queue;
};
