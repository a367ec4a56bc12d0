/** Where a tenant's app runs. */
export type Tier = 'shared' | 'namespace' | 'cluster';

/** Where a tenant's rows live. */
export type Isolation = 'pooled' | 'database' | 'server';

export interface CellLoad {
  readonly id: string;
  readonly region: string;
  /** Tenants that the cell may hold. */
  readonly capacity: number;
  readonly used: number;
  /** A closed cell keeps its tenants and takes no new one. */
  readonly open: boolean;
}

export interface PlacementRequest {
  readonly plan: string;
  /** Preferred region; the placement falls back to another one rather than refuse a customer. */
  readonly region?: string | undefined;
}

export type PlacementDecision =
  | { readonly kind: 'placed'; readonly cell: string; readonly tier: Tier; readonly isolation: Isolation }
  | { readonly kind: 'no-capacity'; readonly reason: string };

/** What each plan buys today; an unknown plan gets the smallest one, so that a new price list never stops a signup. */
export const plans: Readonly<Record<string, { readonly tier: Tier; readonly isolation: Isolation }>> = {
  free: { tier: 'shared', isolation: 'pooled' },
  standard: { tier: 'shared', isolation: 'pooled' },
  premium: { tier: 'shared', isolation: 'pooled' },
};

export const defaultPlan = 'standard';

/**
 * Chooses the cell of a tenant: preferred region first, then the smallest used/capacity, ties by id. Total: any input
 * gives a cell with a free place or `no-capacity` with the numbers that say why. Ratios are compared crosswise, because
 * 1/3 and 333333333/1000000000 differ by less than a double tells apart after division.
 */
export const placeTenant = (request: PlacementRequest, cells: readonly CellLoad[]): PlacementDecision => {
  const { tier, isolation } = (Object.hasOwn(plans, request.plan) && plans[request.plan]) || plans[defaultPlan]!;
  const free = cells.filter((cell) => cell.open && cell.used < cell.capacity);
  const [best] = free.toSorted(
    (a, b) =>
      Number(b.region === request.region) - Number(a.region === request.region) ||
      compareRatio(a, b) ||
      (a.id < b.id ? -1 : 1),
  );
  if (best) return { kind: 'placed', cell: best.id, tier, isolation };
  const evidence = cells
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .map((cell) => `${cell.id} ${cell.used}/${cell.capacity}${cell.open ? '' : ' closed'}`);
  return {
    kind: 'no-capacity',
    reason: `no cell has a free place (${evidence.join(', ') || 'no cell exists'}); raise a capacity or add a cell`,
  };
};

const compareRatio = (a: CellLoad, b: CellLoad): number => {
  const left = BigInt(a.used) * BigInt(b.capacity);
  const right = BigInt(b.used) * BigInt(a.capacity);
  return left < right ? -1 : left > right ? 1 : 0;
};
