import type { Cluster } from '../cluster/cluster.ts';

/** Kinds for which a cluster's controllers make load balancers; a cluster need not know all of them. */
const routes = [
  { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' },
  { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute' },
  { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'Gateway' },
] as const;
const service = { apiVersion: 'v1', kind: 'Service' } as const;

/**
 * Asks for the deletion of every Ingress, route, Gateway and Service of type LoadBalancer in a cluster. Answers those that are still
 * there: a controller takes the load balancer away before it lets the object go. Throws ClusterUnavailable.
 */
export const drain = async (cluster: Cluster): Promise<string[]> => {
  const left: string[] = [];
  const remove = async (kind: (typeof routes)[number] | typeof service, has: (spec: unknown) => boolean) => {
    for (const { metadata, spec } of await cluster.list(kind)) {
      if (!has(spec)) continue;
      const { name, namespace } = metadata;
      left.push(`${kind.kind} ${namespace}/${name}`);
      if (metadata.deletionTimestamp === undefined) await cluster.remove({ ...kind, name, namespace });
    }
  };
  for (const kind of routes) await remove(kind, () => true);
  await remove(service, (spec) => (spec as { type?: string } | undefined)?.type === 'LoadBalancer');
  return left;
};
