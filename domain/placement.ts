import { planNamed } from './plans.ts';

/** Where a tenant's app runs. */
export type Tier = 'shared' | 'namespace' | 'cluster';

export const isolations = ['pooled', 'database', 'server'] as const;

/** Where a tenant's rows live. */
export type Isolation = (typeof isolations)[number];

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

export interface PlacementRequest {
  readonly plan: string;
  /** Preferred region; the placement falls back to another one rather than refuse a customer. */
  readonly region?: string | undefined;
  /** Overrides what the plan gives. */
  readonly isolation?: Isolation | undefined;
  /** Exactly this cell, for a move by hand. */
  readonly cell?: string | undefined;
  /** Exactly this shared server, for isolation `database`. */
  readonly server?: string | undefined;
  /** Where the tenant is now: a move goes somewhere else. Pools are named by their cell. */
  readonly from?: { readonly cell: string; readonly isolation: Isolation; readonly server?: string } | undefined;
}

export type PlacementDecision =
  | {
      readonly kind: 'placed';
      readonly cell: string;
      readonly tier: Tier;
      readonly isolation: Isolation;
      /** The shared server of isolation `database`. */
      readonly server?: string;
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
  { cell: wanted, server, from }: PlacementRequest,
  isolation: Isolation,
  cells: readonly CellLoad[],
  servers: readonly ServerLoad[],
): readonly Candidate[] => {
  const asked = cells.filter(({ id }) => wanted === undefined || id === wanted);
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

/** Ratios are compared crosswise: 1/3 and 333333333/1000000000 differ by less than a double tells apart after division. */
const compareRatio = (a: Candidate, b: Candidate): number => {
  const left = BigInt(a.used) * BigInt(b.capacity);
  const right = BigInt(b.used) * BigInt(a.capacity);
  return left < right ? -1 : left > right ? 1 : 0;
};

/**
 * Chooses where a tenant's rows go: preferred region first, then the smallest used/capacity, ties by id. Total: any input
 * gives a place with room or `no-capacity` with the numbers that say why.
 */
export const placeTenant = (
  request: PlacementRequest,
  cells: readonly CellLoad[],
  servers: readonly ServerLoad[] = [],
): PlacementDecision => {
  const isolation = request.isolation ?? planNamed(request.plan).isolation;
  const all = candidates(request, isolation, cells, servers);
  const [best] = all
    .filter(({ open, used, capacity }) => open && used < capacity)
    .toSorted(
      (a, b) =>
        Number(b.region === request.region) - Number(a.region === request.region) ||
        compareRatio(a, b) ||
        (a.name < b.name ? -1 : 1),
    );
  if (best) {
    const { cell, server } = best;
    return { kind: 'placed', cell, tier: 'shared', isolation, ...(server === undefined ? {} : { server }) };
  }
  const evidence = all
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, used, capacity, open }) => `${name} ${used}/${capacity}${open ? '' : ' closed'}`);
  const where = [request.cell && ` in cell ${request.cell}`, request.server && ` on server ${request.server}`];
  return {
    kind: 'no-capacity',
    reason: `no free place for isolation ${isolation}${where.filter(Boolean).join('')} (${evidence.join(', ') || 'there is no other place of that kind'}); raise a capacity, or add a cell or server`,
  };
};
