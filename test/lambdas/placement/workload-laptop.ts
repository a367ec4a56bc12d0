import { resolve } from 'node:path';
import { expect } from 'vitest';
import type { Cluster } from '../../../adapters/cluster/cluster.ts';
import type { Placement } from '../../../adapters/registry/placements.ts';
import type { World } from '../../../adapters/world.ts';
import { handler as awaitWorkload } from '../../../lambdas/placement/await-workload.ts';
import { handler as prepareDatabase } from '../../../lambdas/placement/prepare-database.ts';
import { handler as claimTenant } from '../../../lambdas/provision/claim-tenant.ts';
import { handler as placeTenant } from '../../../lambdas/provision/place-tenant.ts';
import { createHostTable, type FedHostTable } from '../../../local/kubernetes/hosts.ts';
import { startTestClusters, type TestClusters } from '../../adapters/cluster/control-plane.ts';
import { type BackupLaptop, startBackupLaptop } from '../backup/backup-laptop.ts';

const image = 'tenantry-app:latest';
const ownApps = {
  image,
  ingressClass: 'alb',
  certificateArn: undefined,
  databaseCidrs: ['127.0.0.0/8'],
  ingressCidrs: ['127.0.0.0/8'],
  environment: { SAMPLE_APP_OPEN_LOGIN: '1' },
  secretId: 'tenantry/app',
};

export interface Placed {
  /** Input of the steps that provision the tenant. */
  readonly step: { readonly operation: string; readonly tenantId: string };
  readonly placement: Placement;
  readonly namespace: string;
  readonly cluster: Cluster;
}

export interface WorkloadLaptop {
  readonly laptop: BackupLaptop;
  readonly clusters: TestClusters;
  /** Where the Ingresses of the clusters lead. */
  readonly hosts: FedHostTable;
  /** The laptop's world with the clusters `shared` and `second`, which run the sample app. */
  readonly world: World;
  /** That world with other settings of the tenants' own apps. */
  settled(settings: object): World;
  /** A tenant with a database of its own and a place for its app, which is not deployed yet. */
  placed(tenantId: string, plan?: string): Promise<Placed>;
  /** Resolves once the tenant's app is ready, fails after 20 s. */
  becomesReady(step: Placed['step']): Promise<void>;
  stop(): Promise<void>;
}

/** All that an app of a tenant's own reaches: a registry, a pool and two clusters with controllers, kubelet and Ingress. */
export const startWorkloadLaptop = async (): Promise<WorkloadLaptop> => {
  const [laptop, clusters] = await Promise.all([startBackupLaptop(), startTestClusters()]);
  const hosts = createHostTable();
  for (const name of ['shared', 'second']) {
    clusters.cluster(name);
    await clusters.control(name, {
      images: new Map([[image, resolve('sample-app/main.ts')]]),
      hosts,
    });
    await laptop.world.registry.clusters.upsert({ id: name, cell: 'eu-1', region: 'eu-central-1', capacity: 50 });
  }
  const open = async (name: string) => (clusters.planes.names().includes(name) ? clusters.cluster(name) : undefined);
  const world = Object.create(laptop.world, {
    ownApps: { value: ownApps },
    findCluster: { value: open },
    cluster: { value: open },
  }) as World;
  return {
    laptop,
    clusters,
    hosts,
    world,
    settled: (settings) => Object.create(world, { ownApps: { value: { ...ownApps, ...settings } } }) as World,
    placed: async (tenantId, plan = 'starter') => {
      const step = { operation: `provision-${tenantId}`, tenantId };
      await claimTenant.run({ ...step, execution: 'arn', plan, name: `The ${tenantId} company` }, world);
      await placeTenant.run({ ...step, tier: 'namespace' }, world);
      await prepareDatabase.run(step, world);
      const placement = await world.registry.placements.require(tenantId);
      return { step, placement, namespace: placement.namespace!, cluster: clusters.cluster(placement.cluster!.id) };
    },
    becomesReady: async (step) => {
      await expect.poll(() => awaitWorkload.run(step, world), { timeout: 20_000 }).toMatchObject({ ready: true });
    },
    stop: async () => {
      await Promise.all([laptop.stop(), clusters.stop()]);
    },
  };
};
