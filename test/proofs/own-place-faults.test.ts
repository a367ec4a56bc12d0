import { describeFaults } from '../journeys/faults/cells.ts';
import { signUp, takenBack } from '../journeys/faults/own-places.ts';

const server = { isolation: 'server' };
const database = { isolation: 'database' };
const namespace = { tier: 'namespace', isolation: 'pooled' };
const cluster = { tier: 'cluster', isolation: 'pooled' };

describeFaults({
  machines: ['prepare-placement', 'release-placement'],
  ownPlaces: 'only',
  // Whoever keeps its place because that cannot be taken down keeps its network too.
  cloud: { stackQuotas: { vpcs: 50, addresses: 50 } },
  prepare: async () => undefined,
  plays: {
    CreateServer: signUp(server),
    AwaitServer: signUp(server),
    PrepareServer: signUp(server),
    CreateDatabase: signUp(database),
    DropDatabase: takenBack(database),
    DeleteServer: takenBack(server),
    AwaitServerGone: takenBack(server),
    CreateStack: signUp(cluster),
    AwaitStack: signUp(cluster),
    DeployWorkload: signUp(namespace),
    AwaitWorkload: signUp(namespace),
    AwaitWorkloadGone: takenBack(namespace),
    DrainCluster: takenBack(cluster),
    DeleteStack: takenBack(cluster),
    AwaitStackGone: takenBack(cluster),
  },
});
