import { monitorKind } from '../../domain/workload/monitor.ts';
import type { KubeObject } from '../../domain/workload/object.ts';
import { routeObject } from '../../domain/workload/route.ts';
import type { World } from '../world.ts';
import { stampSet } from './apply-set.ts';
import type { Cluster } from './cluster.ts';
import { type OwnPlace, ownAppSpec } from './own-app.ts';
import { ownAppObjects } from './own-objects.ts';

/** What a deployment would apply for a tenant's own app now, labelled as its set, and the route that the registry gives it. */
export const todaysObjects = async (
  world: Pick<World, 'registry' | 'ownApps' | 'secrets'>,
  cluster: Cluster,
  placement: OwnPlace,
): Promise<KubeObject[]> => {
  const spec = await ownAppSpec(world, placement, { monitoring: await cluster.has(monitorKind) });
  const { objects } = stampSet(await ownAppObjects(cluster, spec, world.ownApps.chart));
  return [...objects, routeObject(spec)];
};
