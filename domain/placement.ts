import type { Isolation, Tier } from './place.ts';
import { planNamed } from './plans.ts';

export { type Isolation, isolations, type Tier, tiers } from './place.ts';

export interface CellLoad {
  readonly id: string;
  readonly region: string;
  /** Tenants that the cell's pool may hold. */
  readonly capacity: number;
  readonly used: number;
  /** A closed cell keeps its tenants and takes no new one. */
  readonly open: boolean;
  /** Servers of single tenants that the cell may have; AWS gives 40 RDS instances in a region unless asked for more. */
  readonly serverCapacity: number;
  readonly serversUsed: number;
  /** Clusters of single tenants that the cell may have; each takes a VPC, of which AWS gives 5 in a region unless asked for more. */
  readonly clusterCapacity: number;
  readonly clustersUsed: number;
}

/** A shared server on which tenants have databases of their own. */
export interface ServerLoad {
  readonly id: string;
  readonly cell: string;
  /** Tenants' databases that it may hold: 500 to 1,000 by policy (research: 5,000 cannot be kept connected). */
  readonly capacity: number;
  readonly used: number;
  readonly open: boolean;
}

/** A shared cluster in which tenants have namespaces. */
export interface ClusterLoad {
  readonly id: string;
  readonly cell: string;
  /** Namespaces that it may hold. */
  readonly capacity: number;
  readonly used: number;
  readonly open: boolean;
}

/** Where a tenant is now. */
export interface CurrentPlace {
  readonly cell: string;
  readonly tier: Tier;
  readonly isolation: Isolation;
  readonly server?: string | undefined;
  readonly cluster?: string | undefined;
}

export interface PlacementRequest {
  readonly plan: string;
  /** Preferred region; the placement falls back to another one rather than refuse a customer. */
  readonly region?: string | undefined;
  /** Region that the tenant's data must not leave: a tenant is refused rather than placed in another one. */
  readonly residency?: string | undefined;
  /** Overrides what the plan gives. */
  readonly isolation?: Isolation | undefined;
  /** Where the app runs; shared unless told. */
  readonly tier?: Tier | undefined;
  /** Exactly this cell, for a move by hand. */
  readonly cell?: string | undefined;
  /** Exactly this shared server, for isolation `database`. */
  readonly server?: string | undefined;
  /** Where the tenant is now: a move goes somewhere else. Pools are named by their cell. */
  readonly from?: CurrentPlace | undefined;
}

export type PlacementDecision =
  | {
      readonly kind: 'placed';
      readonly cell: string;
      readonly tier: Tier;
      readonly isolation: Isolation;
      /** The shared server of isolation `database`; where the rows stay, the server that they are on. */
      readonly server?: string;
      /** Tier `namespace`: the shared cluster. Tier `cluster`: the tenant's own that is there already; without one it gets a new one. */
      readonly cluster?: string;
      /** Only the app goes elsewhere: the new place uses the rows of the one that the tenant has. */
      readonly rowsStay?: true;
    }
  | { readonly kind: 'no-capacity'; readonly reason: string };

interface Candidate {
  readonly cell: string;
  readonly region: string;
  readonly server?: string;
  readonly name: string;
  readonly used: number;
  readonly capacity: number;
  readonly open: boolean;
}

const candidates = (
  { cell: wanted, server, from, residency }: PlacementRequest,
  isolation: Isolation,
  cells: readonly CellLoad[],
  servers: readonly ServerLoad[],
): readonly Candidate[] => {
  const asked = cells.filter(
    ({ id, region }) => (wanted === undefined || id === wanted) && (residency === undefined || region === residency),
  );
  if (isolation === 'pooled')
    return asked
      .filter(({ id }) => from?.isolation !== 'pooled' || from.cell !== id)
      .map(({ id, region, used, capacity, open }) => ({ cell: id, region, name: id, used, capacity, open }));
  if (isolation === 'server')
    return asked.map(({ id, region, serversUsed, serverCapacity, open }) => ({
      cell: id,
      region,
      name: `servers of ${id}`,
      used: serversUsed,
      capacity: serverCapacity,
      open,
    }));
  return servers
    .filter(({ id }) => server === undefined || id === server)
    .filter(({ id }) => from?.isolation !== 'database' || from.server !== id)
    .flatMap(({ id, cell, used, capacity, open }) =>
      asked
        .filter((one) => one.id === cell)
        .map((one) => ({ cell, region: one.region, server: id, name: id, used, capacity, open: open && one.open })),
    );
};

/** The app of a tenant in this cell; undefined where it has no room. */
const appIn = (
  cell: CellLoad,
  tier: Tier,
  clusters: readonly ClusterLoad[],
  from: CurrentPlace | undefined,
): { readonly cluster?: string } | undefined => {
  if (tier === 'shared') return {};
  if (tier === 'cluster') {
    if (from?.tier === 'cluster' && from.cell === cell.id && from.cluster) return { cluster: from.cluster };
    return cell.clustersUsed < cell.clusterCapacity ? {} : undefined;
  }
  const [best] = clusters
    .filter(({ cell: where, open, used, capacity }) => where === cell.id && open && used < capacity)
    .toSorted((a, b) => compareRatio(a, b) || (a.id < b.id ? -1 : 1));
  return best && { cluster: best.id };
};

/**
 * Whether a change of tier leaves the rows where they are. A server of the tenant's own lies in the network of its cluster, so
 * it stays behind where one of the two tiers is `cluster`.
 */
const canRowsStay = ({ from, cell, server }: PlacementRequest, tier: Tier, isolation: Isolation): boolean =>
  from !== undefined &&
  from.tier !== tier &&
  from.isolation === isolation &&
  (cell === undefined || cell === from.cell) &&
  (server === undefined || server === from.server) &&
  !(isolation === 'server' && (tier === 'cluster' || from.tier === 'cluster'));

/** Whether the tenant's data may be in that cell. */
const isResident = ({ residency }: PlacementRequest, cell: string, cells: readonly CellLoad[]): boolean =>
  residency === undefined || cells.some(({ id, region }) => id === cell && region === residency);

/** Ratios are compared crosswise: 1/3 and 333333333/1000000000 differ by less than a double tells apart after division. */
type Load = Pick<Candidate, 'used' | 'capacity'>;

const compareRatio = (a: Load, b: Load): number => {
  const left = BigInt(a.used) * BigInt(b.capacity);
  const right = BigInt(b.used) * BigInt(a.capacity);
  return left < right ? -1 : left > right ? 1 : 0;
};

/** Where the rows are chosen anew: every candidate in a cell that has room for the app as well, the best first. */
const choose = (
  request: PlacementRequest,
  all: readonly Candidate[],
  appOf: (cell: string) => { readonly cluster?: string } | undefined,
): (Candidate & { readonly app: { readonly cluster?: string } }) | undefined =>
  all
    .filter(({ open, used, capacity }) => open && used < capacity)
    .flatMap((candidate) => {
      const app = appOf(candidate.cell);
      return app ? [{ ...candidate, app }] : [];
    })
    .toSorted(
      (a, b) =>
        Number(b.region === request.region) - Number(a.region === request.region) ||
        compareRatio(a, b) ||
        (a.name < b.name ? -1 : 1),
    )[0];

const fractions = (loads: readonly (Load & { readonly name: string; readonly open: boolean })[]): string[] =>
  loads
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, used, capacity, open }) => `${name} ${used}/${capacity}${open ? '' : ' closed'}`);

/** What there is for apps of a tier, as evidence. */
const appLoads = (tier: Tier, cells: readonly CellLoad[], clusters: readonly ClusterLoad[]): string[] => {
  if (tier === 'shared') return [];
  if (tier === 'namespace')
    return fractions(clusters.map(({ id, ...load }) => ({ ...load, name: `namespaces of ${id}` })));
  return fractions(
    cells.map(({ id, clusterCapacity: capacity, clustersUsed: used, open }) => ({
      name: `clusters of ${id}`,
      capacity,
      used,
      open,
    })),
  );
};

/**
 * Chooses where a tenant's rows and its app go: only in the region of its residency, else in the preferred one first; then the
 * smallest used/capacity, ties by id; both in one cell. Total: any input gives a place with room or `no-capacity` with the numbers that say why.
 */
export const placeTenant = (
  request: PlacementRequest,
  cells: readonly CellLoad[],
  servers: readonly ServerLoad[] = [],
  clusters: readonly ClusterLoad[] = [],
): PlacementDecision => {
  const { from, tier = from?.tier ?? 'shared' } = request;
  const isolation = request.isolation ?? from?.isolation ?? planNamed(request.plan).isolation;
  const appOf = (id: string): { readonly cluster?: string } | undefined => {
    const cell = cells.find((one) => one.id === id);
    return cell && appIn(cell, tier, clusters, from);
  };
  const stays = from !== undefined && canRowsStay(request, tier, isolation) && isResident(request, from.cell, cells);
  if (stays) {
    const app = appOf(from.cell);
    const server = from.server === undefined ? {} : { server: from.server };
    if (app) return { kind: 'placed', cell: from.cell, tier, isolation, ...server, ...app, rowsStay: true };
  }
  const all = candidates(request, isolation, cells, servers);
  const best = choose(request, all, appOf);
  if (best) {
    const { cell, server, app } = best;
    return { kind: 'placed', cell, tier, isolation, ...(server === undefined ? {} : { server }), ...app };
  }
  const evidence = [...fractions(all), ...appLoads(tier, cells, clusters)];
  const where = [
    request.cell && ` in cell ${request.cell}`,
    request.server && ` on server ${request.server}`,
    request.residency && ` in region ${request.residency}, which its data must not leave`,
  ];
  return {
    kind: 'no-capacity',
    reason: `no free place for ${tier === 'shared' ? '' : `tier ${tier} with `}isolation ${isolation}${where.filter(Boolean).join('')} (${evidence.join(', ') || 'there is no other place of that kind'}); raise a capacity, or add a cell or server`,
  };
};
