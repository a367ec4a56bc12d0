import type { HostFeed, HostRoute } from '../hosts.ts';
import type { PodRuntime } from '../pod-runtime.ts';
import type { Cluster } from './cluster.ts';
import type { Ingress, Service } from './network-objects.ts';
import { selects } from './objects.ts';
import { isReady, isTerminating, labelsOf, type Pod } from './workloads.ts';

export const podsOf = ({ pods }: Cluster, { metadata, spec }: Service): Pod[] =>
  spec.selector
    ? pods.list(metadata.namespace).filter((pod) => selects({ matchLabels: spec.selector ?? {} }, labelsOf(pod)))
    : [];

/** The service behind path `/` of a host; other paths are the load balancer's matter and there is none on a laptop. */
const servicesOf = ({ spec }: Ingress): { host: string; service: string }[] =>
  (spec.rules ?? []).flatMap(({ host, http }) => {
    const root = http?.paths.find(({ path = '/' }) => path === '/' || path === '/*');
    const service = root?.backend.service?.name;
    return host === undefined || service === undefined ? [] : [{ host: host.toLowerCase(), service }];
  });

/** Keeps the host table to what the Ingress objects of a cluster say. Works on the watched copies alone, so it is synchronous. */
export const feedHosts = (cluster: Cluster, runtime: PodRuntime, feed: HostFeed): void => {
  const { ingresses, services, pods } = cluster;

  const routesOf = (ingress: Ingress): HostRoute[] =>
    servicesOf(ingress).map(({ host, service: name }) => {
      const service = services.get(ingress.metadata.namespace, name);
      const ready = service ? podsOf(cluster, service).filter((pod) => isReady(pod) && !isTerminating(pod)) : [];
      return {
        host,
        created: Date.parse(ingress.metadata.creationTimestamp),
        pods: ready.map(({ metadata }) => ({ uid: metadata.uid, port: () => runtime.port(metadata.uid) })),
      };
    });

  const update = (namespace: string | undefined): void => {
    for (const ingress of ingresses.list(namespace))
      if (!isTerminating(ingress)) feed.set(ingress.metadata.uid, routesOf(ingress));
  };

  ingresses.onChange(({ type, object }) => {
    if (type === 'gone' || isTerminating(object)) feed.set(object.metadata.uid, []);
    else update(object.metadata.namespace);
  });
  services.onChange(({ object }) => update(object.metadata.namespace));
  pods.onChange(({ object }) => update(object.metadata.namespace));
};
