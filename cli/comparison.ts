import { type ObjectsReport, type ObjectsRequest, objectsDiff } from '../domain/restore-objects.ts';
import { instant, red, tableLines } from './print.ts';
import { duration } from './times.ts';

interface Sample {
  readonly kind: 'onlyNow' | 'onlyThen' | 'changed';
  readonly key: Readonly<Record<string, string | null>>;
  readonly columns?: readonly {
    readonly column: string;
    readonly now: string | null;
    readonly backup: string | null;
  }[];
}

interface TableDifference {
  readonly table: string;
  readonly onlyNow: number;
  readonly onlyThen: number;
  readonly changed: number;
  readonly same: number;
  readonly removesOnlyNow?: boolean;
  readonly samples?: readonly Sample[];
}

interface Neighbour {
  readonly table: string;
  readonly via: string;
}

/** A restore as the operator API answers it; only what is printed. */
export interface RestoreRecord {
  readonly id: string;
  readonly tenantId: string;
  readonly operationId: string;
  readonly backupId: string;
  readonly takenAt: string;
  readonly asOf: string | null;
  readonly missingSeconds: number;
  readonly tables: readonly string[];
  readonly rows: {
    readonly table: string;
    readonly keys?: readonly (string | number | readonly (string | number)[])[];
    readonly where?: string;
  } | null;
  readonly status: string;
  readonly into: 'copy' | 'in-place' | 'new-tenant';
  readonly sourceTenantId?: string | null;
  readonly result?: { readonly inserted: number } | null;
  readonly dryRun: boolean;
  readonly undoUntil: string | null;
  /** Kubernetes objects that were asked for, what they differ in, and what was set back. */
  readonly objects?: ObjectsRequest | null;
  readonly objectsPlan?: ObjectsReport | null;
  readonly objectsResult?: ObjectsReport | null;
  readonly safetyBackupId?: string | null;
  readonly createdAt: string;
  readonly reason: string | null;
  readonly failure: string | null;
  readonly plan: {
    readonly needs: readonly Neighbour[];
    readonly referredBy: readonly Neighbour[];
    readonly warnings: readonly string[];
  };
  readonly report: {
    readonly tables: readonly TableDifference[];
    readonly broken: readonly {
      readonly table: string;
      readonly references: string;
      readonly rows: number;
      readonly fix: string;
    }[];
    readonly unfit?: readonly {
      readonly table: string;
      readonly rule: string;
      readonly rows: number;
      readonly fix: string;
    }[];
  } | null;
}

const isTie = (warning: string): boolean => /^(needs|referredBy) /.test(warning);

/** At most two lines about foreign keys: tables that the rows refer to themselves, and all that hang on them. */
const tieLines = ({ tables, plan }: RestoreRecord): string[] => {
  const own = plan.needs.filter(({ via }) => tables.some((table) => via.startsWith(`${table} (`)));
  const names = (neighbours: readonly Neighbour[]): string =>
    [...new Set(neighbours.map(({ table }) => table))].join(', ');
  return [
    ...(own.length > 0 ? [`refers to rows of ${names(own)}, which stay as they are`] : []),
    ...(plan.referredBy.length > 0 ? [`rows of ${names(plan.referredBy)} hang on it and stay as they are`] : []),
  ];
};

const shownKeys = 20;

/** Which rows of the one table, as `--rows` has them. */
const rowsWords = ({ table, keys, where }: NonNullable<RestoreRecord['rows']>): string => {
  if (!keys) return `rows of ${table} where ${where}`;
  const shown = keys.slice(0, shownKeys).map((key) => (Array.isArray(key) ? `(${key.join(', ')})` : String(key)));
  const more = keys.length > shownKeys ? ` and ${keys.length - shownKeys} more` : '';
  return `${keys.length === 1 ? 'row' : 'rows'} of ${table} with key ${shown.join(', ')}${more}`;
};

const objectsWords = ({ kinds, names }: ObjectsRequest): string =>
  [
    'Kubernetes objects',
    ...(kinds ? [`of kind ${kinds.join(', ')}`] : []),
    ...(names ? [`named ${names.join(', ')}`] : []),
  ].join(' ');

const rowsLine = ({ rows, tables }: RestoreRecord): string =>
  rows ? `only ${rowsWords(rows)}` : `tables ${tables.join(', ')}`;

/** What will be read, and what is not in it, before anything is loaded. */
export const planLines = (restore: RestoreRecord): string[] => {
  const { backupId, takenAt, asOf, missingSeconds } = restore;
  const until = asOf ? `between then and ${instant(asOf)}` : 'since then';
  return [
    `${restore.id}  ${restore.sourceTenantId ? `${restore.sourceTenantId} into ${restore.tenantId}` : restore.tenantId}  archive ${backupId} of ${instant(takenAt)}`,
    missingSeconds > 0
      ? `not in the archive: ${duration(missingSeconds)} of changes ${until}`
      : `the archive was taken at that very second`,
    ...(restore.objects ? [objectsWords(restore.objects)] : []),
    ...(restore.objects && restore.tables.length === 0 ? [] : [rowsLine(restore)]),
    ...[...tieLines(restore), ...restore.plan.warnings.filter((warning) => !isTie(warning))].map(
      (note) => `note: ${note}`,
    ),
  ];
};

const shownSamples = 5;

const pairs = (members: Readonly<Record<string, string | null>>): string =>
  Object.entries(members)
    .map(([name, value]) => `${name}=${value ?? 'null'}`)
    .join(' ');

const words = { onlyNow: 'only now', onlyThen: 'only then', changed: 'changed' } as const;

const sampleLine = (table: string, { kind, key, columns = [] }: Sample): string => {
  const changes = columns.map(
    ({ column, now, backup }) => `${column}: now ${JSON.stringify(now)}, then ${JSON.stringify(backup)}`,
  );
  return `  ${table}  ${words[kind]}  ${pairs(key)}${changes.length > 0 ? `  ${changes.join('; ')}` : ''}`.slice(
    0,
    240,
  );
};

const tableSamples = ({ table, samples = [], onlyNow, onlyThen, changed }: TableDifference): string[] => {
  const more = onlyNow + onlyThen + changed - Math.min(samples.length, shownSamples);
  return [
    ...samples.slice(0, shownSamples).map((sample) => sampleLine(table, sample)),
    ...(samples.length > 0 && more > 0 ? [`  ${table}  ... and ${more} more`] : []),
  ];
};

/** What differs between now and then: counts of every table, then some rows of each, then the objects. */
export const comparisonLines = ({ report, objects, objectsPlan, objectsResult }: RestoreRecord): string[] => {
  const tables = report?.tables ?? [];
  const ofObjects = objectsResult ?? objectsPlan;
  const rows = tables.length > 0 || !objects ? rowLines(tables) : [];
  return [...rows, ...(ofObjects ? objectsDiff(ofObjects) : [])];
};

const rowLines = (tables: readonly TableDifference[]): string[] => [
  ...tableLines(tables, [
    { title: 'table', value: (row) => row.table },
    { title: 'only now', value: (row) => row.onlyNow, right: true },
    { title: 'only then', value: (row) => row.onlyThen, right: true },
    { title: 'changed', value: (row) => row.changed, right: true },
    { title: 'same', value: (row) => row.same, right: true },
  ]),
  ...tables.flatMap(tableSamples),
];

/** What a swap would refuse, each with its fix. */
export const brokenLines = ({ report }: RestoreRecord): string[] =>
  [
    ...(report?.broken ?? []).map(
      ({ table, references, rows, fix }) =>
        `${rows} rows of ${table} would refer to missing rows of ${references}; ${fix}`,
    ),
    ...(report?.unfit ?? []).map(
      ({ table, rule, rows, fix }) =>
        `${rows} rows of ${table} break a rule that is newer than the backup (${rule}); ${fix}`,
    ),
  ].map((line) => red(`a swap would be refused: ${line}`));
