import type { ArchiveMember, Manifest, ReferenceRows } from '../../domain/archive.ts';
import type { BackupKind } from '../../domain/backup.ts';
import { type Scope, tableName } from '../../domain/scope.ts';
import { addDigests } from './digest.ts';
import type { Snapshot } from './snapshot.ts';

/** What all archives of one export share. */
export interface ExportContext {
  readonly snapshot: Snapshot;
  readonly scope: Scope;
  readonly isolation: Manifest['isolation'];
  readonly tocKey: string | undefined;
  readonly reference: ReferenceRows | undefined;
}

export interface ArchiveOwner {
  readonly tenantId: string;
  readonly backupId: string;
  readonly operation: string;
  readonly kind: BackupKind;
}

const sequencesNote =
  'Sequences are not in the archive: they belong to all tenants. Tenantry raises them above the restored keys; after a pg_restore of its own each starts at 1, so set it with setval().';

const totals = (scope: Scope, members: readonly ArchiveMember[]): Manifest['tables'] => {
  const byRoot = Map.groupBy(members, ({ root }) => root);
  return scope.tables.map((table) => {
    const name = tableName(table);
    const own = byRoot.get(name) ?? [];
    return {
      table: name,
      rows: own.reduce((sum, { rows }) => sum + rows, 0),
      digest: own.reduce((sum, { digest }) => addDigests(sum, digest), '0'),
    };
  });
};

export const manifestOf = (
  { snapshot, scope, isolation, tocKey, reference }: ExportContext,
  owner: ArchiveOwner,
  members: readonly ArchiveMember[],
): Manifest => ({
  format: 'tenantry-archive/2',
  ...owner,
  takenAt: snapshot.takenAt,
  snapshotLsn: snapshot.lsn,
  postgresVersion: snapshot.postgresVersion,
  isolation,
  schema: { fingerprint: scope.fingerprint, lines: [...scope.lines] },
  ...(tocKey === undefined ? {} : { tocKey }),
  tables: totals(scope, members),
  members: [...members],
  ...(reference === undefined ? {} : { reference }),
  sequencesNote,
});
