import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backupKinds, drillOutcomes } from '../../domain/backup.ts';
import { plans, type Retention } from '../../domain/plans.ts';
import { decideRetention, type RetainedBackup } from '../../domain/retention.ts';

const seed = Number(process.env.RETENTION_SEED ?? Date.now() % 1_000_000);
const runs = { seed, numRuns: 300 };
console.log(`retention properties: RETENTION_SEED=${seed}`);

const now = new Date('2026-11-27T12:00:00Z');
const hoursAgo = (hours: number): Date => new Date(now.getTime() - hours * 3_600_000);
const backup = (id: string, hours: number, more: Partial<RetainedBackup> = {}): RetainedBackup => ({
  id,
  kind: 'scheduled',
  takenAt: hoursAgo(hours),
  sameAs: null,
  held: false,
  drillOutcome: null,
  ...more,
});
const none: Retention = {
  everythingHours: 0,
  daily: 0,
  weekly: 0,
  monthly: 0,
  manualDays: 0,
  safetyDays: 0,
  finalDays: 0,
};
const keptOf = (backups: readonly RetainedBackup[], retention: Retention, at = now): string[] =>
  [...decideRetention(backups, retention, at).kept.keys()].sort();

describe('of the backups of a tenant', () => {
  test('the newest of each day, week and month stays, as many as the plan says', () => {
    const hourly = Array.from({ length: 24 * 400 }, (_, index) => backup(`b-${index}`, index));
    const { kept } = decideRetention(hourly, { ...none, daily: 7, weekly: 4, monthly: 3 }, now);
    const reasons = [...kept.values()];
    expect(reasons.filter((why) => why.startsWith('day'))).toHaveLength(6);
    // The newest of all is that of its day, its week and its month; the seven days lie in two weeks.
    expect([...kept.keys()].map((id) => Number(id.slice(2))).sort((a, b) => a - b)).toEqual([
      0,
      13,
      37,
      61,
      85,
      109,
      133,
      // Sundays 23:00 before: 22 (in the days already), 15 and 8 November.
      ...[109 + 168, 109 + 336],
      // The last hours of October and September.
      ...[24 * 26 + 13, 24 * 57 + 13],
    ]);
  });

  test('every one of the last hours stays', () => {
    const hourly = Array.from({ length: 60 }, (_, index) => backup(`b-${index}`, index));
    expect(keptOf(hourly, { ...none, everythingHours: 48 })).toHaveLength(49);
  });

  test('one that a drill found broken does not stand for its day, and the last good one stays beside it', () => {
    const broken = { drillOutcome: 'failed' } as const;
    const backups = [
      backup('today-broken', 1, broken),
      backup('today', 6),
      backup('yesterday-broken', 14, broken),
      backup('yesterday-passed', 20, { drillOutcome: 'passed' }),
      backup('older', 24 * 9),
    ];
    expect(keptOf(backups, { ...none, daily: 2 })).toEqual(['today', 'today-broken', 'yesterday-passed']);
    expect(keptOf(backups, none)).toEqual(['today', 'today-broken', 'yesterday-passed']);
  });

  test('the kinds that no schedule takes are kept for their own days and stand for no day', () => {
    const retention = { ...none, daily: 30, manualDays: 10, safetyDays: 2, finalDays: 20 };
    const backups = [
      backup('newest', 0),
      backup('manual-young', 24 * 9, { kind: 'manual' }),
      backup('scheduled', 24 * 9 + 1),
      backup('manual-old', 24 * 11, { kind: 'manual' }),
      backup('safety-old', 24 * 3, { kind: 'safety' }),
      backup('final', 24 * 19, { kind: 'final' }),
    ];
    expect(keptOf(backups, retention)).toEqual(['final', 'manual-young', 'newest', 'scheduled']);
  });

  test('an archive to which a kept backup points stays, and goes after those that point to it', () => {
    const backups = [
      backup('newest', 1, { sameAs: 'archive' }),
      backup('pointing', 100, { sameAs: 'archive' }),
      backup('archive', 200),
    ];
    const decision = decideRetention(backups, none, now);
    expect(decision.kept.get('archive')).toBe('archive of newest');
    expect(decision.expired).toEqual(['pointing']);
    const later = [backup('other', 0), ...backups];
    expect(decideRetention(later, none, now).expired).toEqual(['newest', 'pointing', 'archive']);
  });
});

const retentions: fc.Arbitrary<Retention> = fc.record({
  everythingHours: fc.nat(100),
  daily: fc.nat(20),
  weekly: fc.nat(10),
  monthly: fc.nat(6),
  manualDays: fc.nat(60),
  safetyDays: fc.nat(60),
  finalDays: fc.nat(60),
});

/** Histories with repeated times, and pointers from newer backups to older archives of their own. */
const histories: fc.Arbitrary<RetainedBackup[]> = fc
  .array(
    fc.record({
      hours: fc.nat(24 * 120),
      kind: fc.constantFrom(...backupKinds),
      held: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0),
      drillOutcome: fc.constantFrom(null, ...drillOutcomes),
      points: fc.boolean(),
    }),
    { maxLength: 60 },
  )
  .map((drawn) => {
    const made: RetainedBackup[] = [];
    let archive: RetainedBackup | undefined;
    for (const [index, one] of drawn.toSorted((a, b) => b.hours - a.hours).entries()) {
      const { hours, kind, held, drillOutcome, points } = one;
      const target = points ? archive : undefined;
      const next = backup(`b-${String(index).padStart(3, '0')}`, hours, {
        kind,
        held,
        sameAs: target?.id ?? null,
        drillOutcome: target ? target.drillOutcome : drillOutcome,
      });
      made.push(next);
      if (!target) archive = next;
    }
    return made;
  });

const without = (backups: readonly RetainedBackup[], gone: readonly string[]): RetainedBackup[] =>
  backups.filter(({ id }) => !gone.includes(id));

describe('whatever the history', () => {
  test('the newest, the last good one, what is held and what is pointed to are never deleted', () => {
    fc.assert(
      fc.property(histories, retentions, (backups, retention) => {
        const { expired, kept } = decideRetention(backups, retention, now);
        const left = without(backups, expired);
        expect(kept.size + expired.length).toBe(backups.length);
        const newest = (found: readonly RetainedBackup[]): number =>
          Math.max(...found.map(({ takenAt }) => takenAt.getTime()));
        expect(newest(left)).toBe(newest(backups));
        for (const good of [
          (one: RetainedBackup) => one.drillOutcome !== 'failed',
          (one: RetainedBackup) => one.drillOutcome === 'passed',
        ])
          expect(newest(left.filter(good))).toBe(newest(backups.filter(good)));
        expect(backups.filter(({ held, id }) => held && expired.includes(id))).toEqual([]);
        expect(left.filter(({ sameAs }) => sameAs !== null && expired.includes(sameAs))).toEqual([]);
      }),
      runs,
    );
  });

  test('a second run finds nothing more to delete', () => {
    fc.assert(
      fc.property(histories, retentions, (backups, retention) => {
        const { expired } = decideRetention(backups, retention, now);
        expect(decideRetention(without(backups, expired), retention, now).expired).toEqual([]);
      }),
      runs,
    );
  });

  test('in the order given nothing is deleted while another backup needs its archive', () => {
    fc.assert(
      fc.property(histories, retentions, (backups, retention) => {
        const left = new Map(backups.map((one) => [one.id, one]));
        for (const id of decideRetention(backups, retention, now).expired) {
          expect([...left.values()].filter(({ sameAs }) => sameAs === id)).toEqual([]);
          left.delete(id);
        }
      }),
      runs,
    );
  });

  test('what has expired stays expired when time passes and a new backup is taken', () => {
    fc.assert(
      fc.property(histories, retentions, fc.nat(24 * 40), (backups, retention, hours) => {
        const { expired } = decideRetention(backups, retention, now);
        const later = decideRetention(
          [...backups, backup('b-new', -hours - 1)],
          retention,
          new Date(now.getTime() + (hours + 1) * 3_600_000),
        );
        expect(expired.filter((id) => later.kept.has(id))).toEqual([]);
      }),
      runs,
    );
  });

  test('a plan that keeps more keeps all that a smaller one keeps', () => {
    fc.assert(
      fc.property(histories, retentions, retentions, (backups, small, more) => {
        const large = Object.fromEntries(
          Object.entries(small).map(([name, value]) => [name, value + more[name as keyof Retention]]),
        ) as unknown as Retention;
        const kept = decideRetention(backups, large, now).kept;
        expect(keptOf(backups, small).filter((id) => !kept.has(id))).toEqual([]);
      }),
      runs,
    );
  });
});

test('a larger plan keeps at least as much of everything as a smaller one', () => {
  const [starter, pro, enterprise] = [plans.starter, plans.pro, plans.enterprise].map(({ retention }) => retention);
  for (const name of Object.keys(starter!) as (keyof Retention)[]) {
    expect(pro![name]).toBeGreaterThanOrEqual(starter![name]);
    expect(enterprise![name]).toBeGreaterThanOrEqual(pro![name]);
  }
});
