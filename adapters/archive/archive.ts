import type { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import {
  type ArchiveMember,
  archiveObject,
  archivePrefix,
  type Manifest,
  manifestKey,
  type ReferenceRows,
} from '../../domain/archive.ts';
import { StepFailure } from '../../domain/errors.ts';
import { setLegalHold } from './legal-hold.ts';
import { type BoundManifest, openManifests, packArchive } from './manifest.ts';
import { openMembers, readMember } from './member.ts';
import { type Objects, openObjects } from './objects.ts';
import type { TarFile } from './tar.ts';

/** All archives of one bucket. */
export interface Archive {
  readonly bucket: string;
  /** The bucket itself, for what is not an archive: reports, slices of a fleet, toc.dat. */
  readonly objects: Objects;
  /**
   * The manifest of the archive that `backupId` wrote. BackupNotFound where there is none; ArchiveDamaged where it cannot be
   * read or names another tenant or backup: an archive that was copied into a tenant's prefix is not that tenant's. With the
   * SHA-256 that the registry recorded also where a byte of it differs: an older manifest that was put in its place, or one
   * that points to other members, is refused.
   */
  manifest(tenantId: string, backupId: string, sha256?: string | null): Promise<Manifest>;
  /** The same with the SHA-256 of its bytes, for whoever records it, and sizes for `inspect`. */
  boundManifest(tenantId: string, backupId: string): Promise<BoundManifest>;
  /** Whether an archive of that backup was completed: its manifest is written last. */
  isComplete(tenantId: string, backupId: string): Promise<boolean>;
  /** COPY text of one member without end mark; destroyed with ArchiveDamaged when length, SHA-256 or end do not fit. */
  member(manifest: Pick<Manifest, 'tenantId' | 'backupId'>, member: ArchiveMember): Readable;
  /** The same for several members: those that lie in one object are fetched together where that is small. */
  members(
    manifest: Pick<Manifest, 'tenantId' | 'backupId'>,
    members: readonly ArchiveMember[],
  ): (member: ArchiveMember) => Readable;
  /** The same for reference rows. */
  referenceMember(reference: ReferenceRows, member: ArchiveMember): Readable;
  /**
   * Completes an archive: manifest and `files`, the members that lie in archive.tar itself, with offsets from the first of them
   * on. Answers the manifest as it was written; undefined where another attempt of the same backup completed one first.
   */
  complete(manifest: Manifest, files?: readonly TarFile[]): Promise<BoundManifest | undefined>;
  /**
   * Throws ArchiveDamaged unless every object that the manifest names is there in the length that its members need. `sizes`
   * are known already; sizes that are asked for are added, so that archives which share an object ask once.
   */
  inspect(manifest: Manifest, sizes?: Map<string, number>): Promise<void>;
  /** Deletes all objects of one backup; how many those were. */
  remove(tenantId: string, backupId: string): Promise<number>;
  /**
   * Sets or lifts S3's legal hold on all objects of one backup; how many those are, undefined where the bucket has no Object
   * Lock. Reference rows and toc.dat, which many archives share and nothing deletes, are left out.
   */
  setLegalHold(tenantId: string, backupId: string, on: boolean): Promise<number | undefined>;
  /** Backup ids that have objects in the bucket, completed or not. */
  list(tenantId: string): Promise<string[]>;
}

/** Object -> bytes that it must at least have, by the members that lie in it. */
const neededSizes = (manifest: Manifest): Map<string, number> => {
  const prefix = archivePrefix(manifest.tenantId, manifest.backupId);
  const needed = new Map<string, number>();
  const need = (key: string, bytes: number) => needed.set(key, Math.max(bytes, needed.get(key) ?? 0));
  for (const member of manifest.members) need(`${prefix}${member.object}`, member.offset + member.length);
  for (const member of manifest.reference?.members ?? [])
    need(manifest.reference?.key ?? '', member.offset + member.length);
  return needed;
};

export const openArchive = ({ bucket, s3 }: { bucket: string; s3: S3Client }): Archive => {
  const objects = openObjects(s3, bucket);
  const boundManifest = openManifests(objects);
  return {
    bucket,
    objects,
    boundManifest,
    manifest: async (tenantId, backupId, expected) => {
      const { manifest, sha256 } = await boundManifest(tenantId, backupId);
      if (expected && expected !== sha256)
        throw new StepFailure(
          'ArchiveDamaged',
          `${manifestKey(tenantId, backupId)} has SHA-256 ${sha256}, backup ${backupId} was sealed with ${expected}; restore another backup`,
        );
      return manifest;
    },
    isComplete: async (tenantId, backupId) =>
      (await objects.size(`${archivePrefix(tenantId, backupId)}${archiveObject}`)) !== undefined ||
      (await objects.size(manifestKey(tenantId, backupId))) !== undefined,
    member: (manifest, member) =>
      readMember(objects, `${archivePrefix(manifest.tenantId, manifest.backupId)}${member.object}`, member),
    members: ({ tenantId, backupId }, members) => {
      const opened = Object.entries(Object.groupBy(members, ({ object }) => object)).map(
        ([object, own = []]) =>
          [object, openMembers(objects, `${archivePrefix(tenantId, backupId)}${object}`, own)] as const,
      );
      const byObject = new Map(opened);
      return (member) => {
        const open = byObject.get(member.object);
        if (!open) throw new RangeError(`${member.table} is none of the members that were opened`);
        return open(member);
      };
    },
    referenceMember: (reference, member) => readMember(objects, reference.key, member),
    complete: async (manifest, files = []) => {
      const { tar, manifest: written, sha256 } = packArchive(manifest, files);
      const key = `${archivePrefix(manifest.tenantId, manifest.backupId)}${archiveObject}`;
      if (!(await objects.putNew(key, tar, 'application/x-tar'))) return undefined;
      return { manifest: written, sha256, sizes: new Map([[key, tar.length]]) };
    },
    inspect: async (manifest, sizes = new Map()) => {
      for (const [key, needed] of neededSizes(manifest)) {
        const size = sizes.get(key) ?? (await objects.size(key));
        if (size === undefined || size < needed)
          throw new StepFailure('ArchiveDamaged', `${key} has ${size ?? 'no'} bytes, its members need ${needed}`);
        sizes.set(key, size);
      }
    },
    remove: (tenantId, backupId) => objects.remove(archivePrefix(tenantId, backupId)),
    setLegalHold: (tenantId, backupId, on) => setLegalHold(s3, objects, archivePrefix(tenantId, backupId), on),
    list: async (tenantId) => {
      const ids = new Set<string>();
      for await (const { key } of objects.list(`t/${tenantId}/`)) ids.add(key.split('/')[2] ?? '');
      return [...ids];
    },
  };
};
