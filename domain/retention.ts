import type { BackupKind, DrillOutcome } from './backup.ts';
import type { Retention } from './plans.ts';

/** A sealed backup as retention sees it. */
export interface RetainedBackup {
  readonly id: string;
  readonly kind: BackupKind;
  readonly takenAt: Date;
  /** Backup whose archive it points to. */
  readonly sameAs: string | null;
  readonly held: boolean;
  /** Of its archive. */
  readonly drillOutcome: DrillOutcome | null;
}

export interface RetentionDecision {
  /** Backup -> why it is kept; all others may go. */
  readonly kept: ReadonlyMap<string, string>;
  /** Those that point to another one first: in this order none is deleted while another needs its archive. */
  readonly expired: readonly string[];
}

const hour = 3_600_000;

const day = (at: Date): string => at.toISOString().slice(0, 10);

/** The Thursday of its ISO week: two times are in one week when they share it. */
const week = (at: Date): string => {
  const thursday = new Date(at);
  thursday.setUTCDate(at.getUTCDate() + 4 - (at.getUTCDay() || 7));
  return day(thursday);
};

const month = (at: Date): string => at.toISOString().slice(0, 7);

/** A total order, newest first: two backups of one moment must not change places from run to run. */
const newestFirst = (a: RetainedBackup, b: RetainedBackup): number =>
  b.takenAt.getTime() - a.takenAt.getTime() || (a.id < b.id ? -1 : 1);

const isGood = ({ drillOutcome }: RetainedBackup): boolean => drillOutcome !== 'failed';

/** One for each of the newest `count` periods: its newest that no drill found broken, else its newest. */
const perPeriod = (
  backups: readonly RetainedBackup[],
  periodOf: (at: Date) => string,
  count: number,
): [period: string, backup: RetainedBackup][] =>
  [...Map.groupBy(backups, ({ takenAt }) => periodOf(takenAt))]
    .slice(0, count)
    .map(([period, within]) => [period, within.find(isGood) ?? within[0]!]);

const ownDays: Readonly<Record<Exclude<BackupKind, 'scheduled'>, keyof Retention>> = {
  manual: 'manualDays',
  safety: 'safetyDays',
  final: 'finalDays',
  // Somebody asked for it, as for a manual one.
  'point-in-time': 'manualDays',
};

/**
 * Which sealed backups of one tenant stay and why. Kept are: what is under legal hold, the newest, the newest that no drill
 * found broken and the newest that passed one, everything of the last hours, scheduled ones by day, week and month, the other
 * kinds for their days, and every archive to which a kept backup points. Periods count where there is a backup: a tenant whose
 * backups have stopped loses none by the passing of time alone. Total, and the same for its own result.
 */
export const decideRetention = (
  backups: readonly RetainedBackup[],
  retention: Retention,
  now: Date,
): RetentionDecision => {
  const sorted = backups.toSorted(newestFirst);
  const kept = new Map<string, string>();
  const keep = (backup: RetainedBackup | undefined, why: string): void => {
    if (backup && !kept.has(backup.id)) kept.set(backup.id, why);
  };
  const age = ({ takenAt }: RetainedBackup): number => now.getTime() - takenAt.getTime();
  for (const backup of sorted) if (backup.held) keep(backup, 'legal hold');
  keep(sorted[0], 'newest');
  keep(sorted.find(isGood), 'newest that no drill found broken');
  keep(
    sorted.find(({ drillOutcome }) => drillOutcome === 'passed'),
    'newest that a drill restored',
  );
  for (const backup of sorted)
    if (age(backup) <= retention.everythingHours * hour) keep(backup, `of the last ${retention.everythingHours} hours`);
  const scheduled = sorted.filter(({ kind }) => kind === 'scheduled');
  for (const [period, backup] of perPeriod(scheduled, day, retention.daily)) keep(backup, `day ${period}`);
  for (const [period, backup] of perPeriod(scheduled, week, retention.weekly)) keep(backup, `week of ${period}`);
  for (const [period, backup] of perPeriod(scheduled, month, retention.monthly)) keep(backup, `month ${period}`);
  for (const backup of sorted) {
    if (backup.kind === 'scheduled') continue;
    const days = retention[ownDays[backup.kind]];
    if (age(backup) <= days * 24 * hour) keep(backup, `${backup.kind}, for ${days} days`);
  }
  const byId = new Map(sorted.map((backup) => [backup.id, backup]));
  for (const { id, sameAs } of sorted) if (sameAs !== null && kept.has(id)) keep(byId.get(sameAs), `archive of ${id}`);
  const expired = sorted.filter(({ id }) => !kept.has(id));
  return {
    kept,
    expired: [
      ...expired.filter(({ sameAs }) => sameAs !== null),
      ...expired.filter(({ sameAs }) => sameAs === null),
    ].map(({ id }) => id),
  };
};
