import type { Manifest } from './archive.ts';
import { type DrillOutcome, rowsOverArchive } from './backup.ts';
import { type StepRoute, stepRoute } from './step-route.ts';

/** The archive of one tenant that a drill could try. */
export interface DrillCandidate {
  readonly tenantId: string;
  /** Backup whose own archive it is. */
  readonly backupId: string;
  /** Cell on whose server it is tried. */
  readonly cell: string;
  readonly schemaFingerprint: string;
  /** Compressed bytes of its members. */
  readonly bytes: number;
  readonly takenAt: Date;
  /** Operation that drilled this archive last; null when none did. */
  readonly drillOperation: string | null;
  /** When any archive of the tenant was drilled last; null when none was. */
  readonly lastDrilledAt: Date | null;
}

/** One backup in a drill, as it travels from step to step. */
export interface DrilledBackup {
  readonly tenantId: string;
  readonly backupId: string;
}

export interface DrillResult extends DrilledBackup {
  readonly outcome: DrillOutcome;
  /** Why it did not pass. */
  readonly reason: string | null;
}

/** Archives that one scratch database serves: of one schema version, on one cell. */
export interface DrillSlice {
  readonly cell: string;
  readonly schemaFingerprint: string;
  readonly backups: readonly DrilledBackup[];
  /** It takes longer than a Lambda lives: it runs as a container task. */
  readonly large: boolean;
}

/** Archives of one scheduled run, unless its input says otherwise. */
export const defaultSample = 20;

const oldestFirst = (a: DrillCandidate, b: DrillCandidate): number =>
  (a.lastDrilledAt?.getTime() ?? 0) - (b.lastDrilledAt?.getTime() ?? 0) ||
  a.takenAt.getTime() - b.takenAt.getTime() ||
  (a.tenantId < b.tenantId ? -1 : 1);

/**
 * The sample of a run out of one candidate per tenant: tenants that were never drilled first, then those whose last drill is
 * the longest ago. What the run before drilled is left out, so that no archive is tried twice in a row.
 */
export const chooseDrills = (
  candidates: readonly DrillCandidate[],
  { sample, lastRun }: { readonly sample: number; readonly lastRun: string | undefined },
): DrillCandidate[] =>
  candidates
    .filter(({ drillOperation }) => drillOperation === null || drillOperation !== lastRun)
    .toSorted(oldestFirst)
    .slice(0, sample);

/** Making and dropping a scratch database takes 70 to 240 ms (measured): over 50 archives it is 5 ms each at most. */
const sliceBackups = 50;

/** Compressed. A function has 840 s, and restoring takes far less for this much (bench `drill.tenants_per_min`). */
const sliceBytes = 256 * 1024 * 1024;

/** Where an archive is tried: its rows are loaded, then gone through again for their digests and keys. */
const routeOf = (bytes: number): StepRoute => stepRoute({ bytes: bytes * rowsOverArchive, passes: 2 });

/**
 * Chosen archives by cell and schema version, in their order, at most 50 and 256 MiB a slice; a larger archive is alone. At
 * the least one slice for each of `workers`, so that a small sample does not wait for one of them. `through` says where all of
 * them run, whatever their size.
 */
export const drillSlices = (
  chosen: readonly DrillCandidate[],
  { workers = 2, through }: { readonly workers?: number; readonly through?: StepRoute | undefined } = {},
): DrillSlice[] => {
  const most = Math.max(1, Math.min(sliceBackups, Math.ceil(chosen.length / workers)));
  const slices: { slice: Omit<DrillSlice, 'large'> & { backups: DrilledBackup[] }; bytes: number }[] = [];
  const open = new Map<string, (typeof slices)[number]>();
  for (const { cell, schemaFingerprint, tenantId, backupId, bytes } of chosen) {
    const place = `${cell} ${schemaFingerprint}`;
    let current = open.get(place);
    if (!current || current.slice.backups.length >= most || current.bytes + bytes > sliceBytes) {
      current = { slice: { cell, schemaFingerprint, backups: [] }, bytes: 0 };
      slices.push(current);
      open.set(place, current);
    }
    current.slice.backups.push({ tenantId, backupId });
    current.bytes += bytes;
  }
  return slices.map(({ slice, bytes }) => ({ ...slice, large: (through ?? routeOf(bytes)) === 'task' }));
};

export interface DrillCounts {
  /** Archives that were chosen. */
  readonly drilled: number;
  readonly passed: number;
  readonly failed: number;
  readonly refused: number;
  /** Chosen and not tried: the slice ended without an answer. */
  readonly missed: number;
}

export const countDrills = (chosen: number, results: readonly Pick<DrillResult, 'outcome'>[]): DrillCounts => {
  const of = (outcome: DrillOutcome): number => results.filter((result) => result.outcome === outcome).length;
  return {
    drilled: chosen,
    passed: of('passed'),
    failed: of('failed'),
    refused: of('refused'),
    missed: chosen - results.length,
  };
};

/** Why a run as a whole has failed, undefined when it has not: archives that could not be tried count only where nothing passed. */
export const runFailure = ({ drilled, passed, failed, refused, missed }: DrillCounts): string | undefined => {
  if (failed > 0) return `${failed} of ${drilled} archives cannot be restored; their records say why`;
  if (missed > 0) return `${missed} of ${drilled} archives were not tried: their slice ended without an answer`;
  if (refused > 0 && passed === 0) return `none of ${drilled} archives could be tried; their records say why`;
  return undefined;
};

/** Tables whose totals in the manifest are not those of its members: such a manifest contradicts itself. */
export const contradictions = ({ tables, members }: Pick<Manifest, 'tables' | 'members'>): string[] => {
  const known = new Set(tables.map(({ table }) => table));
  return [
    ...members.filter(({ root }) => !known.has(root)).map(({ root }) => root),
    ...tables.flatMap(({ table, rows }) => {
      const own = members.filter(({ root }) => root === table).reduce((sum, member) => sum + member.rows, 0);
      return own === rows ? [] : [table];
    }),
  ];
};
