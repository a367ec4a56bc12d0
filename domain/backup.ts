import type { ArchiveMember } from './archive.ts';
import { type Plan, planNamed } from './plans.ts';
import { stepRoute } from './step-route.ts';

/** `point-in-time`: of a moment at which nobody took one, out of the log of the tenant's own server. */
export const backupKinds = ['manual', 'scheduled', 'safety', 'final', 'point-in-time'] as const;
export type BackupKind = (typeof backupKinds)[number];

/** `open`: its operation is at work. `dumped`: the archive is written. Only `sealed` ones exist for a restore. */
export type BackupStatus = 'open' | 'dumped' | 'sealed' | 'failed' | 'deleted';

/** Digests of all members of an archive, comparable with those of another snapshot of the same schema and server. */
export interface Digests {
  readonly algorithm: ArchiveMember['algorithm'];
  /** PostgreSQL's major version: the hash functions behind record-v2 may change with it. */
  readonly major: number;
  /** `schema.table` of the leaf -> rows and digest; leaves without rows are left out. */
  readonly tables: Readonly<Record<string, readonly [rows: number, digest: string]>>;
}

/** `refused`: the archive could not be tried, for example because no template of its schema version is left. */
export const drillOutcomes = ['passed', 'failed', 'refused'] as const;
export type DrillOutcome = (typeof drillOutcomes)[number];

/**
 * Kubernetes objects of a tenant's own app in a backup. `expected`: not exported yet. `missing`: sealed without them, because the
 * rows are worth more than the objects.
 */
export type ObjectsState = 'expected' | 'archived' | 'missing';

/** The record of one backup of one tenant. */
export interface Backup {
  readonly id: string;
  readonly tenantId: string;
  readonly operationId: string;
  readonly kind: BackupKind;
  readonly status: BackupStatus;
  readonly cell: string;
  /** Time of the snapshot, ISO 8601 UTC with microseconds; null until dumped. */
  readonly takenAt: string | null;
  readonly rows: number | null;
  /** Compressed bytes of the members. */
  readonly bytes: number | null;
  readonly schemaFingerprint: string | null;
  readonly digests: Digests | null;
  /** The earlier backup whose objects this one points to, because not a row had changed since. */
  readonly sameAs: string | null;
  /** Id under which the archive lies: `sameAs`, or the backup's own. Readers open `archive.manifest(tenantId, archiveId)`. */
  readonly archiveId: string;
  /** Hex SHA-256 of the bytes of manifest.json: what a reader must find. Null until sealed, and before registry migration 007. */
  readonly manifestSha256: string | null;
  /** Null where the tenant had no app of its own. */
  readonly objectsState: ObjectsState | null;
  readonly objectsCount: number | null;
  /** Hex SHA-256 of the bytes of kubernetes/manifest.json under the backup's own id, also where its rows are `sameAs` others. */
  readonly objectsSha256: string | null;
  /** Why they are missing. */
  readonly objectsReason: string | null;
  /** What the last drill of that archive found; null before the first. */
  readonly drilledAt: Date | null;
  readonly drillOutcome: DrillOutcome | null;
  readonly drillReason: string | null;
  /** Legal hold: while it stands nothing deletes the backup. */
  readonly heldAt: Date | null;
  readonly heldBy: string | null;
  readonly holdReason: string | null;
  readonly deletedAt: Date | null;
  readonly reason: string | null;
  readonly openedAt: Date;
  readonly sealedAt: Date | null;
}

/** True when both were taken of the same rows: same tables, counts and digests, by the same hash functions. */
export const sameDigests = (a: Digests, b: Digests): boolean => {
  if (a.algorithm !== b.algorithm || a.major !== b.major) return false;
  const names = Object.keys(a.tables);
  if (names.length !== Object.keys(b.tables).length) return false;
  return names.every((name) => {
    const [mine, other] = [a.tables[name], b.tables[name]];
    return mine?.[0] === other?.[0] && mine?.[1] === other?.[1];
  });
};

/**
 * Seconds after which a tenant of that plan is due. Half the interval: a schedule fires a little early or late, and a backup
 * that was taken 23 h 59 min ago by yesterday's run must not make today's skip the tenant.
 */
export const dueAfterSeconds = (plan: Pick<Plan, 'backupEverySeconds'>): number => plan.backupEverySeconds / 2;

export interface BackupAge {
  readonly tenantId: string;
  readonly cell: string;
  readonly plan: string;
  /** Of the newest sealed backup; null when there is none. */
  readonly takenAt: Date | null;
  /** Bytes of its archive; null when there is none. */
  readonly bytes: number | null;
}

/** Whether a tenant's newest sealed backup is too old for its plan. */
export const isDue = ({ plan, takenAt }: BackupAge, now: Date): boolean =>
  takenAt === null || now.getTime() - takenAt.getTime() >= dueAfterSeconds(planNamed(plan)) * 1_000;

/** Tenants of one cell that are dumped under one snapshot. */
export interface BackupSlice {
  readonly cell: string;
  readonly tenantIds: readonly string[];
  /** One tenant that takes longer than a Lambda lives. */
  readonly large: boolean;
}

/**
 * Every slice scans the tables of its pool once to find out who changed, whatever number of tenants it has: many tenants share
 * that. 5,000 small ones take half a minute, so that their snapshot holds vacuum back nowhere.
 */
const sliceSize = 5_000;

/** Rows take about four times the bytes of their archive (text 4 to 17, files that are compressed already 1). */
export const rowsOverArchive = 4;

const rowBytes = ({ bytes }: BackupAge): number => (bytes ?? 0) * rowsOverArchive;

/**
 * Due tenants by cell, the longest without a backup first: at most 5,000 a slice, and no more bytes than one Lambda dumps. A
 * tenant that is too large for a Lambda has a slice for itself.
 */
export const slicesOf = (due: readonly BackupAge[]): BackupSlice[] => {
  const byAge = due.toSorted((a, b) => (a.takenAt?.getTime() ?? 0) - (b.takenAt?.getTime() ?? 0));
  return [...Map.groupBy(byAge, ({ cell }) => cell)].flatMap(([cell, tenants]) => {
    const slices: { tenantIds: string[]; bytes: number }[] = [];
    for (const tenant of tenants.filter((one) => stepRoute({ bytes: rowBytes(one) }) === 'lambda')) {
      const bytes = rowBytes(tenant);
      const last = slices.at(-1);
      if (last && last.tenantIds.length < sliceSize && stepRoute({ bytes: last.bytes + bytes }) === 'lambda') {
        last.tenantIds.push(tenant.tenantId);
        last.bytes += bytes;
      } else slices.push({ tenantIds: [tenant.tenantId], bytes });
    }
    const large = tenants.filter((one) => stepRoute({ bytes: rowBytes(one) }) === 'task');
    return [
      ...large.map(({ tenantId }) => ({ cell, tenantIds: [tenantId], large: true })),
      ...slices.map(({ tenantIds }) => ({ cell, tenantIds, large: false })),
    ];
  });
};

/** Days in which every archive that is pointed to again and again is looked at once. */
const lookEveryDays = 30;

/**
 * Whether today is the tenant's day: on the others an unchanged archive is pointed to without a request to the bucket, which
 * would cost more than all the rest of an unchanged tenant. Drills restore a sample of them besides.
 */
export const isLookedAt = (tenantId: string, now: Date): boolean => {
  let hash = 0;
  for (const letter of tenantId) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) % 1_000_003;
  return hash % lookEveryDays === Math.floor(now.getTime() / 86_400_000) % lookEveryDays;
};
