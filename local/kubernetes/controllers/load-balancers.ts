import type { Cluster } from './cluster.ts';
import type { LoadBalancer } from './network-objects.ts';
import { keyOf, splitKey } from './objects.ts';
import { createQueue, type Queue } from './queue.ts';
import { isTerminating } from './workloads.ts';

/** Name of the load balancer that answers for an Ingress or a Service. It is loopback: RFC 6761, section 6.3. */
const hostnameOf = (namespace: string, name: string): string => `${`${namespace}-${name}`.slice(0, 63)}.lb.localhost`;

const statusFor = (key: string): LoadBalancer => {
  const { namespace, name } = splitKey(key);
  return { ingress: [{ hostname: hostnameOf(namespace, name) }] };
};

/** Gives every Ingress and every Service of type LoadBalancer the address of a load balancer. */
export const loadBalancers = ({ ingresses, services, log }: Cluster): Queue[] => {
  const ofIngresses = createQueue({
    name: 'Ingress',
    log,
    reconcile: async (key) => {
      const { namespace, name } = splitKey(key);
      const ingress = ingresses.get(namespace, name);
      if (ingress && !isTerminating(ingress))
        await ingresses.writeStatus(ingress, { ...ingress.status, loadBalancer: statusFor(key) });
      return undefined;
    },
  });
  const ofServices = createQueue({
    name: 'Service',
    log,
    reconcile: async (key) => {
      const { namespace, name } = splitKey(key);
      const service = services.get(namespace, name);
      if (service?.spec.type === 'LoadBalancer' && !isTerminating(service))
        await services.writeStatus(service, { ...service.status, loadBalancer: statusFor(key) });
      return undefined;
    },
  });
  ingresses.onChange(({ object }) => ofIngresses.add(keyOf(object)));
  services.onChange(({ object }) => ofServices.add(keyOf(object)));
  return [ofIngresses, ofServices];
};
