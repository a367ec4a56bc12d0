import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type CellLoad,
  type ClusterLoad,
  isolations,
  placeTenant,
  type ServerLoad,
  tiers,
} from '../../domain/placement.ts';

const cell = (id: string, used: number, capacity: number, more: Partial<CellLoad> = {}): CellLoad => ({
  id,
  region: 'eu-central-1',
  capacity,
  used,
  open: true,
  serverCapacity: 40,
  serversUsed: 0,
  clusterCapacity: 20,
  clustersUsed: 0,
  ...more,
});

const anyCell = fc.record({
  id: fc.string({ minLength: 1, maxLength: 3 }),
  region: fc.constantFrom('eu-central-1', 'us-east-1', 'ap-south-1'),
  capacity: fc.nat({ max: 2 ** 31 - 1 }),
  used: fc.nat({ max: 2 ** 31 - 1 }),
  open: fc.boolean(),
  serverCapacity: fc.nat({ max: 40 }),
  serversUsed: fc.nat({ max: 40 }),
  clusterCapacity: fc.nat({ max: 20 }),
  clustersUsed: fc.nat({ max: 20 }),
});
const cells = fc.uniqueArray(anyCell, { selector: ({ id }) => id, maxLength: 12 });
const request = fc.record({
  plan: fc.string(),
  region: fc.option(fc.constantFrom('eu-central-1', 'mars-1'), { nil: undefined }),
});

describe('a placement', () => {
  test('answers every input with a cell that has a free place, or with none because none has', () => {
    fc.assert(
      fc.property(request, cells, (wish, all) => {
        const decision = placeTenant(wish, all);
        const free = all.filter(({ open, used, capacity }) => open && used < capacity);
        if (decision.kind === 'no-capacity')
          return free.length === 0 && all.every(({ id }) => decision.reason.includes(id));
        const chosen = free.find(({ id }) => id === decision.cell);
        const inRegion = free.filter(({ region }) => region === wish.region);
        const rivals = inRegion.length > 0 ? inRegion : free;
        return (
          chosen !== undefined &&
          rivals.includes(chosen) &&
          rivals.every(
            ({ used, capacity }) => BigInt(chosen.used) * BigInt(capacity) <= BigInt(used) * BigInt(chosen.capacity),
          )
        );
      }),
      { numRuns: 20_000 },
    );
  });

  test('is the same whatever the order in which the cells come', () => {
    fc.assert(
      fc.property(request, cells, (wish, all) => {
        expect(placeTenant(wish, all.toReversed())).toEqual(placeTenant(wish, all));
      }),
    );
  });

  test('prefers the asked region to an emptier cell elsewhere, and falls back when the region is full', () => {
    const elsewhere = cell('us-1', 0, 10, { region: 'us-east-1' });
    const wish = { plan: 'starter', region: 'eu-central-1' };
    expect(placeTenant(wish, [elsewhere, cell('eu-1', 9, 10)])).toMatchObject({ cell: 'eu-1' });
    expect(placeTenant(wish, [elsewhere, cell('eu-1', 10, 10)])).toMatchObject({ cell: 'us-1' });
  });

  test('takes the smallest ratio, not the smallest count, and the first id of equals', () => {
    expect(placeTenant({ plan: 'pro' }, [cell('small', 2, 4), cell('large', 30, 100)])).toMatchObject({
      cell: 'large',
    });
    expect(placeTenant({ plan: 'pro' }, [cell('b', 1, 2), cell('a', 2, 4)])).toMatchObject({ cell: 'a' });
  });

  test('tells ratios apart that are the same number after division', () => {
    const near = cell('b', 2 ** 30, 2 ** 31 - 1);
    const farther = cell('a', 2 ** 30 - 1, 2 ** 31 - 3);
    expect(placeTenant({ plan: 'pro' }, [near, farther])).toMatchObject({ cell: 'b' });
  });

  test('puts nobody into a closed cell and says that it is closed', () => {
    expect(placeTenant({ plan: 'pro' }, [cell('eu-1', 0, 10, { open: false })])).toEqual({
      kind: 'no-capacity',
      reason: 'no free place for isolation pooled (eu-1 0/10 closed); raise a capacity, or add a cell or server',
    });
    expect(placeTenant({ plan: 'pro' }, [])).toMatchObject({
      reason: expect.stringContaining('there is no other place of that kind'),
    });
  });

  const shared = (id: string, at: string, used: number, capacity: number): ClusterLoad => ({
    id,
    cell: at,
    capacity,
    used,
    open: true,
  });

  test('with an app of its own is in a cell that has room for rows and app', () => {
    const cells = [cell('eu-1', 0, 10), cell('eu-2', 9, 10)];
    const clusters = [shared('k-1', 'eu-1', 5, 5), shared('k-2', 'eu-2', 1, 5), shared('k-3', 'eu-2', 0, 5)];
    const wish = { plan: 'pro', tier: 'namespace' } as const;
    expect(placeTenant(wish, cells, [], clusters)).toMatchObject({ cell: 'eu-2', tier: 'namespace', cluster: 'k-3' });
    expect(placeTenant(wish, cells, [], clusters.slice(0, 1))).toMatchObject({
      kind: 'no-capacity',
      reason: expect.stringContaining(
        'tier namespace with isolation pooled (eu-1 0/10, eu-2 9/10, namespaces of k-1 5/5)',
      ),
    });
    const full = cell('eu-1', 0, 10, { clusterCapacity: 2, clustersUsed: 2 });
    expect(placeTenant({ plan: 'pro', tier: 'cluster' }, [full])).toMatchObject({
      reason: expect.stringContaining('clusters of eu-1 2/2'),
    });
  });

  test('after a change of tier keeps the rows where they are, unless a server lies in the network of a cluster', () => {
    const servers: ServerLoad[] = [{ id: 's-1', cell: 'eu-1', capacity: 5, used: 1, open: true }];
    const clusters = [shared('k-1', 'eu-1', 0, 5)];
    for (const isolation of isolations)
      for (const from of tiers)
        for (const tier of tiers.filter((one) => one !== from)) {
          const decision = placeTenant(
            {
              plan: 'pro',
              tier,
              from: { cell: 'eu-1', tier: from, isolation, server: isolation === 'pooled' ? undefined : 's-1' },
            },
            [cell('eu-1', 1, 10)],
            servers,
            clusters,
          );
          const stays = !(isolation === 'server' && (from === 'cluster' || tier === 'cluster'));
          expect(decision).toMatchObject({ kind: 'placed', tier, isolation });
          expect('rowsStay' in decision).toBe(stays);
        }
  });

  test('of another isolation in the same cluster keeps the cluster', () => {
    const from = { cell: 'eu-1', tier: 'cluster', isolation: 'pooled', cluster: 'tenantry-acme-3f2a1b' } as const;
    expect(placeTenant({ plan: 'pro', isolation: 'server', from }, [cell('eu-1', 1, 10)])).toMatchObject({
      tier: 'cluster',
      cluster: 'tenantry-acme-3f2a1b',
    });
  });
});
