import { isApiError } from '../api-client.ts';
import type { Cluster } from './cluster.ts';
import { apiVersionOf, type Kind, kinds, pathOf } from './kinds.ts';
import type { Service, ServicePort } from './network-objects.ts';
import { canonical, keyOf, ownedBy, splitKey } from './objects.ts';
import { createQueue, type Queue } from './queue.ts';
import { podsOf } from './routes.ts';
import { isFinished, isReady, isTerminating, labelsOf, type Pod } from './workloads.ts';

const targetOf = ({ metadata }: Pod) => ({
  kind: 'Pod',
  namespace: metadata.namespace,
  name: metadata.name,
  uid: metadata.uid,
});

const addressOf = (pod: Pod) => ({
  ip: pod.status?.podIP ?? '',
  ...(pod.spec.nodeName !== undefined && { nodeName: pod.spec.nodeName }),
  targetRef: targetOf(pod),
});

/** The container port behind a port of the service; undefined when the pod names none so. */
const portOf = ({ port, targetPort = port }: ServicePort, { spec }: Pod): number | undefined =>
  typeof targetPort === 'number'
    ? targetPort
    : spec.containers.flatMap(({ ports }) => ports ?? []).find(({ name }) => name === targetPort)?.containerPort;

const portsOf = ({ spec }: Service, pod: Pod | undefined) =>
  (spec.ports ?? []).flatMap((port) => {
    const number = pod && portOf(port, pod);
    if (number === undefined) return [];
    return [{ ...(port.name !== undefined && { name: port.name }), port: number, protocol: port.protocol ?? 'TCP' }];
  });

/** A rollout changes a service's pods many times in a moment. */
const settle = 50;

/** Writes what stands behind every service with a selector, as Endpoints and as EndpointSlice. */
export const endpoints = (cluster: Cluster): Queue => {
  const { client, services, pods, log } = cluster;
  /** Last written content: neither kind is watched. */
  const written = new Map<string, string>();

  const write = async (kind: Kind, namespace: string, name: string, content: object): Promise<void> => {
    const key = `${kind.plural}/${namespace}/${name}`;
    const text = canonical(content);
    if (written.get(key) === text) return;
    const body = { apiVersion: apiVersionOf(kind), kind: kind.kind, ...content };
    try {
      const path = pathOf(kind, { namespace, name });
      const { metadata } = await client.request<{ metadata: object }>('GET', path);
      await client.request('PUT', path, {
        body: { ...body, metadata: { ...metadata, ...('metadata' in content ? (content.metadata as object) : {}) } },
      });
    } catch (error) {
      if (!isApiError(error, 404)) throw error;
      await client.request('POST', pathOf(kind, { namespace }), { body });
    }
    written.set(key, text);
  };

  const reconcile = async (key: string): Promise<undefined> => {
    const { namespace, name } = splitKey(key);
    const service = services.get(namespace, name);
    if (!service?.spec.selector || isTerminating(service)) return;
    const found = podsOf(cluster, service)
      .filter((pod) => pod.status?.podIP !== undefined && !isFinished(pod))
      .sort((one, other) => (one.metadata.name < other.metadata.name ? -1 : 1));
    const ready = found.filter((pod) => !isTerminating(pod) && (isReady(pod) || service.spec.publishNotReadyAddresses));
    const waiting = found.filter((pod) => !isTerminating(pod) && !ready.includes(pod));
    const ports = portsOf(service, found[0]);
    const labels = labelsOf(service);
    try {
      await write(kinds.endpoints, namespace, name, {
        metadata: {
          name,
          namespace,
          labels: { ...labels, 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' },
        },
        ...(ready.length + waiting.length > 0 && {
          subsets: [
            {
              ...(ready.length > 0 && { addresses: ready.map(addressOf) }),
              ...(waiting.length > 0 && { notReadyAddresses: waiting.map(addressOf) }),
              ...(ports.length > 0 && { ports }),
            },
          ],
        }),
      });
      await write(kinds.endpointSlices, namespace, `${name}-pods`, {
        metadata: {
          name: `${name}-pods`,
          namespace,
          labels: {
            ...labels,
            'kubernetes.io/service-name': name,
            'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
          },
          ownerReferences: [ownedBy(service, kinds.services)],
        },
        addressType: 'IPv4',
        endpoints: found.map((pod) => ({
          addresses: [pod.status?.podIP ?? ''],
          conditions: { ready: ready.includes(pod), serving: isReady(pod), terminating: isTerminating(pod) },
          ...(pod.spec.nodeName !== undefined && { nodeName: pod.spec.nodeName }),
          targetRef: targetOf(pod),
        })),
        ports,
      });
    } catch (error) {
      // 422: a real API server takes no loopback address here, and 127.0.0.1 is where pods of a laptop are.
      if (!isApiError(error, 422)) throw error;
    }
  };

  const queue = createQueue({ name: 'Service endpoints', reconcile, log });
  services.onChange(({ type, object }) => {
    if (type === 'put') {
      queue.add(keyOf(object));
      return;
    }
    const { namespace = '', name } = object.metadata;
    written.delete(`${kinds.endpoints.plural}/${namespace}/${name}`);
    written.delete(`${kinds.endpointSlices.plural}/${namespace}/${name}-pods`);
    client.request('DELETE', pathOf(kinds.endpoints, { namespace, name })).catch((error: unknown) => {
      if (!isApiError(error, 404)) log(`endpoints ${namespace}/${name}: ${String(error)}`);
    });
  });
  pods.onChange(({ object }) => {
    for (const service of services.list(object.metadata.namespace)) queue.addAfter(keyOf(service), settle);
  });
  return queue;
};
