import type { Manifest } from './archive.ts';
import { parseAsOf } from './as-of.ts';
import { StepFailure } from './errors.ts';
import { driftWarnings } from './restore-drift.ts';
import type { ColumnDrift } from './restore-report.ts';
import { type Scope, type TenantTable, tableName } from './scope.ts';
import { type StepRoute, stepRoute } from './step-route.ts';

/** Where a restore stands. `staged` and `compared` can be re-opened and swapped later. `restored` is one of Kubernetes
 * objects alone; it and those behind it are final. */
export const restoreStatuses = [
  'planned',
  'staged',
  'compared',
  'awaiting-approval',
  'swapped',
  'restored',
  'previewed',
  'cloned',
  'undone',
  'discarded',
  'failed',
] as const;
export type RestoreStatus = (typeof restoreStatuses)[number];

/** Days that the replaced rows are kept, so that people notice a wrong restore over a weekend and a holiday. */
const undoDays = 7;
export const undoUntilOf = (swappedAt: Date): Date => new Date(swappedAt.getTime() + undoDays * 86_400_000);

/**
 * Where the long steps of a restore of these root tables run. The longest goes through the archive's rows twice: it compares them
 * with the live ones, or takes those out and puts the others in. Live rows that have multiplied since have the route's margin.
 */
export const restoreRoute = ({ members }: Pick<Manifest, 'members'>, tables: readonly string[]): StepRoute => {
  const own = members.filter(({ root }) => tables.includes(root));
  return stepRoute({ bytes: own.reduce((sum, { bytes }) => sum + bytes, 0), passes: 2 });
};

export interface SealedBackup {
  readonly id: string;
  /** Time of the snapshot, ISO 8601 with zone. */
  readonly takenAt: string;
  /** `safety` was taken by a restore right before its swap, so as a rule it holds the very damage. */
  readonly kind?: string;
}

export interface ChosenBackup {
  readonly backup: SealedBackup;
  /** The asked time in UTC, null when none was asked. */
  readonly asOf: string | null;
  /** Seconds of changes that the backup does not contain, up to `asOf` or, without it, up to now. */
  readonly missingSeconds: number;
}

const describe = (backup: SealedBackup): string => `${backup.id} of ${new Date(backup.takenAt).toISOString()}`;

/**
 * The backup that a restore reads: the named one, else the newest sealed at or before `asOf`, else the newest that is not a
 * safety backup: an operator who names no time wants what the schedule saved, not what the last restore found.
 * Throws BackupNotFound with the backups that exist around the asked time, InvalidStepInput when both are given.
 */
export const chooseBackup = (choice: {
  readonly tenantId: string;
  readonly backups: readonly SealedBackup[];
  readonly backupId?: string | undefined;
  readonly asOf?: string | undefined;
  readonly now: Date;
}): ChosenBackup => {
  const { tenantId, backupId, now } = choice;
  if (backupId !== undefined && choice.asOf !== undefined)
    throw new StepFailure(
      'InvalidStepInput',
      `backupId ${backupId} and asOf ${choice.asOf} both name a backup; give one`,
    );
  const byAge = choice.backups.toSorted((a, b) => Date.parse(a.takenAt) - Date.parse(b.takenAt));
  const missing = (until: Date, backup: SealedBackup): number =>
    Math.max(0, Math.round((until.getTime() - Date.parse(backup.takenAt)) / 1000));
  if (backupId !== undefined) {
    const backup = byAge.find(({ id }) => id === backupId);
    if (backup) return { backup, asOf: null, missingSeconds: missing(now, backup) };
    throw new StepFailure(
      'BackupNotFound',
      `${tenantId} has no sealed backup ${backupId}; ${listed('the newest are', byAge.slice(-5).toReversed())}`,
    );
  }
  const at = choice.asOf === undefined ? now : parseAsOf(choice.asOf, now);
  const before = byAge.filter(({ takenAt }) => Date.parse(takenAt) <= at.getTime());
  const planned = choice.asOf === undefined ? before.filter(({ kind }) => kind !== 'safety') : before;
  const backup = planned.at(-1) ?? before.at(-1);
  if (backup)
    return {
      backup,
      asOf: choice.asOf === undefined ? null : at.toISOString(),
      missingSeconds: missing(at, backup),
    };
  throw new StepFailure(
    'BackupNotFound',
    `${tenantId} has no sealed backup at or before ${at.toISOString()}; ${listed('the first later ones are', byAge.slice(0, 3))}`,
  );
};

const listed = (words: string, backups: readonly SealedBackup[]): string =>
  backups.length > 0 ? `${words} ${backups.map(describe).join(', ')}` : 'there is no backup at all: run back-up-tenant';

/** Edits (insert, delete, replace, swap of neighbours) from one word to the other. */
const distance = (a: string, b: string): number => {
  const rows = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swap = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? rows[i - 2]![j - 2]! + 1 : replace;
      row.push(Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, replace, swap));
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
};

/** ` (did you mean x?)` for the candidate that is at most a third of the letters away, else the empty string. */
export const didYouMean = (name: string, candidates: readonly string[]): string => {
  const near = candidates
    .map((candidate) => ({ candidate, edits: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, edits }) => edits <= Math.max(1, Math.floor(candidate.length / 3)))
    .toSorted((a, b) => a.edits - b.edits)[0];
  return near ? ` (did you mean ${near.candidate}?)` : '';
};

const findTable = (name: string, scope: Scope, manifest: Pick<Manifest, 'backupId' | 'tables'>): TenantTable => {
  const fits = scope.tables.filter((table) => tableName(table) === name || table.name === name);
  if (fits.length === 1) return fits[0]!;
  const refuse = (why: string): never => {
    throw new StepFailure('InvalidStepInput', `tables: ${JSON.stringify(name)} ${why}`);
  };
  if (fits.length > 1) return refuse(`is in several schemas; write ${fits.map(tableName).join(' or ')}`);
  const root = scope.tables.find(({ leaves }) => leaves.some((leaf) => leaf === name || leaf.endsWith(`.${name}`)));
  if (root) return refuse(`is a partition; name the whole table ${tableName(root)}`);
  if (scope.reference.some((table) => table === name || table.endsWith(`.${name}`)))
    return refuse('is reference data that all tenants share; no tenant restore touches it');
  const dropped = manifest.tables.find(({ table }) => table === name || table.endsWith(`.${name}`));
  if (dropped)
    throw new StepFailure(
      'RestoreRefused',
      `tables: ${dropped.table} was dropped since backup ${manifest.backupId}; make it again, empty, and its rows can come back`,
    );
  const names = scope.tables.flatMap((table) => [table.name, tableName(table)]);
  return refuse(
    `is no tenant table${didYouMean(name, names)}; the tables are ${scope.tables.map(tableName).join(', ')}`,
  );
};

export interface ChosenTables {
  /** `schema.table` in foreign-key order. */
  readonly tables: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * The tables that a restore covers, in foreign-key order: the asked ones, or all that backup and database share.
 * Names are exact in case, the schema may be left out. Throws InvalidStepInput for an unknown name, RestoreRefused
 * for an asked table that the backup does not know, or that was dropped since.
 */
export const expandTables = (asked: {
  readonly tables?: readonly string[] | undefined;
  readonly scope: Scope;
  readonly manifest: Pick<Manifest, 'backupId' | 'tables'>;
}): ChosenTables => {
  const { scope, manifest } = asked;
  const then = new Set(manifest.tables.map(({ table }) => table));
  if (asked.tables && asked.tables.length > 0) {
    const wanted = new Set(asked.tables.map((name) => tableName(findTable(name, scope, manifest))));
    const unknown = [...wanted].filter((table) => !then.has(table));
    if (unknown.length > 0)
      throw new StepFailure(
        'RestoreRefused',
        `backup ${manifest.backupId} does not know ${unknown.join(', ')}: added after it was taken; leave out or choose a later backup`,
      );
    return { tables: scope.tables.map(tableName).filter((table) => wanted.has(table)), warnings: [] };
  }
  const now = new Set(scope.tables.map(tableName));
  return {
    tables: scope.tables.map(tableName).filter((table) => then.has(table)),
    warnings: [
      ...[...now]
        .filter((table) => !then.has(table))
        .map((table) => `${table} was added after the backup: stays as it is`),
      ...[...then]
        .filter((table) => !now.has(table))
        .map((table) => `${table} was dropped since the backup: not restored`),
    ],
  };
};

/** A table next to the restored ones, and the key that ties it: `public.messages (tenant_id, stream_id)`. */
export interface Neighbour {
  readonly table: string;
  readonly via: string;
}

export interface Closure {
  /** Tables outside whose rows the restored rows refer to, also through one another. */
  readonly needs: readonly Neighbour[];
  /** Tables outside with rows that refer to the restored tables, also through one another. */
  readonly referredBy: readonly Neighbour[];
}

interface Tie {
  readonly child: string;
  readonly parent: string;
  readonly via: string;
}

const reach = (from: readonly string[], ties: readonly Tie[], to: 'parent' | 'child'): Neighbour[] => {
  const seen = new Set(from);
  const found: Neighbour[] = [];
  const queue = [...from];
  for (let table = queue.shift(); table !== undefined; table = queue.shift()) {
    for (const tie of ties) {
      if ((to === 'parent' ? tie.child : tie.parent) !== table || seen.has(tie[to])) continue;
      seen.add(tie[to]);
      found.push({ table: tie[to], via: tie.via });
      queue.push(tie[to]);
    }
  }
  return found;
};

/** What hangs together with the chosen tables by foreign keys. Reference tables are left out: a restore never changes them. */
export const closure = (scope: Scope, tables: readonly string[]): Closure => {
  const names = new Set(scope.tables.map(tableName));
  const ties = scope.tables.flatMap((table) =>
    table.foreignKeys
      .filter((key) => names.has(key.references))
      .map((key) => ({
        child: tableName(table),
        parent: key.references,
        via: `${tableName(table)} (${key.columns.join(', ')})`,
      })),
  );
  return { needs: reach(tables, ties, 'parent'), referredBy: reach(tables, ties, 'child') };
};

/**
 * The chosen tables with all whose rows theirs refer to, also through one another, in foreign-key order. What the backup does
 * not know of them is left out, with a warning.
 */
export const addReferences = (
  { tables, warnings }: ChosenTables,
  { scope, manifest }: { readonly scope: Scope; readonly manifest: Pick<Manifest, 'backupId' | 'tables'> },
): ChosenTables => {
  const then = new Set(manifest.tables.map(({ table }) => table));
  const { needs } = closure(scope, tables);
  const wanted = new Set([...tables, ...needs.map(({ table }) => table)]);
  return {
    tables: scope.tables.map(tableName).filter((table) => wanted.has(table) && then.has(table)),
    warnings: [
      ...warnings,
      ...needs.map(({ table, via }) =>
        then.has(table)
          ? `${table} is restored too: ${via} refers to it`
          : `${table} is needed by ${via} and was added after the backup: stays as it is`,
      ),
    ],
  };
};

/** Live rows change only after somebody approved: beforehand (`given`), or by looking at the comparison. */
export const needsApproval = (restore: {
  readonly into: 'copy' | 'in-place';
  readonly dryRun: boolean;
  readonly approval?: 'required' | 'given' | undefined;
}): boolean => restore.into === 'in-place' && !restore.dryRun && restore.approval !== 'given';

/** What people should know before they run a plan, as sentences. */
export const planWarnings = ({ needs, referredBy }: Closure, drift: readonly ColumnDrift[]): string[] => [
  ...needs.map(({ table, via }) => `needs ${table}: ${via} refers to it, and it is not restored`),
  ...referredBy.map(({ table, via }) => `referredBy ${table}: ${via} refers to restored rows, and it is not restored`),
  ...drift.flatMap(driftWarnings),
];
