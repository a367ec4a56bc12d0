import fc from 'fast-check';
import { slugProblem } from '../../../domain/tenant.ts';
import type { WorkloadSpec } from '../../../domain/workload/spec.ts';

export const aWorkload = (more: Partial<WorkloadSpec> = {}, id = 'acme'): WorkloadSpec => ({
  tenant: { id, name: `The ${id} company`, tier: 'namespace', region: 'eu-central-1', plan: 'pro' },
  namespace: `t-${id}`,
  image: 'registry.example.com/chat:1.4.0',
  resources: { replicas: 2, cpu: '500m', memory: '1Gi' },
  quota: { pods: 8, storage: '10Gi', loadBalancers: 0 },
  route: { hosts: [`${id}.example.com`], ingressClass: 'alb' },
  database: { host: 'pool.example.com', port: 5432, name: `t_${id}`, user: `t_${id}`, password: `secret of ${id}` },
  network: { databaseCidrs: ['10.0.16.0/20'], ingress: { cidrs: ['10.0.0.0/24', '10.0.1.0/24'] } },
  monitoring: false,
  ...more,
});

const slug = fc.stringMatching(/^[a-z][a-z0-9-]{1,39}$/).filter((text) => slugProblem(text) === undefined);

/** Specifications as the registry may hold them: plans, regions and names in every form that signing up takes. */
export const anyWorkload: fc.Arbitrary<WorkloadSpec> = fc
  .record({
    id: slug,
    name: fc.option(fc.string({ minLength: 1, maxLength: 200 }), { nil: undefined }),
    tier: fc.constantFrom('namespace' as const, 'cluster' as const),
    region: fc.stringMatching(/^[a-z0-9-]{1,40}$/),
    plan: fc.stringMatching(/^[a-z][a-z0-9-]{0,39}$/),
    replicas: fc.integer({ min: 1, max: 20 }),
    cpu: fc.oneof(
      fc.integer({ min: 1, max: 8_000 }).map((n) => `${n}m`),
      fc.constantFrom('1', '2', '0.5', '1.25'),
    ),
    memory: fc.oneof(
      fc.integer({ min: 1, max: 65_536 }).map((n) => `${n}Mi`),
      fc.integer({ min: 1, max: 64 }).map((n) => `${n}Gi`),
    ),
    spare: fc.nat({ max: 30 }),
    storage: fc.constantFrom('0Gi', '1Gi', '500Mi'),
    loadBalancers: fc.nat({ max: 2 }),
    custom: fc.option(fc.constant('chat.customer.example'), { nil: undefined }),
    ingressClass: fc.constantFrom('alb', 'nginx', 'tenantry'),
    certificateArn: fc.option(fc.constant('arn:aws:acm:eu-central-1:123456789012:certificate/4f1c'), {
      nil: undefined,
    }),
    port: fc.integer({ min: 1, max: 65_535 }),
    user: fc.string({ minLength: 1, maxLength: 63 }),
    password: fc.string({ minLength: 24, maxLength: 40, unit: 'binary' }),
    databaseCidrs: fc.array(
      fc.ipV4().map((ip) => `${ip}/32`),
      { maxLength: 3 },
    ),
    ingress: fc.oneof(
      fc.record({
        cidrs: fc.array(
          fc.ipV4().map((ip) => `${ip}/32`),
          { maxLength: 3 },
        ),
      }),
      fc.record({ namespace: fc.constantFrom('gateway', 'ingress-system') }),
    ),
    monitoring: fc.boolean(),
    environment: fc.option(fc.constant({ PGSSLMODE: 'verify-full' }), { nil: undefined }),
    staffGroup: fc.option(fc.constantFrom('customers', 'oidc:staff'), { nil: undefined }),
  })
  .map((any) => ({
    tenant: { id: any.id, name: any.name, tier: any.tier, region: any.region, plan: any.plan },
    namespace: `t-${any.id}`,
    image: 'registry.example.com/chat:1.4.0',
    resources: { replicas: any.replicas, cpu: any.cpu, memory: any.memory },
    quota: { pods: any.replicas * 2 + any.spare, storage: any.storage, loadBalancers: any.loadBalancers },
    route: {
      hosts: [`${any.id}.example.com`, ...(any.custom === undefined ? [] : [any.custom])],
      customDomain: any.custom,
      ingressClass: any.ingressClass,
      certificateArn: any.certificateArn,
    },
    database: {
      host: 'pool.example.com',
      port: any.port,
      name: `t_${any.id.replaceAll('-', '_')}`,
      user: any.user,
      password: any.password,
    },
    network: { databaseCidrs: any.databaseCidrs, ingress: any.ingress },
    monitoring: any.monitoring,
    environment: any.environment,
    staffGroup: any.staffGroup,
  }));
