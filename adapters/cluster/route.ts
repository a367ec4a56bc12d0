import type { KubeObject } from '../../domain/workload/object.ts';
import { routeObject } from '../../domain/workload/route.ts';
import { appName } from '../../domain/workload/spec.ts';
import type { Placement } from '../registry/placements.ts';
import type { World } from '../world.ts';
import type { Cluster } from './cluster.ts';
import { deletedSince } from './look.ts';
import { hasOwnApp, routeSpec } from './own-app.ts';

const ingress = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: appName } as const;

type Reached = Pick<World, 'registry' | 'ownApps' | 'cluster' | 'findCluster'>;

/** Sends the tenant's hosts to one place and away from another; a repeat changes nothing. */
export interface RouteSwitch {
  /** Applies the route at the new place, then removes it at the old one: at no moment has the tenant none. */
  go(): Promise<void>;
}

interface Side {
  readonly put: () => Promise<unknown>;
  readonly take: () => Promise<void>;
}

/** `open` answers undefined for a cluster that is gone: with it went the route. */
const sideOf = async (
  world: Reached,
  placement: Placement | undefined,
  open: World['findCluster'],
): Promise<Side | undefined> => {
  if (!placement || !hasOwnApp(placement)) return undefined;
  const { namespace } = placement;
  const cluster = await open(placement.cluster.id);
  if (!cluster) return undefined;
  const route = routeObject(await routeSpec(world, placement));
  // Opens the connection and signs the token: a handshake takes longer than the two requests of the switch.
  await cluster.get({ ...ingress, namespace });
  return { put: () => cluster.apply([route]), take: () => cluster.remove({ ...ingress, namespace }) };
};

/**
 * Everything that a switch needs, read and connected beforehand: inside a cut-over `go` costs two requests. A place of tier
 * `shared`, and none, has no route of its own: what no cluster routes goes to the shared app.
 */
export const prepareRouteSwitch = async (
  world: Reached,
  { from, to }: { readonly from?: Placement | undefined; readonly to?: Placement | undefined },
): Promise<RouteSwitch> => {
  const [left, entered] = await Promise.all([
    sideOf(world, from, (name) => world.findCluster(name)),
    sideOf(world, to, (name) => world.cluster(name)),
  ]);
  return {
    go: async () => {
      await entered?.put();
      await left?.take();
    },
  };
};

/** The same at once, for a step that is in no hurry: a signup's first route, the way back, the end of a place. */
export const switchRoute = async (
  world: Reached,
  places: { readonly from?: Placement | undefined; readonly to?: Placement | undefined },
): Promise<void> => (await prepareRouteSwitch(world, places)).go();

/** The routes and load balancers of a namespace: what controllers outside it have to clean up after. */
const routesIn = async (cluster: Cluster, namespace: string): Promise<KubeObject[]> => {
  const [ingresses, services] = await Promise.all([
    cluster.list({ apiVersion: ingress.apiVersion, kind: ingress.kind }, { namespace }),
    cluster.list({ apiVersion: 'v1', kind: 'Service' }, { namespace }),
  ]);
  const isBalancer = ({ spec }: KubeObject): boolean =>
    (spec as { type?: string } | undefined)?.type === 'LoadBalancer';
  return [...ingresses, ...services.filter(isBalancer)];
};

/** Asks for the removal of the routes and load balancers of a namespace. */
export const removeRoutes = async (cluster: Cluster, namespace: string): Promise<void> => {
  for (const { apiVersion, kind, metadata } of await routesIn(cluster, namespace))
    await cluster.remove({ apiVersion, kind, namespace, name: metadata.name });
};

/** Names of the routes and load balancers that are still in a namespace, with the finalizers that hold them and since when. */
export const remainingRoutes = async (
  cluster: Cluster,
  namespace: string,
): Promise<{ names: string[]; since: Date | undefined }> => {
  const objects = await routesIn(cluster, namespace);
  const names = objects.map(({ kind, metadata }) => {
    const finalizers = (metadata.finalizers ?? []) as string[];
    return `${kind} ${metadata.name}${finalizers.length > 0 ? ` (held by ${finalizers.join(', ')})` : ''}`;
  });
  return { names, since: deletedSince(objects) };
};
