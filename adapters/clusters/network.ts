import { StepFailure } from '../../domain/errors.ts';
import { freeNetwork } from '../../domain/tenant-network.ts';
import type { Clusters as RegisteredClusters } from '../registry/clusters.ts';
import type { StackSettings } from './stacks.ts';

/** Output of a stack, and before there is one the note in the registry that nobody else may take the addresses. */
const note = 'VpcCidr';

/**
 * The addresses of a cluster's VPC, noted in the registry so that no other gets them: two that want the same at the same time both
 * see the other's note, and both choose again. A repeat answers the same. Throws NoCapacity when the range is used up.
 */
export const takeNetwork = async (
  clusters: Pick<RegisteredClusters, 'list' | 'noteOutputs'>,
  id: string,
  { networkRange, shared }: Pick<StackSettings, 'networkRange' | 'shared'>,
): Promise<string> => {
  const reserved = shared === undefined ? [] : [shared.cidr];
  for (;;) {
    const all = await clusters.list();
    const own = all.find((cluster) => cluster.id === id)?.outputs ?? {};
    const taken = all.flatMap((cluster) => (cluster.id === id ? [] : (cluster.outputs[note] ?? [])));
    const before = own[note];
    if (before !== undefined && !taken.includes(before)) return before;
    const free = freeNetwork(networkRange, id, [...taken, ...reserved]);
    if (free === undefined)
      throw new StepFailure(
        'NoCapacity',
        `no /20 of ${networkRange} is free for cluster ${id}; widen the range, or remove clusters that nobody needs`,
      );
    await clusters.noteOutputs(id, { ...own, [note]: free });
  }
};
