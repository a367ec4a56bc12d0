import type { World } from '../../../adapters/world.ts';
import { StepFailure } from '../../../domain/errors.ts';
import { workloadObjects } from '../../../domain/workload/workload.ts';
import { startTestClusters } from '../../adapters/cluster/control-plane.ts';
import { aWorkload } from '../../domain/workload/any-workload.ts';
import { type BackupLaptop, startBackupLaptop } from './backup-laptop.ts';

export interface OwnApps {
  readonly laptop: BackupLaptop;
  /** The laptop's world with the clusters `one` and `two`. */
  readonly world: World;
  /** Names of clusters that do not answer now. */
  readonly away: Set<string>;
  /** Signs a tenant up whose app has a namespace of its own on a cluster. */
  signUp(tenantId: string, cluster: 'one' | 'two'): Promise<void>;
  /** Keys of the Kubernetes objects in a backup. */
  keys(tenantId: string, backupId: string): Promise<string[]>;
  stop(): Promise<void>;
}

/** All that backups of tenants with own apps reach: what the steps of a backup do, and a Kubernetes API for each cluster. */
export const startOwnApps = async (): Promise<OwnApps> => {
  const [laptop, clusters] = await Promise.all([startBackupLaptop(), startTestClusters()]);
  const away = new Set<string>();
  const find = async (name: string) => {
    if (away.has(name)) throw new StepFailure('ClusterUnavailable', `cluster ${name} does not answer`);
    return clusters.planes.names().includes(name) ? clusters.cluster(name) : undefined;
  };
  const world = Object.create(laptop.world, { findCluster: { value: find } }) as World;
  for (const id of ['one', 'two'])
    await world.registry.clusters.upsert({ id, cell: 'eu-1', region: 'eu-central-1', capacity: 50 });
  return {
    laptop,
    world,
    away,
    signUp: async (tenantId, cluster) => {
      await laptop.signUp(tenantId);
      const namespace = `t-${tenantId}-0a1b2c`;
      await clusters.cluster(cluster).apply(workloadObjects({ ...aWorkload({ image: 'unknown:1' }), namespace }));
      await laptop.sql.query(
        `UPDATE placements SET tier = 'namespace', cluster_id = $2, namespace = $3 WHERE tenant_id = $1`,
        [tenantId, cluster, namespace],
      );
    },
    keys: async (tenantId, backupId) => {
      const found: string[] = [];
      for await (const { key } of world.archive.objects.list(`t/${tenantId}/${backupId}/kubernetes/`)) found.push(key);
      return found;
    },
    stop: async () => {
      await Promise.all([laptop.stop(), clusters.stop()]);
    },
  };
};
