import { type Digests, sameDigests } from '../../domain/backup.ts';
import type { Archive } from '../archive/archive.ts';
import type { BoundManifest } from '../archive/manifest.ts';
import { quickDigest } from './digest.ts';
import type { ArchiveOwner } from './manifest.ts';

/** A tenant's last sealed archive; when not a row has changed since, it is pointed to instead of being written again. */
export interface PreviousArchive {
  readonly archiveId: string;
  readonly schemaFingerprint: string;
  readonly digests: Digests;
  /** SHA-256 of its manifest, where it was recorded: a tampered archive is written anew, not pointed to. */
  readonly manifestSha256?: string | null;
  /** What the record says of it. Given, the archive itself is not looked at: that is up to whoever gives it. */
  readonly trusted?: { readonly rows: number; readonly bytes: number };
}

export interface ExportTenant extends ArchiveOwner {
  readonly previous?: PreviousArchive | undefined;
}

export interface ExportedTenant {
  readonly tenantId: string;
  readonly backupId: string;
  readonly takenAt: string;
  readonly rows: number;
  /** Compressed bytes of the members. */
  readonly bytes: number;
  readonly schemaFingerprint: string;
  readonly digests: Digests;
  /** Backup whose archive holds the same rows; null when this backup has its own. */
  readonly sameAs: string | null;
  /** Hex SHA-256 of the manifest's bytes; null where it was not looked at. */
  readonly manifestSha256: string | null;
}

/** What a manifest says about its backup: also that of another attempt, which took its snapshot at another time. */
export const exportedBy = ({ manifest, sha256 }: Pick<BoundManifest, 'manifest' | 'sha256'>): ExportedTenant => ({
  tenantId: manifest.tenantId,
  backupId: manifest.backupId,
  takenAt: manifest.takenAt,
  rows: manifest.members.reduce((sum, member) => sum + member.rows, 0),
  bytes: manifest.members.reduce((sum, member) => sum + member.length, 0),
  schemaFingerprint: manifest.schema.fingerprint,
  digests: {
    algorithm: manifest.members[0]?.algorithm ?? quickDigest,
    major: Number.parseInt(manifest.postgresVersion, 10),
    tables: Object.fromEntries(manifest.members.map(({ table, rows, digest }) => [table, [rows, digest] as const])),
  },
  sameAs: null,
  manifestSha256: sha256,
});

/** True when the tenant's rows are those of its last archive, under the same schema. */
export const isUnchanged = (
  { previous }: ExportTenant,
  now: { readonly schemaFingerprint: string; readonly digests: Digests },
): boolean => previous?.schemaFingerprint === now.schemaFingerprint && sameDigests(previous.digests, now.digests);

/** The previous archive as this backup's; undefined where it is looked at and is not whole. */
export const pointToPrevious = async (
  archive: Archive,
  { tenantId, backupId, previous }: ExportTenant,
  takenAt: string,
): Promise<ExportedTenant | undefined> => {
  if (!previous) return undefined;
  const { archiveId, schemaFingerprint, digests, trusted } = previous;
  if (trusted)
    return {
      tenantId,
      backupId,
      takenAt,
      ...trusted,
      schemaFingerprint,
      digests,
      sameAs: archiveId,
      manifestSha256: null,
    };
  try {
    const bound = await archive.boundManifest(tenantId, archiveId);
    if (previous.manifestSha256 && previous.manifestSha256 !== bound.sha256) return undefined;
    await archive.inspect(bound.manifest, bound.sizes);
    return { ...exportedBy(bound), backupId, takenAt, sameAs: archiveId };
  } catch {
    // Whatever is wrong with the old archive: a new one is written, and that mends it.
    return undefined;
  }
};
