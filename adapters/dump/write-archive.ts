import { randomBytes } from 'node:crypto';
import type { ClientBase } from 'pg';
import { type ArchiveMember, archiveObject, archivePrefix, type Manifest } from '../../domain/archive.ts';
import { StepFailure } from '../../domain/errors.ts';
import type { Archive } from '../archive/archive.ts';
import type { BoundManifest } from '../archive/manifest.ts';
import { tarOffsets } from '../archive/tar.ts';
import { copyOut } from './copy-out.ts';
import type { DigestAlgorithm } from './digest.ts';
import { type TenantText, tooLargeToHold } from './group.ts';
import { type ArchiveOwner, type ExportContext, manifestOf } from './manifest.ts';
import { type PackedMember, packMember, streamMember } from './member-text.ts';
import { copyTenant, type Share } from './plan.ts';

/** COPY text that a packed tenant, or a group of them, may grow to before it is streamed: stored values can be compressed. */
export const heldBytes = 16 * 1024 * 1024;

export interface WriteRequest {
  readonly archive: Archive;
  readonly context: ExportContext;
  readonly algorithm: DigestAlgorithm;
  readonly owner: ArchiveOwner;
  readonly shares: readonly Share[];
}

type Stored = Pick<ArchiveMember, 'object' | 'offset' | 'length' | 'sha256' | 'bytes'>;

const memberOf = ({ leaf, rows, digest }: Share, algorithm: DigestAlgorithm, stored: Stored): ArchiveMember => ({
  table: leaf.path,
  root: leaf.root,
  columns: leaf.columns.map(({ name }) => name),
  rows,
  digest,
  algorithm,
  dumpId: leaf.dumpId,
  ...stored,
});

/** The digest pass and the COPY read one snapshot; another count means that one of them was filtered or cut off. */
const checkRows = (share: Share, copied: number | undefined, tenantId: string): void => {
  if (copied !== share.rows)
    throw new StepFailure(
      'BackupIncomplete',
      `${share.leaf.path} gave ${copied ?? 'no'} rows of tenant ${tenantId} where ${share.rows} were counted in the same snapshot`,
    );
};

/** COPY text of every share of one tenant, undefined when it grows past what may be held. */
export const readTenant = async (
  client: ClientBase,
  { shares, owner }: WriteRequest,
): Promise<TenantText | undefined> => {
  const texts: Buffer[][] = shares.map(() => []);
  if (shares.length === 0) return texts;
  let held = 0;
  try {
    const rows = await copyOut(
      client,
      shares.map(({ leaf }) => copyTenant(leaf, owner.tenantId)),
      (chunk, statement) => {
        held += chunk.length;
        if (held > heldBytes) {
          for (const text of texts) text.length = 0;
          return Promise.reject(tooLargeToHold);
        }
        texts[statement]?.push(chunk);
        return undefined;
      },
    );
    for (const [place, share] of shares.entries()) checkRows(share, rows[place], owner.tenantId);
    return texts;
  } catch (error) {
    if (error === tooLargeToHold) return undefined;
    throw error;
  }
};

/** Completes the archive, or answers the manifest of another attempt of the same backup that completed it first. */
const complete = async (
  { archive, owner }: WriteRequest,
  manifest: Manifest,
  files: readonly { name: string; content: Buffer }[] = [],
): Promise<BoundManifest> =>
  (await archive.complete(manifest, files)) ?? (await archive.boundManifest(owner.tenantId, owner.backupId));

/** Writes a tenant whose rows are in memory: one object, by one request that either is the archive or leaves nothing. */
export const writePacked = async (request: WriteRequest, texts: TenantText): Promise<BoundManifest> => {
  const { context, owner, shares, algorithm } = request;
  const packed: PackedMember[] = await Promise.all(texts.map(packMember));
  const offsets = tarOffsets(packed.map(({ content }) => content.length));
  const members = shares.map((share, place) => {
    const { content, sha256, bytes } = packed[place] as PackedMember;
    const offset = offsets[place] ?? 0;
    return memberOf(share, algorithm, { object: archiveObject, offset, length: content.length, sha256, bytes });
  });
  const files = packed.map(({ content }, place) => ({ name: `${shares[place]?.leaf.dumpId}.dat.gz`, content }));
  return complete(request, manifestOf(context, owner, members), files);
};

/** A large tenant on its way: one object for each of its tables, under a name of this attempt. */
export interface StreamedTenant {
  readonly shares: readonly Share[];
  /** Copies one table; several clients may copy several at once. */
  copy(client: ClientBase, share: Share): Promise<void>;
  /** Completes the archive when every table is there. */
  finish(): Promise<BoundManifest>;
  /** Removes what this attempt wrote. */
  discard(): Promise<void>;
}

/**
 * Objects of one attempt lie under a name of their own and only archive.tar, which names them, makes them an archive: two
 * attempts of the same backup, one of them late, cannot mix.
 */
export const streamTenant = (request: WriteRequest): StreamedTenant => {
  const { archive, context, owner, algorithm, shares } = request;
  const attempt = randomBytes(4).toString('hex');
  const prefix = archivePrefix(owner.tenantId, owner.backupId);
  const members = new Map<Share, ArchiveMember>();
  const discard = async (): Promise<void> => void (await archive.objects.remove(`${prefix}${attempt}/`));
  return {
    shares,
    copy: async (client, share) => {
      const object = `${attempt}/${share.leaf.dumpId}.dat.gz`;
      const statement = copyTenant(share.leaf, owner.tenantId);
      const { rows, ...stored } = await streamMember(client, statement, archive.objects, `${prefix}${object}`);
      checkRows(share, rows, owner.tenantId);
      members.set(share, memberOf(share, algorithm, { object, offset: 0, ...stored }));
    },
    finish: async () => {
      const own = shares.flatMap((share) => members.get(share) ?? []);
      const written = await archive.complete(manifestOf(context, owner, own));
      if (written) return written;
      await discard();
      return archive.boundManifest(owner.tenantId, owner.backupId);
    },
    discard,
  };
};
