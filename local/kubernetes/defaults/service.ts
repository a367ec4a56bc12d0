import type { V1ServiceSpec } from '@kubernetes/client-node';
import type { ClusterObjects } from '../cluster-objects.ts';
import { serviceKind } from '../kinds.ts';
import type { KubeObject } from '../object.ts';

/** EKS's service range of a VPC in 10.0.0.0/8. */
const network = '172.20';
const hostsPerNetwork = 254 * 254;

const addressAt = (index: number): string => `${network}.${1 + Math.floor(index / 254)}.${1 + (index % 254)}`;

const hash = (text: string): number => [...text].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7);

/** A free address of the cluster, found by the service's own name first: the same name gets the same one where it can. */
const freeAddress = (object: KubeObject, objects: ClusterObjects): string => {
  const taken = new Set(objects.list(serviceKind).map(({ spec }) => (spec as V1ServiceSpec).clusterIP));
  const start = hash(`${object.metadata.namespace}/${object.metadata.name}`);
  for (let step = 0; step < hostsPerNetwork; step++) {
    const address = addressAt((start + step) % hostsPerNetwork);
    if (!taken.has(address)) return address;
  }
  throw new Error(`no free address in ${network}.0.0/16`);
};

/** Source: k8s.io/kubernetes pkg/apis/core/v1/defaults.go; an update keeps the addresses that it leaves out. */
export const defaultService = (object: KubeObject, before: KubeObject | undefined, objects: ClusterObjects): void => {
  const spec = object.spec as V1ServiceSpec;
  const earlier = before?.spec as V1ServiceSpec | undefined;
  spec.type ??= 'ClusterIP';
  spec.sessionAffinity ??= 'None';
  for (const port of spec.ports ?? []) {
    port.protocol ??= 'TCP';
    port.targetPort ??= port.port;
  }
  if (!object.status) object.status = { loadBalancer: {} };
  if (spec.type === 'ExternalName') return;
  spec.internalTrafficPolicy ??= 'Cluster';
  spec.ipFamilies ??= ['IPv4'];
  spec.ipFamilyPolicy ??= 'SingleStack';
  spec.clusterIP = spec.clusterIP || earlier?.clusterIP || freeAddress(object, objects);
  spec.clusterIPs ??= [spec.clusterIP];
  if (spec.type === 'LoadBalancer') {
    spec.externalTrafficPolicy ??= 'Cluster';
    spec.allocateLoadBalancerNodePorts ??= true;
  }
};
