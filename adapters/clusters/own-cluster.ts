import type { Placement } from '../registry/placements.ts';
import type { World } from '../world.ts';

/** A cluster that one tenant has for itself, with its stack. */
export interface OwnCluster {
  readonly id: string;
  readonly stack: string;
}

/** The tenant's own cluster at that place; undefined where its app is the shared one, or in a shared cluster. */
export const ownCluster = ({ cluster, tenantId }: Placement): OwnCluster | undefined =>
  cluster?.tenantId === tenantId && cluster.stack !== null ? { id: cluster.id, stack: cluster.stack } : undefined;

/**
 * The same when the place goes: undefined too where the place was never made, and while another place of the tenant is in the
 * cluster, which then stays.
 */
export const ownClusterToRemove = async (
  { registry }: Pick<World, 'registry'>,
  tenantId: string,
  placementId: string | undefined,
): Promise<OwnCluster | undefined> => {
  const placement = await registry.placements.get(tenantId, placementId);
  const own = placement && ownCluster(placement);
  if (!own) return undefined;
  return (await registry.placements.sharedParts(placement)).cluster ? undefined : own;
};
