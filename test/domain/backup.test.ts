import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BackupAge, type Digests, isDue, isLookedAt, sameDigests, slicesOf } from '../../domain/backup.ts';
import { plans } from '../../domain/plans.ts';
import { largestLambdaStep, stepRoute } from '../../domain/step-route.ts';

const now = new Date('2026-11-23T03:00:00Z');
const ago = (seconds: number): Date => new Date(now.getTime() - seconds * 1_000);
const age = (change: Partial<BackupAge> = {}): BackupAge => ({
  tenantId: 'acme',
  cell: 'eu-1',
  plan: 'starter',
  takenAt: null,
  bytes: null,
  ...change,
});

describe('a tenant is due', () => {
  test('when it has no backup', () => {
    expect(isDue(age(), now)).toBe(true);
  });

  test('at the next run of its plan’s schedule, even if that fires a little early', () => {
    for (const [plan, { backupEverySeconds }] of Object.entries(plans)) {
      expect(isDue(age({ plan, takenAt: ago(backupEverySeconds - 60) }), now)).toBe(true);
      expect(isDue(age({ plan, takenAt: ago(60) }), now)).toBe(false);
    }
  });

  test('by the smallest plan when its own is unknown', () => {
    expect(isDue(age({ plan: 'constructor', takenAt: ago(24 * 3_600) }), now)).toBe(true);
  });
});

test('slices hold every due tenant once, of one cell each, as much as a Lambda can dump, those without a backup first', () => {
  const ages = fc.array(
    fc.record({
      cell: fc.constantFrom('eu-1', 'eu-2', 'us-1'),
      takenAt: fc.option(fc.date({ min: new Date(0), max: now, noInvalidDate: true })),
      bytes: fc.option(
        fc.oneof(fc.integer({ min: 0, max: 1_000_000 }), fc.integer({ min: 0, max: largestLambdaStep })),
      ),
    }),
    { maxLength: 900 },
  );
  fc.assert(
    fc.property(ages, (some) => {
      const due = some.map((one, place) => age({ ...one, tenantId: `t${place}` }));
      const slices = slicesOf(due);
      expect(slices.flatMap(({ tenantIds }) => tenantIds).toSorted()).toEqual(
        due.map(({ tenantId }) => tenantId).toSorted(),
      );
      for (const { cell, tenantIds, large } of slices) {
        const own = tenantIds.map((id) => due.find(({ tenantId }) => tenantId === id)!);
        expect(own.every((one) => one.cell === cell)).toBe(true);
        expect(tenantIds.length).toBeLessThanOrEqual(5_000);
        const bytes = own.reduce((sum, one) => sum + 4 * (one.bytes ?? 0), 0);
        if (large) expect([tenantIds.length, stepRoute({ bytes })]).toEqual([1, 'task']);
        else expect(stepRoute({ bytes })).toBe('lambda');
        const times = own.map(({ takenAt }) => takenAt?.getTime() ?? 0);
        expect(times).toEqual(times.toSorted((a, b) => a - b));
      }
    }),
    { numRuns: 30 },
  );
});

test('a pool of small tenants is one slice, because every slice scans its tables', () => {
  const many = Array.from({ length: 12_000 }, (_, place) => age({ tenantId: `t${place}`, bytes: 10_000 }));
  expect(slicesOf(many).map(({ tenantIds }) => tenantIds.length)).toEqual([5_000, 5_000, 2_000]);
});

test('the archive of every unchanged tenant is looked at on one day of thirty', () => {
  const days = Array.from({ length: 30 }, (_, day) => new Date(now.getTime() + day * 86_400_000));
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z][a-z0-9-]{0,30}$/), (tenantId) => {
      expect(days.filter((day) => isLookedAt(tenantId, day))).toHaveLength(1);
    }),
  );
});

describe('two digests', () => {
  const digests = (change: Partial<Digests> = {}): Digests => ({
    algorithm: 'record-v1',
    major: 15,
    tables: { 'public.users': [2, '17'], 'public.messages': [1, '-4'] },
    ...change,
  });

  test('of the same rows are the same, in whatever order the tables come', () => {
    expect(
      sameDigests(digests(), digests({ tables: { 'public.messages': [1, '-4'], 'public.users': [2, '17'] } })),
    ).toBe(true);
  });

  test.each<[string, Partial<Digests>]>([
    ['another digest', { tables: { 'public.users': [2, '18'], 'public.messages': [1, '-4'] } }],
    ['another count', { tables: { 'public.users': [3, '17'], 'public.messages': [1, '-4'] } }],
    ['one table less', { tables: { 'public.users': [2, '17'] } }],
    ['another table', { tables: { 'public.users': [2, '17'], 'public.notes': [1, '-4'] } }],
    ['another algorithm', { algorithm: 'text-v1' }],
    ['another major version, whose hash functions may differ', { major: 16 }],
  ])('differ with %s', (_what, change) => {
    expect(sameDigests(digests(), digests(change))).toBe(false);
    expect(sameDigests(digests(change), digests())).toBe(false);
  });
});
