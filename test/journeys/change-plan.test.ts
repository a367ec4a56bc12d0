import { EKSClient } from '@aws-sdk/client-eks';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ClusterConnections, openClusterConnections } from '../../adapters/cluster/connect.ts';
import { loadChat } from '../../sample-app/load.ts';
import { startTestCloud, type TestCloud } from '../cloud.ts';
import { hammer } from '../load/hammer.ts';
import { checkOperations, type Load } from '../load/writers.ts';
import { openSaboteur, type Saboteur } from './faults/saboteur.ts';

let laptop: TestCloud;
let saboteur: Saboteur;
let control: pg.Client;
let clusters: ClusterConnections;

beforeAll(async () => {
  saboteur = openSaboteur();
  laptop = await startTestCloud({ interpose: saboteur.interpose, log: () => undefined });
  control = await laptop.admin('control');
  const { endpoint, region, credentials } = laptop.cloud;
  clusters = openClusterConnections(new EKSClient({ endpoint, region, credentials }), endpoint);
  const signUps = [
    { tenantId: 'acme', plan: 'pro', isolation: 'database' },
    { tenantId: 'globex', plan: 'starter' },
    { tenantId: 'initech', plan: 'starter' },
  ];
  for (const signUp of signUps)
    expect(await laptop.run('provision-tenant', signUp)).toMatchObject({ status: 'SUCCEEDED' });
  await loadChat(await homeOf('acme'), { tenantId: 'acme', users: 8, messages: 120, seed: 1 });
});
afterAll(async () => {
  clusters.close();
  await laptop.close();
});

const homeOf = async (tenantId: string): Promise<pg.Client> => {
  const { rows } = await control.query<{ database: string }>(
    'SELECT database FROM router WHERE tenant_id = $1 LIMIT 1',
    [tenantId],
  );
  return laptop.admin(rows[0]!.database);
};

const hammerHome = async (tenantId: string): Promise<Load> => hammer(laptop, tenantId, await homeOf(tenantId));

const change = async (input: object): Promise<Record<string, unknown>> => {
  const changed = await laptop.run('change-plan', input);
  expect(changed, changed.cause).toMatchObject({ status: 'SUCCEEDED' });
  return JSON.parse(changed.output!) as Record<string, unknown>;
};

interface Workload {
  readonly replicas?: number;
  readonly minReplicas?: number;
  readonly template?: {
    readonly spec: { readonly containers: { readonly resources: { readonly requests: object } }[] };
  };
}

/** What the tenant's own app asks for, asked of its cluster; how many pods an app of several has is its autoscaler's affair. */
const sizeOf = async (tenantId: string): Promise<unknown> => {
  const { rows } = await control.query<{ cluster: string; namespace: string }>(
    'SELECT cluster_id AS cluster, namespace FROM placements WHERE tenant_id = $1 AND active',
    [tenantId],
  );
  const { cluster: name, namespace } = rows[0]!;
  const cluster = (await clusters.find(name))!;
  const read = async (apiVersion: string, kind: string): Promise<Workload | undefined> =>
    (await cluster.get({ apiVersion, kind, namespace, name: 'app' }))?.spec as Workload | undefined;
  const deployment = (await read('apps/v1', 'Deployment'))!;
  const scaler = await read('autoscaling/v2', 'HorizontalPodAutoscaler');
  return {
    replicas: scaler?.minReplicas ?? deployment.replicas,
    ...deployment.template!.spec.containers[0]!.resources.requests,
  };
};

interface Standing {
  readonly plan: string;
  readonly users: number | null;
  readonly isolation: string;
  readonly places: number;
  readonly open_move: string | null;
}

const standing = async (tenantId: string): Promise<Standing> =>
  (
    await control.query<Standing>(
      `SELECT t.plan, t.users, t.isolation, (SELECT count(*)::int FROM placements p WHERE p.tenant_id = t.id) AS places,
         (SELECT phase FROM moves m WHERE m.tenant_id = t.id AND ended_at IS NULL) AS open_move
       FROM tenants t WHERE id = $1`,
      [tenantId],
    )
  ).rows[0]!;

describe('a tenant whose plan changes', () => {
  test('is moved while it is written to; the next change closes the window of the one before, and nothing is lost', async () => {
    const load = await hammerHome('acme');
    expect(await change({ tenantId: 'acme', plan: 'starter', users: 300 })).toMatchObject({
      outcome: 'succeeded',
      plan: 'starter',
      isolation: 'pooled',
      moved: true,
    });
    expect(await standing('acme')).toMatchObject({ plan: 'starter', users: 300, places: 2, open_move: 'switched' });
    await load.more(50);
    expect(await change({ tenantId: 'acme', plan: 'enterprise', windowSeconds: 0 })).toMatchObject({
      plan: 'enterprise',
      isolation: 'database',
    });
    await load.more(50);
    await load.stop();
    expect(await standing('acme')).toMatchObject({ plan: 'enterprise', users: 300, places: 1, open_move: null });
    expect(await checkOperations(await homeOf('acme'), 'acme', load)).toMatchObject({
      lost: [],
      duplicated: [],
      unasked: [],
    });
    expect(load.refused).toEqual([]);
    const { rows } = await control.query(
      `SELECT input ->> 'reason' AS reason FROM operations WHERE tenant_id = 'acme' AND input ->> 'action' = 'finish'`,
    );
    expect(rows).toEqual([
      { reason: expect.stringMatching(/^plan change .+ goes on from here: move m-[0-9a-f]{12} is switched/) },
    ]);
    const [event] = await laptop.eventually<{ n: number }>(
      `SELECT count(*)::int AS n FROM events WHERE detail_type = 'TenantPlanChangeCompleted' AND tenant_id = 'acme' HAVING count(*) = 2`,
    );
    expect(event).toEqual({ n: 2 });
  }, 120_000);

  test('by two requests at once gets what the last one wants; the other one ends as superseded', async () => {
    const held = `INSERT INTO leases (tenant_id, holder, fence, expires_at) VALUES ('globex', 'somebody', 1, now() + interval '1 hour')
       ON CONFLICT (tenant_id) DO UPDATE SET holder = 'somebody', fence = leases.fence + 1, expires_at = excluded.expires_at`;
    await control.query(held);
    await laptop.publish('TenantPlanChanged', { tenantId: 'globex', plan: 'pro', users: 1 });
    await laptop.eventually(`SELECT FROM plan_changes WHERE tenant_id = 'globex' AND wish ->> 'users' = '1'`);
    await laptop.publish('TenantPlanChanged', { tenantId: 'globex', plan: 'pro', users: 2 });
    await laptop.eventually(`SELECT FROM plan_changes WHERE tenant_id = 'globex' AND status = 'superseded'`);
    expect(await standing('globex')).toMatchObject({ plan: 'starter' });
    await control.query(`UPDATE leases SET holder = NULL, expires_at = now() WHERE tenant_id = 'globex'`);
    const events = await laptop.eventually<{ outcome: string }>(
      `SELECT detail ->> 'outcome' AS outcome FROM events WHERE detail_type = 'TenantPlanChangeCompleted' AND tenant_id = 'globex'
         AND (SELECT count(*) FROM events WHERE detail_type = 'TenantPlanChangeCompleted' AND tenant_id = 'globex') = 2 ORDER BY 1`,
    );
    expect(events).toEqual([{ outcome: 'succeeded' }, { outcome: 'superseded' }]);
    expect(await standing('globex')).toMatchObject({ plan: 'pro', users: 2 });
  });

  test('has its old plan where the move fails, whether for want of a place or in the middle', async () => {
    await control.query('UPDATE servers SET open = false');
    const full = await laptop.run('change-plan', { tenantId: 'initech', plan: 'enterprise' });
    expect(full).toMatchObject({ status: 'FAILED', error: 'PlanChangeFailed' });
    expect(full.cause).toMatch(/^MoveTenant: .*no free place for isolation database/);
    await control.query('UPDATE servers SET open = true');
    saboteur.arm('initech', { step: 'CutOver', fault: 'refused' });
    const broken = await laptop.run('change-plan', { tenantId: 'initech', plan: 'enterprise', users: 5 });
    expect(broken).toMatchObject({ status: 'FAILED', cause: expect.stringMatching(/^MoveTenant: .*CutOver/) });
    expect(await standing('initech')).toEqual({
      plan: 'starter',
      users: null,
      isolation: 'pooled',
      places: 1,
      open_move: null,
    });
    const { rows } = await control.query(`SELECT status FROM plan_changes WHERE tenant_id = 'initech'`);
    expect(rows).toEqual([{ status: 'failed' }, { status: 'failed' }]);
    expect(
      (await control.query(`SELECT FROM leases WHERE tenant_id = 'initech' AND holder IS NOT NULL`)).rowCount,
    ).toBe(0);
  });

  test('gets pods of the new size where its app is its own; where they do not come up, plan and size are the old ones', async () => {
    const signUp = { tenantId: 'umbrella', plan: 'starter', compliance: ['hipaa'] };
    const made = await laptop.run('provision-tenant', signUp);
    expect(made, made.cause).toMatchObject({ status: 'SUCCEEDED' });
    expect(await sizeOf('umbrella')).toEqual({ replicas: 1, cpu: '250m', memory: '512Mi' });
    expect(await change({ tenantId: 'umbrella', plan: 'pro' })).toMatchObject({ plan: 'pro', moved: false });
    expect(await sizeOf('umbrella')).toEqual({ replicas: 2, cpu: '500m', memory: '1Gi' });
    saboteur.arm('umbrella', { step: 'AwaitWorkload', fault: 'refused' });
    const broken = await laptop.run('change-plan', { tenantId: 'umbrella', plan: 'enterprise', isolation: 'pooled' });
    expect(broken).toMatchObject({ status: 'FAILED', cause: expect.stringMatching(/^ResizeApp: /) });
    expect(await standing('umbrella')).toMatchObject({ plan: 'pro', places: 1 });
    expect(await sizeOf('umbrella')).toEqual({ replicas: 2, cpu: '500m', memory: '1Gi' });
  }, 120_000);
});
