import { mkdtemp, rm } from 'node:fs/promises';
import { BlockList } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, openClusterWith } from '../../adapters/cluster/cluster.ts';
import type { KubeObject } from '../../domain/workload/object.ts';
import { routeObject } from '../../domain/workload/route.ts';
import { containerPort } from '../../domain/workload/spec.ts';
import { workloadObjects } from '../../domain/workload/workload.ts';
import { type ApiClient, isApiError, openApiClient } from '../../local/kubernetes/api-client.ts';
import { type ControlPlanes, startControlPlanes } from '../../local/kubernetes/control-planes.ts';
import { aWorkload } from '../domain/workload/any-workload.ts';

/** Names that begin with each other are the ones that a careless comparison takes for the same. */
const tenants = ['acme', 'acme-2', 'acme2', 'globex', 'initech', 'umbrella'].map((id, index) => {
  const end = `${index}a${index}b${index}c`;
  const base = aWorkload();
  const spec = {
    ...base,
    tenant: { ...base.tenant, id, name: `Company ${end}` },
    namespace: `t-${id}-${end}`,
    route: { ...base.route, hosts: [`${id}.apps.example`, `chat-${end}.example`] },
    database: { host: '10.2.0.9', port: 5432, name: `d_${end}`, user: `u_${end}`, password: `secret-${end}` },
    network: { databaseCidrs: ['10.2.0.0/16'], ingress: { cidrs: ['10.1.0.0/16'] } },
    secrets: { SESSION: `session-${end}` },
    staffGroup: `staff-${end}`,
  };
  return { id, end, spec, namespace: spec.namespace, address: `10.0.${index}.7` };
});

type Tenant = (typeof tenants)[number];

/** Every two tenants that are not the same, in both orders. */
const pairs = tenants.flatMap((one) => tenants.filter((other) => other !== one).map((other) => [one, other] as const));

let directory: string;
let planes: ControlPlanes;
let cluster: Cluster;
const clients: ApiClient[] = [];

/** Somebody of a tenant, as the API's authenticator would name them; the token says who. */
const identityOf = (token: string) => {
  const [kind, name] = token.split('.') as [string, string];
  if (kind === 'pod')
    return {
      username: `system:serviceaccount:${name}:app`,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${name}`, 'system:authenticated'],
    };
  return { username: `person-of-${name}`, groups: [name, 'system:authenticated'] };
};

const as = (token: string): ApiClient => {
  const client = openApiClient({
    server: planes.endpoint('shared'),
    token,
    certificateAuthority: planes.certificateAuthority,
  });
  clients.push(client);
  return client;
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tenantry-isolation-'));
  planes = await startControlPlanes({
    directory,
    authenticate: async (_, token) => identityOf(token),
    log: () => undefined,
  });
  planes.create('shared');
  cluster = openClusterWith(
    { name: 'shared', endpoint: planes.endpoint('shared'), certificateAuthority: planes.certificateAuthority },
    { current: async () => planes.adminToken('shared'), forget: () => undefined },
  );
  for (const { spec } of tenants) {
    await cluster.applySet(workloadObjects(spec));
    await cluster.apply([routeObject(spec)]);
  }
});
afterAll(async () => {
  for (const client of clients) client.close();
  cluster?.close();
  await planes?.close();
  await rm(directory, { recursive: true, force: true });
});

interface Peer {
  readonly podSelector?: { readonly matchLabels?: Record<string, string> };
  readonly namespaceSelector?: { readonly matchLabels?: Record<string, string> };
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}

interface Rule {
  readonly from?: readonly Peer[];
  readonly to?: readonly Peer[];
  readonly ports?: readonly { readonly port?: number; readonly protocol?: string }[];
}

interface Policy {
  readonly podSelector: { readonly matchLabels?: Record<string, string> };
  readonly policyTypes: readonly ('Ingress' | 'Egress')[];
  readonly ingress?: readonly Rule[];
  readonly egress?: readonly Rule[];
}

/** An end of a connection: a pod of a namespace, or an address of somebody who is no pod. */
interface End {
  readonly address: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

const podOf = ({ namespace, address }: Tenant): End => ({
  namespace,
  address,
  labels: { 'app.kubernetes.io/name': 'app' },
});

const selects = (selector: { matchLabels?: Record<string, string> }, labels: Readonly<Record<string, string>> = {}) =>
  Object.entries(selector.matchLabels ?? {}).every(([name, value]) => labels[name] === value);

const holds = (cidr: string, address: string): boolean => {
  if (cidr.includes(':') !== address.includes(':')) return false;
  const list = new BlockList();
  const [network, prefix] = cidr.split('/') as [string, string];
  list.addSubnet(network, Number(prefix), cidr.includes(':') ? 'ipv6' : 'ipv4');
  return list.check(address, address.includes(':') ? 'ipv6' : 'ipv4');
};

/** NetworkPolicyPeer of the Kubernetes API: a selector of pods alone is about the policy's own namespace. */
const meets = (peer: Peer, home: string, end: End): boolean => {
  if (peer.ipBlock)
    return (
      holds(peer.ipBlock.cidr, end.address) && !(peer.ipBlock.except ?? []).some((cidr) => holds(cidr, end.address))
    );
  if (end.namespace === undefined) return false;
  const inNamespace = peer.namespaceSelector
    ? selects(peer.namespaceSelector, { 'kubernetes.io/metadata.name': end.namespace })
    : end.namespace === home;
  return inNamespace && selects(peer.podSelector ?? {}, end.labels);
};

/** Whether the policies of the pod's namespace let it talk to the other end, or be talked to. */
const lets = async (pod: End, other: End, port: number, direction: 'Ingress' | 'Egress'): Promise<boolean> => {
  if (pod.namespace === undefined) return true;
  const found = await cluster.list(
    { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' },
    { namespace: pod.namespace },
  );
  const policies = found
    .map(({ spec }) => spec as Policy)
    .filter(({ podSelector, policyTypes }) => policyTypes.includes(direction) && selects(podSelector, pod.labels));
  // A pod that no policy selects is open.
  if (policies.length === 0) return true;
  const rules = policies.flatMap(({ ingress = [], egress = [] }) => (direction === 'Ingress' ? ingress : egress));
  return rules.some((rule) => {
    const peers = (direction === 'Ingress' ? rule.from : rule.to) ?? [];
    const reaches = peers.length === 0 || peers.some((peer) => meets(peer, pod.namespace!, other));
    const ports = rule.ports ?? [];
    return reaches && (ports.length === 0 || ports.some((one) => one.port === undefined || one.port === port));
  });
};

const connects = async (from: End, to: End, port: number): Promise<boolean> =>
  (await lets(from, to, port, 'Egress')) && (await lets(to, from, port, 'Ingress'));

describe('the network', () => {
  test.each(pairs.map(([one, other]) => [one.id, other.id, one, other] as const))(
    'lets nothing from %s reach %s',
    async (_, __, one, other) => {
      // A pod without labels, as somebody may start one by hand, is fenced in like the app's.
      for (const port of [53, 80, 443, 5432, containerPort])
        for (const from of [podOf(one), { ...podOf(one), labels: {} }])
          for (const to of [podOf(other), { ...podOf(other), labels: {} }])
            expect(await connects(from, to, port), `port ${port}`).toBe(false);
      // Not even a pod that has got an address among those of the load balancers.
      expect(await connects({ ...podOf(one), address: '10.1.0.7' }, podOf(other), containerPort)).toBe(false);
    },
  );

  test.each(tenants.map((one) => [one.id, one] as const))('lets %s do its work, and no more', async (_, one) => {
    const pod = podOf(one);
    expect(await connects({ address: '10.1.4.4' }, pod, containerPort)).toBe(true);
    expect(await connects({ address: '10.9.9.9' }, pod, containerPort)).toBe(false);
    expect(await connects({ address: '10.1.4.4' }, pod, 22)).toBe(false);
    expect(await connects(pod, { address: '10.2.0.9' }, 5432)).toBe(true);
    expect(await connects(pod, { address: '10.2.0.9' }, 22)).toBe(false);
    expect(await connects(pod, { ...pod, address: '10.0.99.1' }, containerPort)).toBe(true);
    // The node's own role (IMDS) stays out of reach; the pod's comes from the agent beside it.
    expect(await connects(pod, { address: '169.254.169.254' }, 80)).toBe(false);
    expect(await connects(pod, { address: '169.254.170.23' }, 80)).toBe(true);
  });
});

interface Review {
  readonly status: { readonly allowed: boolean };
}

const resources = ['secrets', 'configmaps', 'pods', 'services', 'serviceaccounts', 'events'] as const;

const may = async (client: ApiClient, verb: string, resource: string, namespace: string): Promise<boolean> => {
  const body = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: { verb, resource, namespace } },
  };
  const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  return (await client.request<Review>('POST', path, { body })).status.allowed;
};

describe('the Kubernetes API', () => {
  test.each(tenants.map((one) => [one.id, one] as const))(
    'gives the pods of %s nothing, in any namespace',
    async (_, one) => {
      const pod = as(`pod.${one.namespace}`);
      for (const { namespace } of tenants)
        for (const resource of resources)
          for (const verb of ['get', 'list', 'create', 'delete'])
            expect(await may(pod, verb, resource, namespace), `${verb} ${resource} in ${namespace}`).toBe(false);
      for (const other of tenants)
        await expect(pod.request('GET', `/api/v1/namespaces/${other.namespace}/secrets/db`)).rejects.toSatisfy(
          (error) => isApiError(error, 403),
        );
    },
  );

  test.each(tenants.map((one) => [one.id, one] as const))(
    'gives the people of %s a look into their own namespace alone, never at secrets',
    async (_, one) => {
      const person = as(`person.${one.spec.staffGroup}`);
      expect(await may(person, 'list', 'pods', one.namespace)).toBe(true);
      expect(await may(person, 'get', 'secrets', one.namespace)).toBe(false);
      expect(await may(person, 'delete', 'pods', one.namespace)).toBe(false);
      for (const other of tenants.filter(({ id }) => id !== one.id))
        for (const resource of resources)
          expect(await may(person, 'list', resource, other.namespace), `${resource} of ${other.id}`).toBe(false);
      await expect(person.request('GET', '/api/v1/pods')).rejects.toSatisfy((error) => isApiError(error, 403));
    },
  );
});

/** Everything in the namespace as text, secrets decoded. */
const textOf = async (namespace: string): Promise<string> => {
  const found: KubeObject[] = [];
  for (const kind of await cluster.kinds())
    if (kind.namespaced) found.push(...(await cluster.list(kind, { namespace })));
  const secrets = found.filter(({ kind }) => kind === 'Secret');
  const decoded = secrets.flatMap(({ data = {} }) =>
    Object.values(data as Record<string, string>).map((value) => Buffer.from(value, 'base64').toString()),
  );
  expect(decoded.length).toBeGreaterThan(0);
  return [JSON.stringify(found), ...decoded].join('\n');
};

test('no object of one tenant names another one: not its database, not its secrets, not its hosts', async () => {
  for (const one of tenants) {
    const text = await textOf(one.namespace);
    expect(text).toContain(`secret-${one.end}`);
    for (const other of tenants.filter(({ id }) => id !== one.id)) {
      expect(text).not.toContain(other.end);
      expect(text).not.toMatch(new RegExp(`(?<![\\w-])${other.id}(?![\\w-])`));
    }
  }
});
