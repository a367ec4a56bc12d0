import { describe, expect, test } from 'vitest';
import type { CellLoad } from '../../domain/placement.ts';
import { explainPlacement, type Loads } from '../../domain/placement-explanation.ts';
import { capacityEvidence } from '../../domain/quota.ts';

const cell = (id: string, more: Partial<CellLoad> = {}): CellLoad => ({
  id,
  region: 'eu-central-1',
  capacity: 100,
  used: 40,
  open: true,
  serverCapacity: 40,
  serversUsed: 39,
  clusterCapacity: 20,
  clustersUsed: 20,
  ...more,
});

const loads: Loads = {
  cells: [cell('eu-1'), cell('us-1', { region: 'us-east-1', clustersUsed: 0, clusterCapacity: 5 })],
  servers: [{ id: 'eu-1', cell: 'eu-1', capacity: 500, used: 500, open: true }],
  clusters: [{ id: 'eu-1', cell: 'eu-1', capacity: 200, used: 3, open: true }],
};

describe('the explanation of a placement', () => {
  test('says what was chosen, by which rule, and what else the plan allows with room and cost', () => {
    const told = explainPlacement({ plan: 'pro', customDomain: 'chat.acme.com' }, loads);
    expect(told).toMatchObject({
      plan: 'pro',
      tier: 'namespace',
      isolation: 'pooled',
      rule: 'custom domain',
      why: 'domain chat.acme.com',
      decision: { kind: 'placed', cell: 'eu-1', cluster: 'eu-1' },
    });
    expect(told.options.map(({ tier, isolation, possible }) => [tier, isolation, possible])).toEqual([
      ['namespace', 'pooled', true],
      ['shared', 'pooled', true],
      ['shared', 'database', false],
      ['namespace', 'database', false],
    ]);
    expect(told.options[0]).toMatchObject({ chosen: true, where: 'cell eu-1, cluster eu-1' });
    expect(told.options[3]!.where).toContain('eu-1 500/500');
  });

  test('counts an own app by the size of the plan: two pods of half a vCPU and one GiB', () => {
    const { cost } = explainPlacement({ plan: 'pro', tier: 'namespace' }, loads).options[0]!;
    expect(cost.workload).toBeCloseTo(2 * (0.5 * 29.55 + 3.24), 2);
    expect(cost.total).toBeCloseTo(cost.tier + cost.workload + cost.isolation, 2);
    expect(explainPlacement({ plan: 'pro' }, loads).options[0]!.cost.workload).toBe(0);
  });

  test('of a tenant whose data must stay tells no other region, even where that one has room', () => {
    const large = { plan: 'enterprise', users: 2_000, isolation: 'pooled' } as const;
    expect(explainPlacement({ ...large, region: 'eu-central-1' }, loads).decision).toMatchObject({ cell: 'us-1' });
    expect(explainPlacement({ ...large, residency: 'eu-central-1' }, loads).decision).toEqual({
      kind: 'no-capacity',
      reason: expect.stringMatching(/in region eu-central-1, which its data must not leave .*clusters of eu-1 20\/20/),
    });
  });

  test('that was forced names what the plan does not allow', () => {
    const told = explainPlacement({ plan: 'starter', isolation: 'server', force: true, reason: 'trial' }, loads);
    expect(told.forced).toEqual(['plan starter does not allow isolation server; it allows pooled']);
    expect(told.options[0]).toMatchObject({ chosen: true, isolation: 'server', possible: true });
  });
});

test('the evidence of a cell names what is left of each kind and the AWS quota behind it', () => {
  const evidence = capacityEvidence(loads.cells, loads.servers, loads.clusters);
  expect(evidence.map(({ cell: id, kind, left, beyondDefault }) => [id, kind, left, beyondDefault])).toEqual([
    ['eu-1', 'pool', 60, false],
    ['eu-1', 'databases', 0, false],
    ['eu-1', 'servers', 1, false],
    ['eu-1', 'namespaces', 197, false],
    ['eu-1', 'clusters', 0, true],
    ['us-1', 'pool', 60, false],
    ['us-1', 'servers', 1, false],
    ['us-1', 'clusters', 5, false],
  ]);
  expect(evidence[4]!.quota).toMatchObject({ name: 'VPCs', code: 'L-F678F1CE', value: 5, per: 'region' });
  const closed = capacityEvidence([cell('eu-1', { open: false })], loads.servers, []);
  expect(closed.map(({ left }) => left)).toEqual([0, 0, 0, 0]);
});
