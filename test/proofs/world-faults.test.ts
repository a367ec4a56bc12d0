import {
  AssociateAccessPolicyCommand,
  CreateAccessEntryCommand,
  DeleteAccessEntryCommand,
  EKSClient,
} from '@aws-sdk/client-eks';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { functionName } from '../../domain/deployment.ts';
import type { StepName } from '../../domain/workflows.ts';
import { clusterRoleArn, sharedCluster } from '../../local/deploy/clusters.ts';
import type { FunctionInvoker } from '../../local/ports.ts';
import { until } from '../cloud.ts';
import { estateFindings, thingsOf } from '../estate.ts';
import { expectServed, offboard, openTierWorld, signUp, type TierWorld } from '../journeys/tier-life.ts';

/** What happens in the world right before the step of a tenant is called for the first time. */
const before = new Map<string, () => Promise<void>>();

const interpose = (functions: FunctionInvoker): FunctionInvoker => ({
  invoke: async (functionArn, payload, options) => {
    const { tenantId } = JSON.parse(payload) as { tenantId?: string };
    const name = `${tenantId} ${functionArn.split(':')[6]}`;
    const happens = before.get(name);
    before.delete(name);
    await happens?.();
    return functions.invoke(functionArn, payload, options);
  },
});

const beforeStep = (tenantId: string, step: StepName, happens: () => Promise<void>): void => {
  before.set(`${tenantId} ${functionName(step)}`, happens);
};

// A stack that fails is waited for until it is rolled back, and the machine looks twice a minute.
vi.setConfig({ testTimeout: 240_000 });

let world: TierWorld;

beforeAll(async () => {
  // Two tenants' networks fit, and the addresses of one.
  world = await openTierWorld({ interpose, stackQuotas: { vpcs: 2, addresses: 1 } });
});
afterAll(() => world?.close());

const namespace = { tier: 'namespace', isolation: 'pooled' } as const;
const cluster = { tier: 'cluster', isolation: 'pooled' } as const;

const placeOf = async (tenantId: string): Promise<{ cluster: string; namespace: string }> =>
  (
    await world.control.query<{ cluster: string; namespace: string }>(
      'SELECT cluster_id AS cluster, namespace FROM placements WHERE tenant_id = $1 AND namespace IS NOT NULL',
      [tenantId],
    )
  ).rows[0]!;

/** The signup fails with that reason on its record and leaves nothing; the next one of the same name stands. */
const failsThenSucceeds = async (tenantId: string, home: object, reason: RegExp, mend: () => Promise<void>) => {
  const failed = await world.laptop.run('provision-tenant', { tenantId, plan: 'enterprise', ...home });
  expect(failed.status).toBe('FAILED');
  expect(failed.cause).toMatch(reason);
  const { rows } = await world.control.query<{ reason: string }>(
    "SELECT reason FROM operations WHERE tenant_id = $1 AND status = 'failed'",
    [tenantId],
  );
  expect(rows).toEqual([{ reason: expect.stringMatching(reason) }]);
  expect(await thingsOf(world.estate, world.control, tenantId)).toEqual([]);
  expect(await estateFindings(world.estate, world.control)).toEqual([]);
  await mend();
  await world.run('provision-tenant', { tenantId, plan: 'enterprise', ...home });
  await expectServed(world, tenantId);
  await offboard(world, tenantId);
};

describe('a signup that the world does not let through', () => {
  test('because its stack fails half-way is told which resource, and CloudFormation has taken the rest back', async () => {
    await signUp(world, 'first', cluster);
    await failsThenSucceeds('second', cluster, /AWS::EC2::EIP|address/i, () => offboard(world, 'first'));
  });

  test('because its image is nowhere is told so in the words of the kubelet', async () => {
    beforeStep('initech', 'AwaitWorkload', async () => {
      const { cluster: name, namespace: own } = await placeOf('initech');
      const apps = await world.estate.cluster(name);
      const deployment = await apps.get({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: own, name: 'app' });
      const [container] = (deployment!.spec as { template: { spec: { containers: { name: string }[] } } }).template.spec
        .containers;
      await apps.apply(
        [
          {
            apiVersion: 'apps/v1',
            kind: 'Deployment',
            metadata: { name: 'app', namespace: own },
            spec: {
              progressDeadlineSeconds: 2,
              template: { spec: { containers: [{ name: container!.name, image: 'tenantry-app:missing' }] } },
            },
          },
        ],
        { fieldManager: 'saboteur' },
      );
    });
    await failsThenSucceeds(
      'initech',
      namespace,
      /ProgressDeadlineExceeded.*tenantry-app:missing/s,
      async () => undefined,
    );
  });

  test('because its app never answers its probe is told so when the deadline has passed', async () => {
    beforeStep('umbrella', 'AwaitWorkload', async () => {
      const { cluster: name, namespace: own } = await placeOf('umbrella');
      const apps = await world.estate.cluster(name);
      const deployment = await apps.get({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: own, name: 'app' });
      const [container] = (deployment!.spec as { template: { spec: { containers: { name: string }[] } } }).template.spec
        .containers;
      const readinessProbe = { httpGet: { path: '/nowhere', port: 8080 }, periodSeconds: 1, failureThreshold: 1 };
      await apps.apply(
        [
          {
            apiVersion: 'apps/v1',
            kind: 'Deployment',
            metadata: { name: 'app', namespace: own },
            spec: {
              progressDeadlineSeconds: 3,
              template: { spec: { containers: [{ name: container!.name, readinessProbe }] } },
            },
          },
        ],
        { fieldManager: 'saboteur' },
      );
    });
    await failsThenSucceeds('umbrella', namespace, /ProgressDeadlineExceeded/, async () => undefined);
  });

  test('because the quota of its namespace has no room is told which one', async () => {
    beforeStep('hooli', 'DeployWorkload', async () => {
      const { cluster: name, namespace: own } = await placeOf('hooli');
      await (await world.estate.cluster(name)).apply([
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name: own, labels: { 'tenantry.dev/tenant': 'hooli' } } },
        {
          apiVersion: 'v1',
          kind: 'ResourceQuota',
          metadata: { name: 'tight', namespace: own },
          spec: { hard: { pods: '0' } },
        },
      ]);
    });
    await failsThenSucceeds('hooli', namespace, /exceeded quota: tight/, async () => undefined);
  });
});

test('a tenant whose namespace is held goes when nobody holds it any more, and waits until then', async () => {
  await signUp(world, 'stark', namespace);
  const { cluster: name, namespace: own } = await placeOf('stark');
  const apps = await world.estate.cluster(name);
  const held = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'held', namespace: own } };
  const hold = (finalizers: string[]) => apps.apply([{ ...held, metadata: { ...held.metadata, finalizers } }]);
  await hold(['example.com/hold']);
  const leaving = await world.laptop.start('deprovision-tenant', { tenantId: 'stark', graceSeconds: 0 });
  const status = await until('the namespace says what holds it', async () => {
    const found = await apps.get({ apiVersion: 'v1', kind: 'Namespace', name: own });
    const text = JSON.stringify(found?.status ?? {});
    return text.includes('example.com/hold') ? text : undefined;
  });
  expect(status).toContain('NamespaceFinalizersRemaining');
  await hold([]);
  const left = await world.laptop.ended(leaving);
  expect(left.status, left.cause).toBe('SUCCEEDED');
  expect(await thingsOf(world.estate, world.control, 'stark')).toEqual([]);
}, 120_000);

describe('a move while the Kubernetes API refuses the steps', () => {
  const { region, accountId } = { region: 'eu-central-1', accountId: '000000000000' };
  const entry = { clusterName: sharedCluster, principalArn: clusterRoleArn({ accountId }) };
  let eks: EKSClient;

  beforeAll(() => {
    const { endpoint, credentials } = world.laptop.cloud;
    eks = new EKSClient({ endpoint, region, credentials });
  });
  afterAll(() => eks.destroy());

  const lockOut = async (): Promise<void> => {
    await eks.send(new DeleteAccessEntryCommand(entry));
  };
  const letIn = async (): Promise<void> => {
    await eks.send(new CreateAccessEntryCommand(entry));
    await eks.send(
      new AssociateAccessPolicyCommand({
        ...entry,
        policyArn: 'arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy',
        accessScope: { type: 'cluster' },
      }),
    );
  };
  const standing = async (tenantId: string) =>
    (
      await world.control.query(
        `SELECT (SELECT tier FROM placements WHERE tenant_id = $1 AND active) AS tier,
           (SELECT phase FROM moves WHERE tenant_id = $1 AND ended_at IS NULL) AS phase,
           (SELECT holder FROM leases WHERE tenant_id = $1) AS holder`,
        [tenantId],
      )
    ).rows[0];

  test.each([
    ['out', {}, 'switched', 'namespace'],
    ['back', { action: 'back' }, 'returned', 'shared'],
  ])(
    'the way %s ends with its reason, removes nothing, and is finished when it answers',
    async (way, ask, phase, tier) => {
      const tenantId = `acme-${way}`;
      await signUp(world, tenantId, { tier: 'shared', isolation: 'pooled' });
      const out = { tenantId, tier: 'namespace' };
      if (way === 'back') await world.run('migrate-tenant', out);
      beforeStep(tenantId, 'SwitchPlacement', lockOut);
      const failed = await world.laptop.run(
        'migrate-tenant',
        way === 'back' ? { tenantId, ...ask } : { ...out, windowSeconds: 0 },
      );
      expect(failed.status).toBe('FAILED');
      expect(failed.cause).toMatch(/RouteTenant.*Unauthorized|Unauthorized/s);
      expect(await standing(tenantId)).toEqual({ tier, phase, holder: null });
      // It is served all along: what no cluster routes goes to the shared app, which asks the registry.
      expect(await world.page(tenantId)).toBe(200);
      await letIn();
      await world.run('migrate-tenant', { tenantId, action: 'finish' });
      expect(await standing(tenantId)).toEqual({ tier, phase: null, holder: null });
      expect(await estateFindings(world.estate, world.control)).toEqual([]);
      await expectServed(world, tenantId);
      await offboard(world, tenantId);
    },
    120_000,
  );
});
