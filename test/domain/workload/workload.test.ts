import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type KubeObject, labelNames, objectName } from '../../../domain/workload/object.ts';
import { inOrder, rankOf } from '../../../domain/workload/order.ts';
import { mebibytes, millicores } from '../../../domain/workload/quantity.ts';
import { routeObject } from '../../../domain/workload/route.ts';
import { workloadObjects } from '../../../domain/workload/workload.ts';
import { builtInKinds } from '../../../local/kubernetes/kinds.ts';
import { schemaOf } from '../../../local/kubernetes/schema/models.ts';
import { anyWorkload, aWorkload } from './any-workload.ts';

const seed = Number(process.env.WORKLOAD_SEED ?? Date.now() % 1_000_000);
console.log(`workload properties: WORKLOAD_SEED=${seed}`);

const objectsOf = (spec: ReturnType<typeof aWorkload>): KubeObject[] => [...workloadObjects(spec), routeObject(spec)];

const find = <Spec>(objects: readonly KubeObject[], kind: string): { spec: Spec } & KubeObject =>
  objects.find((object) => object.kind === kind) as never;

const dnsLabel = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const labelText = /^(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/;

interface Deployment {
  readonly replicas?: number;
  readonly selector: { readonly matchLabels: unknown };
  readonly template: { readonly spec: { readonly containers: readonly Readonly<Record<string, unknown>>[] } };
}

test('every object of any tenant is what the published schemas of Kubernetes allow, without a field that they do not know', async () => {
  const schemas = new Map(
    await Promise.all(
      builtInKinds.map(
        async (kind) =>
          [`${kind.group ? `${kind.group}/` : ''}${kind.version} ${kind.kind}`, (await schemaOf(kind))!] as const,
      ),
    ),
  );
  fc.assert(
    fc.property(anyWorkload, (spec) => {
      for (const object of objectsOf(spec)) {
        if (object.kind === 'ServiceMonitor') continue;
        const schema = schemas.get(`${object.apiVersion} ${object.kind}`);
        expect(schema, objectName(object)).toBeDefined();
        expect([schema!.faults(object), schema!.unknownFields(object)], objectName(object)).toEqual([[], []]);
      }
    }),
    { seed, numRuns: 100 },
  );
});

test('names and labels of any tenant are ones that Kubernetes takes, and no two objects share a name', () => {
  fc.assert(
    fc.property(anyWorkload, (spec) => {
      const objects = objectsOf(spec);
      expect(new Set(objects.map(objectName)).size).toBe(objects.length);
      for (const { metadata, kind } of objects) {
        expect(metadata.name).toMatch(dnsLabel);
        expect(metadata.namespace).toBe(kind === 'Namespace' ? undefined : spec.namespace);
        for (const [name, value] of Object.entries(metadata.labels ?? {})) expect(value, name).toMatch(labelText);
        expect(metadata.labels).toMatchObject({
          [labelNames.tenant]: spec.tenant.id,
          [labelNames.managedBy]: 'tenantry',
        });
      }
    }),
    { seed },
  );
});

test('the objects of a tenant speak of no other tenant: not its id, its namespace, its hosts or its password', () => {
  fc.assert(
    fc.property(anyWorkload, fc.constantFrom('zz-other', 'zz-acme2'), (spec, other) => {
      const theirs = aWorkload({}, other);
      const text = JSON.stringify(objectsOf(spec));
      for (const word of [other, theirs.namespace, theirs.route.hosts[0]!, btoa(theirs.database.password)])
        expect(text).not.toContain(word);
      // What selects by namespace may select only where no tenant lives.
      const named = [...text.matchAll(/"kubernetes.io\/metadata.name":"([^"]+)"/g)].map(([, name]) => name!);
      expect(named.filter((name) => name.startsWith('t-'))).toEqual([]);
      expect(text).not.toContain('"namespaceSelector":{}');
    }),
    { seed },
  );
});

test('the password stands in the Secret alone, whatever its characters', () => {
  fc.assert(
    fc.property(anyWorkload, (spec) => {
      const objects = objectsOf(spec);
      const { data } = objects.find(({ kind }) => kind === 'Secret') as unknown as { data: Record<string, string> };
      expect(Buffer.from(data.DATABASE_PASSWORD!, 'base64').toString()).toBe(spec.database.password);
      for (const object of objects.filter(({ kind }) => kind !== 'Secret')) {
        const text = JSON.stringify(object);
        expect(text).not.toContain(JSON.stringify(spec.database.password).slice(1, -1));
        expect(text).not.toContain(data.DATABASE_PASSWORD);
      }
    }),
    { seed },
  );
});

test('the quota of a namespace has room for the busiest app while a rollout adds a pod', () => {
  fc.assert(
    fc.property(anyWorkload, (spec) => {
      const objects = objectsOf(spec);
      const { hard } = find<{ hard: Record<string, string> }>(objects, 'ResourceQuota').spec;
      const scaler = objects.find(({ kind }) => kind === 'HorizontalPodAutoscaler') as
        | { spec: { maxReplicas: number; minReplicas: number } }
        | undefined;
      const most = scaler?.spec.maxReplicas ?? spec.resources.replicas;
      expect(most).toBeGreaterThanOrEqual(spec.resources.replicas);
      expect(Number(hard.pods)).toBeGreaterThan(most);
      const pods = most + 1;
      expect(millicores(hard['requests.cpu']!)).toBeGreaterThanOrEqual(millicores(spec.resources.cpu) * pods);
      expect(mebibytes(hard['limits.memory']!)).toBeGreaterThanOrEqual(mebibytes(spec.resources.memory) * pods);
      expect(hard['services.nodeports']).toBe('0');
      expect(hard.persistentvolumeclaims === '0').toBe(spec.quota.storage === '0Gi');
    }),
    { seed },
  );
});

describe('one pod or several', () => {
  test('an app of one pod says how many it has, and neither an autoscaler nor a budget stands in the way of its node', () => {
    const objects = objectsOf(aWorkload({ resources: { replicas: 1, cpu: '250m', memory: '512Mi' } }));
    expect(find<Deployment>(objects, 'Deployment').spec.replicas).toBe(1);
    expect(objects.map(({ kind }) => kind)).not.toContain('PodDisruptionBudget');
    expect(objects.map(({ kind }) => kind)).not.toContain('HorizontalPodAutoscaler');
  });

  test('an app of several pods leaves their number to its autoscaler', () => {
    const objects = objectsOf(aWorkload());
    expect(find<Deployment>(objects, 'Deployment').spec).not.toHaveProperty('replicas');
    expect(find(objects, 'HorizontalPodAutoscaler').spec).toMatchObject({ minReplicas: 2, maxReplicas: 4 });
    expect(find(objects, 'PodDisruptionBudget').spec).toMatchObject({ maxUnavailable: 1 });
  });
});

test('a selector holds the name of the app alone, so that plan, tier and region may change', () => {
  const before = find<Deployment>(objectsOf(aWorkload()), 'Deployment').spec.selector;
  expect(before).toEqual({ matchLabels: { 'app.kubernetes.io/name': 'app' } });
  const { tenant } = aWorkload();
  const moved = aWorkload({ tenant: { ...tenant, tier: 'cluster', plan: 'enterprise', region: 'us-east-1' } });
  expect(find<Deployment>(objectsOf(moved), 'Deployment').spec.selector).toEqual(before);
});

test('pods of a tenant reach DNS, their namespace, the database and the credentials of AWS, and nothing else', () => {
  const policies = objectsOf(aWorkload()).filter(({ kind }) => kind === 'NetworkPolicy') as unknown as {
    metadata: { name: string };
    spec: { policyTypes: string[]; podSelector: object; egress?: object[]; ingress?: object[] };
  }[];
  const deny = policies.find(({ metadata }) => metadata.name === 'default-deny')!.spec;
  expect(deny).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
  expect(policies.flatMap(({ spec }) => spec.egress ?? [])).toEqual([
    {
      ports: [
        { protocol: 'UDP', port: 53 },
        { protocol: 'TCP', port: 53 },
      ],
    },
    { to: [{ podSelector: {} }] },
    { to: [{ ipBlock: { cidr: '10.0.16.0/20' } }], ports: [{ protocol: 'TCP', port: 5432 }] },
    {
      to: [{ ipBlock: { cidr: '169.254.170.23/32' } }, { ipBlock: { cidr: 'fd00:ec2::23/128' } }],
      ports: [{ protocol: 'TCP', port: 80 }],
    },
  ]);
  expect(policies.flatMap(({ spec }) => spec.ingress ?? [])).toEqual([
    { from: [{ podSelector: {} }] },
    {
      from: [{ ipBlock: { cidr: '10.0.0.0/24' } }, { ipBlock: { cidr: '10.0.1.0/24' } }],
      ports: [{ protocol: 'TCP', port: 8080 }],
    },
  ]);
});

test('without known sources nobody reaches the app, rather than everybody', () => {
  const closed = aWorkload({ network: { databaseCidrs: [], ingress: { cidrs: [] } } });
  const rules = objectsOf(closed)
    .filter(({ metadata }) => ['allow-requests', 'allow-database'].includes(metadata.name))
    .map(({ spec }) => spec as { ingress?: unknown; egress?: unknown });
  expect(rules.map(({ ingress, egress }) => ingress ?? egress)).toEqual([[], []]);
});

test('quota, network and secrets are there before the pods, and the route comes last', () => {
  const groups = inOrder(objectsOf(aWorkload({ monitoring: true }))).map((group) => [
    ...new Set(group.map(({ kind }) => kind)),
  ]);
  expect(groups).toEqual([
    ['Namespace'],
    ['ResourceQuota', 'LimitRange', 'NetworkPolicy', 'ServiceAccount', 'Secret', 'ConfigMap'],
    ['Service'],
    ['Deployment'],
    ['PodDisruptionBudget', 'HorizontalPodAutoscaler', 'ServiceMonitor'],
    ['Ingress'],
  ]);
  expect(rankOf('Widget')).toBe(rankOf('Deployment'));
});

test('both hosts of a tenant lead to its app, over TLS where a certificate is known', () => {
  const route = { hosts: ['acme.example.com', 'chat.acme.com'], ingressClass: 'alb', certificateArn: 'arn:aws:acm:x' };
  const ingress = routeObject(aWorkload({ route }));
  const { rules } = ingress.spec as { rules: { host: string; http: { paths: { backend: unknown }[] } }[] };
  expect(rules.map(({ host }) => host)).toEqual(route.hosts);
  expect(rules[0]!.http.paths[0]!.backend).toEqual({ service: { name: 'app', port: { name: 'http' } } });
  expect(ingress.metadata.annotations).toMatchObject({
    'alb.ingress.kubernetes.io/certificate-arn': 'arn:aws:acm:x',
    'alb.ingress.kubernetes.io/listen-ports': '[{"HTTP":80},{"HTTPS":443}]',
  });
  const other = routeObject(aWorkload({ route: { ...route, ingressClass: 'nginx' } }));
  expect(other.metadata.annotations).toBeUndefined();
});

test('the app is told a domain that is not proved yet, and nothing leads there', () => {
  const route = { hosts: ['acme.example.com'], customDomain: 'chat.acme.com', ingressClass: 'alb' };
  const told = (workload: ReturnType<typeof aWorkload>) =>
    objectsOf(workload).find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'app')!.data;
  expect(told(aWorkload({ route }))).toMatchObject({ TENANTRY_HOSTS: 'acme.example.com,chat.acme.com' });
  expect(JSON.stringify(routeObject(aWorkload({ route })))).not.toContain('chat.acme.com');
  const proved = aWorkload({ route: { ...route, hosts: [...route.hosts, 'chat.acme.com'] } });
  expect(told(proved)).toEqual(told(aWorkload({ route })));
});

test('people of a tenant may look, in their namespace alone, and never at its secrets', () => {
  const [role, binding] = objectsOf(aWorkload({ staffGroup: 'acme-staff' })).filter(({ kind }) => /^Role/.test(kind));
  const rules = role!.rules as { resources: string[]; verbs: string[] }[];
  expect(rules.flatMap(({ verbs }) => verbs)).not.toContain('create');
  expect(rules.flatMap(({ resources }) => resources)).not.toContain('secrets');
  expect(binding).toMatchObject({ kind: 'RoleBinding', subjects: [{ kind: 'Group', name: 'acme-staff' }] });
  expect(objectsOf(aWorkload()).filter(({ kind }) => /^Role/.test(kind))).toEqual([]);
});

test('a size that Kubernetes would read differently is refused', () => {
  expect(() => millicores('250')).not.toThrow();
  for (const text of ['250mm', '1,5', '-1', '']) expect(() => millicores(text)).toThrow(`cpu ${text}`);
  for (const text of ['512', '512M', '1.5Gi', '']) expect(() => mebibytes(text)).toThrow(`memory ${text}`);
});
