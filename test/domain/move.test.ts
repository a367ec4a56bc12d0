import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  convergence,
  estimateMove,
  type Finding,
  lagThreshold,
  type MoveStep,
  moveIdSchema,
  moveMode,
  movePhases,
  phaseRefusal,
} from '../../domain/move.ts';

const size = fc.record({
  table: fc.constantFrom('public.messages', 'public.users'),
  rows: fc.nat(10_000_000),
  bytes: fc.nat(2 ** 31),
});

describe('the estimate of a move', () => {
  test('grows with the bytes for the copy and the freeze, and never for the live stall', () => {
    fc.assert(
      fc.property(fc.array(size, { maxLength: 30 }), fc.nat(2 ** 31), (tables, more) => {
        const [small, large] = [
          estimateMove(tables),
          estimateMove([...tables, { table: 'public.more', rows: 1, bytes: more }]),
        ];
        expect(large.bytes).toBe(small.bytes + more);
        expect(large.live.copySeconds).toBeGreaterThanOrEqual(small.live.copySeconds);
        expect(large.freeze.stallSeconds).toBeGreaterThanOrEqual(small.freeze.stallSeconds);
        expect(large.live.stallSeconds).toBe(small.live.stallSeconds);
      }),
    );
  });

  test('says what was measured: 15 s of copy and most of a minute of freeze for 1.1 GB', () => {
    const { live, freeze } = estimateMove([{ table: 'public.messages', rows: 40_000, bytes: 1_100_000_000 }]);
    expect(live.copySeconds).toBeCloseTo(15.1, 0);
    expect(freeze.stallSeconds).toBeCloseTo(44.2, 0);
  });
});

describe('catching up', () => {
  const series = (first: number, perSecond: number, count = 8) =>
    Array.from({ length: count }, (_, second) => ({
      at: second * 1_000,
      lagBytes: Math.max(0, first + perSecond * second),
    }));

  test('has converged exactly when the last sample is within the threshold', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(10_000_000), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 1_000_000 }),
        (lags, threshold) => {
          const samples = lags.map((lagBytes, at) => ({ at: at * 500, lagBytes }));
          expect(convergence(samples, { threshold }) === 'converged').toBe(lags.at(-1)! <= threshold);
        },
      ),
    );
  });

  test('diverges when the lag grows or stands still, whatever its size', () => {
    fc.assert(
      fc.property(fc.integer({ min: lagThreshold + 1, max: 10 ** 9 }), fc.nat(10 ** 6), (first, growth) => {
        expect(convergence(series(first, growth))).toBe('diverging');
      }),
    );
  });

  test('shrinks when the fall reaches the threshold in time, and diverges when it does not', () => {
    expect(convergence(series(10_000_000, -1_000_000))).toBe('shrinking');
    expect(convergence(series(10_000_000_000, -1_000_000))).toBe('diverging');
    expect(convergence(series(10_000_000_000, -1_000_000), { patience: 12_000_000 })).toBe('shrinking');
  });

  test('is not judged by fewer than four samples', () => {
    expect(convergence([])).toBe('shrinking');
    expect(convergence(series(10_000_000, 1_000_000, 3))).toBe('shrinking');
    expect(convergence(series(10_000_000, 1_000_000, 4))).toBe('diverging');
  });
});

test('one finding of both kinds decides how a tenant can be moved', () => {
  const finding = (ok: boolean, blocks: Finding['blocks']): Finding => ({
    check: 'schema',
    ok,
    detail: '',
    fix: null,
    blocks,
  });
  expect(moveMode([finding(true, 'both'), finding(true, 'live')])).toBe('live');
  expect(moveMode([finding(true, 'both'), finding(false, 'live')])).toBe('freeze');
  expect(moveMode([finding(false, 'live'), finding(false, 'both')])).toBe('none');
});

describe('a step', () => {
  const steps: MoveStep[] = ['openCopy', 'openWayBack', 'cutOver', 'freezeMove', 'startWayBack', 'moveBack'];

  test.each(steps)('%s is late once the move is over', (step) => {
    for (const phase of ['finished', 'abandoned'] as const)
      expect(phaseRefusal(step, phase)).toMatchObject({ late: true });
  });

  test('is never both: abandoned after the commit point, finished before it', () => {
    for (const phase of [...movePhases, 'new'] as const) {
      const abandon = phaseRefusal('abandonMove', phase) === undefined;
      const finish = phaseRefusal('finishMove', phase) === undefined;
      expect(abandon && finish).toBe(false);
      expect(abandon || finish).toBe(true);
    }
  });
});

test('a move id is safe in every name made of it', () => {
  for (const id of ['m-0123456789ab', 'm-ffffffffffff']) expect(moveIdSchema.safeParse(id).success).toBe(true);
  for (const id of ['m-0123456789AB', 'm-0123', 'x-0123456789ab', 'm-0123456789ab"'])
    expect(moveIdSchema.safeParse(id).success).toBe(false);
});
