import { describeFaults } from './cells.ts';
import { signUp, takenBack } from './own-places.ts';

const namespace = { tier: 'namespace', isolation: 'pooled' };
const cluster = { tier: 'cluster', isolation: 'pooled' };

/** One or two faults of each step; test/proofs/own-place-faults.test.ts has all of them. */
describeFaults({
  machines: ['prepare-placement', 'release-placement'],
  some: {
    CreateStack: ['twice'],
    AwaitStack: ['unheard'],
    DeployWorkload: ['late', 'refused'],
    AwaitWorkload: ['after'],
    RemoveWorkload: ['unheard'],
    AwaitWorkloadGone: ['zombie'],
    DrainCluster: ['before'],
    DeleteStack: ['unheard'],
    AwaitStackGone: ['after'],
  },
  cloud: { stackQuotas: { vpcs: 50, addresses: 50 } },
  prepare: async () => undefined,
  plays: {
    CreateStack: signUp(cluster),
    AwaitStack: signUp(cluster),
    DeployWorkload: signUp(namespace),
    AwaitWorkload: signUp(namespace),
    RemoveWorkload: takenBack(namespace),
    AwaitWorkloadGone: takenBack(namespace),
    DrainCluster: takenBack(cluster),
    DeleteStack: takenBack(cluster),
    AwaitStackGone: takenBack(cluster),
  },
});
