import fc from 'fast-check';
import { expect, test } from 'vitest';
import { boundsOf, type Count, nextScales } from '../../../local/kubernetes/controllers/rolling-update.ts';
import type { Deployment } from '../../../local/kubernetes/controllers/workloads.ts';

const deployment = (
  replicas: number,
  rollingUpdate?: { maxSurge?: number | string; maxUnavailable?: number | string },
) => ({ spec: { replicas, strategy: { type: 'RollingUpdate', rollingUpdate } } }) as unknown as Deployment;

test.each([
  [2, undefined, { maxSurge: 1, maxUnavailable: 0 }],
  [4, undefined, { maxSurge: 1, maxUnavailable: 1 }],
  [3, { maxSurge: '50%', maxUnavailable: '50%' }, { maxSurge: 2, maxUnavailable: 1 }],
  [3, { maxSurge: 0, maxUnavailable: 0 }, { maxSurge: 0, maxUnavailable: 1 }],
  [1, { maxSurge: 0, maxUnavailable: 5 }, { maxSurge: 0, maxUnavailable: 1 }],
])('%i replicas with %j are bound by %j', (replicas, rollingUpdate, bounds) => {
  expect(boundsOf(deployment(replicas, rollingUpdate))).toEqual(bounds);
});

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const settings = fc.record({
  replicas: fc.integer({ min: 1, max: 8 }),
  maxSurge: fc.integer({ min: 0, max: 4 }),
  unavailable: fc.integer({ min: 0, max: 4 }),
  old: fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 3 }),
  /** How many of the pods that could become available do, step by step. */
  luck: fc.array(fc.integer({ min: 0, max: 8 }), { minLength: 60, maxLength: 60 }),
});

test('a rollout never has more pods than the surge allows, never takes away what must stay available, and ends', () => {
  fc.assert(
    fc.property(settings, ({ replicas, maxSurge, unavailable, old: olds, luck }) => {
      const maxUnavailable = maxSurge === 0 && unavailable === 0 ? 1 : Math.min(unavailable, replicas);
      let current: Count = { wanted: 0, available: 0 };
      let old: Count[] = olds.map((wanted) => ({ wanted, available: wanted }));
      const most = Math.max(replicas + maxSurge, sum(olds));
      for (const ready of luck) {
        const before = current.available + sum(old.map(({ available }) => available));
        const scales = nextScales({ replicas, maxSurge, maxUnavailable, current, old });
        expect(scales.current + sum(scales.old)).toBeLessThanOrEqual(most);
        expect(scales.current).toBeGreaterThanOrEqual(current.wanted);
        current = {
          wanted: scales.current,
          available: Math.min(scales.current, current.available + ready),
        };
        old = old.map(({ available }, index) => ({
          wanted: scales.old[index]!,
          available: Math.min(available, scales.old[index]!),
        }));
        const now = current.available + sum(old.map(({ available }) => available));
        expect(now).toBeGreaterThanOrEqual(Math.min(before, replicas - maxUnavailable));
      }
      for (let step = 0; step < 30; step += 1) {
        const scales = nextScales({ replicas, maxSurge, maxUnavailable, current, old });
        current = { wanted: scales.current, available: scales.current };
        old = scales.old.map((wanted) => ({ wanted, available: wanted }));
      }
      expect({ current: current.wanted, old: sum(old.map(({ wanted }) => wanted)) }).toEqual({
        current: replicas,
        old: 0,
      });
    }),
    { seed: 4711, numRuns: 300 },
  );
});

test('pods of an old template that never got ready are given up first, beyond what must stay available', () => {
  expect(
    nextScales({
      replicas: 3,
      maxSurge: 1,
      maxUnavailable: 0,
      current: { wanted: 1, available: 1 },
      old: [
        { wanted: 2, available: 2 },
        { wanted: 1, available: 0 },
      ],
    }),
  ).toEqual({ current: 1, old: [2, 0] });
});
