import type { Backup } from './backup.ts';
import { StepFailure } from './errors.ts';
import { didYouMean } from './restore.ts';
import type { FieldChange } from './workload/changes.ts';
import type { KubeObject } from './workload/object.ts';
import type { LeftOut, Wish } from './workload/wishes.ts';

/** Which Kubernetes objects of a backup a restore is about; all unless told. */
export interface ObjectsRequest {
  readonly kinds?: readonly string[] | undefined;
  readonly names?: readonly string[] | undefined;
  /** Also the rows of the whole tenant; those of named tables come in any case. */
  readonly withRows?: boolean | undefined;
}

/** One object, and what a restore makes of it. */
export interface ObjectChange {
  /** `apps/v1 Deployment t-acme-0a1b2c/app` */
  readonly object: string;
  readonly change: 'create' | 'update' | 'same';
  readonly as: Wish['as'];
  /** What differs from now; nothing for objects that are made. */
  readonly fields: readonly FieldChange[];
}

/** What a restore of objects would do, or did, object by object. */
export interface ObjectsReport {
  readonly cluster: string;
  readonly namespace: string;
  readonly objects: readonly ObjectChange[];
  readonly left: readonly LeftOut[];
  /** What pods read when they start changes, so they are started anew. */
  readonly restart: boolean;
}

type BackupRecord = Pick<Backup, 'id' | 'objectsState' | 'objectsReason'>;

const lack = ({ objectsState, objectsReason }: BackupRecord): string =>
  objectsState === null
    ? 'the app of the tenant was the shared one then, or the backup is older than this feature'
    : `they are ${objectsState}: ${objectsReason ?? 'the backup is not sealed'}`;

/**
 * The backups that a restore of objects may read: those that have any. Throws RestoreRefused where the named one, or every one,
 * has none.
 */
export const withObjects = <Found extends BackupRecord>(
  backups: readonly Found[],
  { tenantId, backupId }: { readonly tenantId: string; readonly backupId?: string | undefined },
): Found[] => {
  const having = backups.filter(({ objectsState }) => objectsState === 'archived');
  const named = backups.find(({ id }) => id === backupId);
  if (named && named.objectsState !== 'archived') {
    const others = having.slice(-3).map(({ id }) => id);
    throw new StepFailure(
      'RestoreRefused',
      `backupId: ${named.id} has no Kubernetes objects, ${lack(named)}; ${others.length > 0 ? `these have: ${others.join(', ')}` : 'no other backup has any, take one'}`,
    );
  }
  if (having.length === 0 && backups.length > 0)
    throw new StepFailure(
      'RestoreRefused',
      `objects: none of the ${backups.length} sealed backups of ${tenantId} has Kubernetes objects, the newest because ${lack(backups.at(-1)!)}; take a backup first`,
    );
  return having;
};

/** Throws InvalidStepInput for a request for objects that contradicts itself. */
export const checkObjectsRequest = (asked: {
  readonly objects?: ObjectsRequest | undefined;
  readonly into?: 'copy' | 'in-place' | undefined;
  readonly dryRun?: boolean | undefined;
  readonly withReferences?: boolean | undefined;
  readonly tables?: readonly string[] | undefined;
  readonly rows?: unknown;
}): void => {
  if (asked.objects === undefined) return;
  if (asked.into === 'copy' && !asked.dryRun)
    throw new StepFailure(
      'InvalidStepInput',
      'into copy with objects: Kubernetes objects cannot lie beside the live ones; use into in-place, or dryRun for the differences',
    );
  if (asked.withReferences && asked.tables === undefined && !asked.objects.withRows)
    throw new StepFailure(
      'InvalidStepInput',
      'withReferences with objects alone: no rows are restored; name tables, or leave withReferences out',
    );
};

/** Whether a request is about rows too. */
export const isAboutRows = (asked: {
  readonly objects?: ObjectsRequest | undefined;
  readonly tables?: readonly string[] | undefined;
  readonly rows?: unknown;
}): boolean =>
  asked.objects === undefined || asked.objects.withRows === true || asked.tables !== undefined || asked.rows != null;

const unknownName = (field: 'kinds' | 'names', asked: string, backupId: string, known: readonly string[]): never => {
  const all = [...new Set(known)].toSorted();
  throw new StepFailure(
    'InvalidStepInput',
    `objects.${field}: backup ${backupId} has no ${field === 'kinds' ? 'object of kind' : 'such object named'} ${JSON.stringify(asked)}${didYouMean(asked, all)}; it has ${all.join(', ')}`,
  );
};

/**
 * The objects of a backup that are asked for, in its order. Kinds are compared without case, as people write them. Throws
 * InvalidStepInput for a kind that the backup has none of, and a name that none of these kinds has.
 */
export const chooseObjects = (
  objects: readonly KubeObject[],
  { kinds, names, backupId }: ObjectsRequest & { readonly backupId: string },
): KubeObject[] => {
  const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
  const ofKinds = objects.filter(({ kind }) => kinds === undefined || kinds.some((asked) => same(asked, kind)));
  for (const asked of kinds ?? [])
    if (!objects.some(({ kind }) => same(asked, kind)))
      unknownName(
        'kinds',
        asked,
        backupId,
        objects.map(({ kind }) => kind),
      );
  for (const asked of names ?? [])
    if (!ofKinds.some(({ metadata }) => metadata.name === asked))
      unknownName(
        'names',
        asked,
        backupId,
        ofKinds.map(({ metadata }) => metadata.name),
      );
  return ofKinds.filter(({ metadata }) => names === undefined || names.includes(metadata.name));
};

/** The command by which objects are set back to what a safety backup has. */
export const wayBack = (tenantId: string, safetyBackupId: string): string =>
  `npx tenantry restore ${tenantId} --objects --backup ${safetyBackupId} --confirm ${tenantId}`;

/** How many objects a restore makes or changes. */
export const changeCount = ({ objects }: Pick<ObjectsReport, 'objects'>): number =>
  objects.filter(({ change }) => change !== 'same').length;

const shown = (value: unknown): string => {
  const text = value === undefined ? 'none' : JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 199)}…` : text;
};

const changeLines = ({ object, change, as, fields }: ObjectChange): string[] => {
  const today = as === 'today' ? '  as plan and place are today' : '';
  if (change === 'create') return [`+ ${object}${today}`];
  return [`~ ${object}${today}`, ...fields.map(({ path, from, to }) => `    ${path}: ${shown(from)} -> ${shown(to)}`)];
};

/** A report as people read it: `+` is made, `~` is changed, `!` is not restored. At most `most` lines. */
export const objectsDiff = ({ objects, left, restart }: ObjectsReport, most = 400): string[] => {
  const changing = objects.filter(({ change }) => change !== 'same');
  const same = objects.length - changing.length;
  const lines = [
    ...changing.flatMap(changeLines),
    ...(restart ? ['~ the pods of the app start anew: what they read changes'] : []),
    ...left.map(({ object, why }) => `! ${object} is not restored: ${why}`),
    `${changing.length} of ${objects.length} objects differ${same > 0 ? `, ${same} ${same === 1 ? 'is' : 'are'} as then` : ''}`,
  ];
  return lines.length > most
    ? [...lines.slice(0, most - 2), `... ${lines.length - most + 1} more`, lines.at(-1)!]
    : lines;
};
