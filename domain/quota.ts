import type { CellLoad, ClusterLoad, ServerLoad } from './placement.ts';

/** An AWS quota behind a capacity: what an account gets unless it asks for more. */
export interface AwsQuota {
  readonly name: string;
  /** As the Service Quotas console knows it; null where AWS sets no quota. */
  readonly code: string | null;
  readonly value: number | null;
  readonly per: 'region' | 'cluster' | 'server';
}

/** What one cell has of one kind of place, how much is left, and what is behind the figure. */
export interface CapacityEvidence {
  readonly cell: string;
  readonly region: string;
  readonly kind: 'pool' | 'databases' | 'servers' | 'namespaces' | 'clusters';
  /** The server or cluster; the cell itself where it is counted by the cell. */
  readonly name: string;
  readonly used: number;
  readonly capacity: number;
  readonly left: number;
  readonly open: boolean;
  readonly quota: AwsQuota;
  /** The capacity is higher than what AWS gives by default: an increase must have been granted, or creation fails there. */
  readonly beyondDefault: boolean;
}

/** Amazon RDS, VPC and EKS user guides, "Quotas"; the value of an account is in its Service Quotas console. */
export const awsQuotas = {
  pool: { name: 'tenants in one pool (no AWS quota; Tenantry policy)', code: null, value: null, per: 'server' },
  // Amazon RDS states no cap on databases of an instance; 500 to 1,000 is what can be kept connected.
  databases: {
    name: 'databases of one server (no AWS quota; Tenantry policy)',
    code: null,
    value: null,
    per: 'server',
  },
  servers: { name: 'RDS DB instances', code: 'L-7B6409FD', value: 40, per: 'region' },
  // A namespace takes one Pod Identity association, of which a cluster has 1,000.
  namespaces: { name: 'EKS Pod Identity associations', code: null, value: 1_000, per: 'cluster' },
  // A cluster of one tenant takes a VPC; of EKS clusters a region has 100, so VPCs end first.
  clusters: { name: 'VPCs', code: 'L-F678F1CE', value: 5, per: 'region' },
} as const satisfies Record<CapacityEvidence['kind'], AwsQuota>;

type Count = Pick<CapacityEvidence, 'cell' | 'region' | 'kind' | 'name' | 'used' | 'capacity' | 'open'>;

const evidence = (count: Count): CapacityEvidence => {
  const quota: AwsQuota = awsQuotas[count.kind];
  const left = count.open ? Math.max(0, count.capacity - count.used) : 0;
  return { ...count, left, quota, beyondDefault: quota.value !== null && count.capacity > quota.value };
};

/** Everything that placements count in every cell, by cell, in the order pool, databases, servers, namespaces, clusters. */
export const capacityEvidence = (
  cells: readonly CellLoad[],
  servers: readonly ServerLoad[],
  clusters: readonly ClusterLoad[],
): CapacityEvidence[] =>
  cells.flatMap((cell) => {
    const at = { cell: cell.id, region: cell.region, open: cell.open };
    const { id: name, capacity, used, serverCapacity, serversUsed, clusterCapacity, clustersUsed } = cell;
    const shared = <Kind extends 'databases' | 'namespaces'>(kind: Kind, of: readonly (ServerLoad | ClusterLoad)[]) =>
      of
        .filter((one) => one.cell === cell.id)
        .map((one) => ({
          ...at,
          kind,
          name: one.id,
          used: one.used,
          capacity: one.capacity,
          open: cell.open && one.open,
        }));
    return [
      { ...at, kind: 'pool', name, used, capacity } as const,
      ...shared('databases', servers),
      { ...at, kind: 'servers', name, used: serversUsed, capacity: serverCapacity } as const,
      ...shared('namespaces', clusters),
      { ...at, kind: 'clusters', name, used: clustersUsed, capacity: clusterCapacity } as const,
    ].map(evidence);
  });
