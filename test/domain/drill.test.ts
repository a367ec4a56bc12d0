import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  chooseDrills,
  contradictions,
  countDrills,
  type DrillCandidate,
  drillSlices,
  runFailure,
} from '../../domain/drill.ts';

const seed = Number(process.env.DRILL_SEED ?? Date.now() % 1_000_000);
console.log(`drill properties: DRILL_SEED=${seed}`);

const candidate = (tenantId: string, more: Partial<DrillCandidate> = {}): DrillCandidate => ({
  tenantId,
  backupId: `b-${tenantId}`,
  cell: 'eu-1',
  schemaFingerprint: 'f1',
  bytes: 1_000_000,
  takenAt: new Date('2026-11-01T00:00:00Z'),
  drillOperation: null,
  lastDrilledAt: null,
  ...more,
});
const on = (day: number): Date => new Date(Date.UTC(2026, 10, day));

describe('a sample', () => {
  test('takes those that were never drilled, then those whose last drill is the longest ago', () => {
    const candidates = [
      candidate('recent', { lastDrilledAt: on(20) }),
      candidate('never-2', { takenAt: on(2) }),
      candidate('long-ago', { lastDrilledAt: on(3) }),
      candidate('never-1', { takenAt: on(1) }),
    ];
    const order = ['never-1', 'never-2', 'long-ago', 'recent'];
    for (const sample of [1, 2, 3, 4, 9])
      expect(chooseDrills(candidates, { sample, lastRun: undefined }).map(({ tenantId }) => tenantId)).toEqual(
        order.slice(0, sample),
      );
  });

  test('leaves out what the run before drilled', () => {
    const candidates = [
      candidate('acme', { drillOperation: 'run-1', lastDrilledAt: on(1) }),
      candidate('globex', { drillOperation: 'run-2', lastDrilledAt: on(2) }),
    ];
    expect(chooseDrills(candidates, { sample: 5, lastRun: 'run-1' }).map(({ tenantId }) => tenantId)).toEqual([
      'globex',
    ]);
  });

  test('reaches every tenant when it is drawn again and again, never one twice in a row', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 30 }), fc.integer({ min: 1, max: 10 }), (tenants, sample) => {
        let fleet = Array.from({ length: tenants }, (_, index) => candidate(`t${index}`));
        const reached = new Set<string>();
        let before: string[] = [];
        for (let run = 1; run <= Math.ceil(tenants / Math.min(sample, Math.ceil(tenants / 2))) + 1; run += 1) {
          const drawn = chooseDrills(fleet, { sample, lastRun: `run-${run - 1}` }).map(({ tenantId }) => tenantId);
          expect(drawn.filter((id) => before.includes(id))).toEqual([]);
          for (const id of drawn) reached.add(id);
          fleet = fleet.map((one) =>
            drawn.includes(one.tenantId) ? { ...one, drillOperation: `run-${run}`, lastDrilledAt: on(run) } : one,
          );
          before = drawn;
        }
        expect(reached.size).toBe(tenants);
      }),
      { seed, numRuns: 200 },
    );
  });
});

describe('slices', () => {
  test('hold every chosen archive once, of one cell and schema version, and no more than a function restores', () => {
    const chosen = fc.array(
      fc.record({
        cell: fc.constantFrom('eu-1', 'us-1'),
        schemaFingerprint: fc.constantFrom('f1', 'f2'),
        bytes: fc.oneof(fc.nat(10_000_000), fc.nat(2_000_000_000)),
      }),
      { maxLength: 300 },
    );
    fc.assert(
      fc.property(chosen, (drawn) => {
        const candidates = drawn.map((one, index) => candidate(`t${index}`, one));
        const slices = drillSlices(candidates);
        const byTenant = new Map(candidates.map((one) => [one.tenantId, one]));
        expect(slices.flatMap(({ backups }) => backups.map(({ tenantId }) => tenantId)).sort()).toEqual(
          candidates.map(({ tenantId }) => tenantId).sort(),
        );
        for (const { cell, schemaFingerprint, backups, large } of slices) {
          const own = backups.map(({ tenantId }) => byTenant.get(tenantId)!);
          expect(own.every((one) => one.cell === cell && one.schemaFingerprint === schemaFingerprint)).toBe(true);
          expect(own.length).toBeLessThanOrEqual(50);
          const bytes = own.reduce((sum, one) => sum + one.bytes, 0);
          expect(own.length === 1 || bytes <= 256 * 1024 * 1024).toBe(true);
          // Four bytes of rows for each of the archive, loaded and then compared; twice the time must fit into 840 s.
          expect(large).toBe(2 * 2 * 4 * bytes > 840 * 12_000_000);
        }
      }),
      { seed, numRuns: 200 },
    );
  });

  test('go where they are sent, whatever their size', () => {
    const fleet = [candidate('small', { bytes: 1 }), candidate('large', { bytes: 2_000_000_000 })];
    for (const through of ['lambda', 'task'] as const)
      for (const { large } of drillSlices(fleet, { through })) expect(large).toBe(through === 'task');
  });

  test('of a small sample are two, so that two workers have something to do', () => {
    const fleet = Array.from({ length: 20 }, (_, index) => candidate(`t${index}`));
    expect(drillSlices(fleet).map(({ backups }) => backups.length)).toEqual([10, 10]);
  });
});

test.each([
  [4, ['passed', 'passed', 'passed', 'passed'], undefined],
  [4, ['passed', 'failed', 'passed', 'passed'], /1 of 4 archives cannot be restored/],
  [4, ['passed', 'passed', 'passed'], /1 of 4 archives were not tried/],
  [2, ['passed', 'refused'], undefined],
  [2, ['refused', 'refused'], /none of 2 archives could be tried/],
  [0, [], undefined],
] as const)('a run over %i archives with results %j', (chosen, outcomes, reason) => {
  const counts = countDrills(
    chosen,
    outcomes.map((outcome) => ({ outcome })),
  );
  expect(counts.passed + counts.failed + counts.refused + counts.missed).toBe(chosen);
  if (reason === undefined) expect(runFailure(counts)).toBeUndefined();
  else expect(runFailure(counts)).toMatch(reason);
});

test('a manifest contradicts itself where totals and members differ', () => {
  const table = { table: 'public.users', rows: 3, digest: '1' };
  const member = { table: 'public.users', root: 'public.users', rows: 3 } as never;
  expect(contradictions({ tables: [table], members: [member] })).toEqual([]);
  expect(contradictions({ tables: [{ ...table, rows: 2 }], members: [member] })).toEqual(['public.users']);
  expect(contradictions({ tables: [], members: [member] })).toEqual(['public.users']);
});
