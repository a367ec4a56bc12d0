import { randomBytes } from 'node:crypto';
import type { ClientBase } from 'pg';
import { type ArchiveMember, archivePrefix, type Manifest } from '../../domain/archive.ts';
import { StepFailure } from '../../domain/errors.ts';
import type { Archive } from '../archive/archive.ts';
import { packTar } from '../archive/tar.ts';
import { copyOut } from './copy-out.ts';
import type { DigestAlgorithm } from './digest.ts';
import { type ArchiveOwner, type ExportContext, manifestOf } from './manifest.ts';
import { type PackedMember, packMember, streamMember } from './member-text.ts';
import { copyTenant, type Share } from './plan.ts';

/** Tenants below this become one object: two PUTs for a tenant instead of one for each of its tables. */
const packedBytes = 8 * 1024 * 1024;

/** COPY text that a packed tenant may grow to before it is streamed after all: stored values can be compressed. */
const heldBytes = 16 * 1024 * 1024;

export interface WriteRequest {
  readonly archive: Archive;
  readonly context: ExportContext;
  readonly algorithm: DigestAlgorithm;
  readonly owner: ArchiveOwner;
  readonly shares: readonly Share[];
}

/** Rows that were read, and the rest of the way to a completed archive, which needs no database. */
export interface PendingArchive {
  /** Bytes in memory until `finish` is done. */
  readonly held: number;
  /** Answers the manifest that holds: another attempt's, when that one completed first. */
  finish(): Promise<Manifest>;
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

const tooLargeToHold = new Error('the rows are larger than their estimate');

/** COPY text of every share, undefined when it grows past what may be held. */
const readAll = async (client: ClientBase, { shares, owner }: WriteRequest): Promise<Buffer[][] | undefined> => {
  const texts: Buffer[][] = shares.map(() => []);
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

/** Completes the archive, or takes over the one that another attempt of the same backup completed, and drops its own objects. */
const complete = async (
  { archive, context, owner }: WriteRequest,
  attempt: string,
  members: readonly ArchiveMember[],
): Promise<Manifest> => {
  const manifest = manifestOf(context, owner, members);
  if (await archive.complete(manifest)) return manifest;
  await archive.objects.remove(`${archivePrefix(owner.tenantId, owner.backupId)}${attempt}/`);
  return archive.manifest(owner.tenantId, owner.backupId);
};

const finishPacked = async (request: WriteRequest, attempt: string, texts: Buffer[][]): Promise<Manifest> => {
  const { archive, owner, shares, algorithm } = request;
  const packed: PackedMember[] = await Promise.all(texts.map(packMember));
  const { tar, offsets } = packTar(
    shares.map(({ leaf }, place) => ({
      name: `${leaf.dumpId}.dat.gz`,
      content: packed[place]?.content ?? Buffer.alloc(0),
    })),
  );
  const object = `${attempt}/archive.tar`;
  if (shares.length > 0)
    await archive.objects.put(`${archivePrefix(owner.tenantId, owner.backupId)}${object}`, tar, 'application/x-tar');
  const members = shares.map((share, place) => {
    const { content, sha256, bytes } = packed[place] as PackedMember;
    return memberOf(share, algorithm, { object, offset: offsets[place] ?? 0, length: content.length, sha256, bytes });
  });
  return complete(request, attempt, members);
};

const streamAll = async (client: ClientBase, request: WriteRequest, attempt: string): Promise<ArchiveMember[]> => {
  const { archive, owner, algorithm } = request;
  const members: ArchiveMember[] = [];
  for (const share of request.shares) {
    const object = `${attempt}/${share.leaf.dumpId}.dat.gz`;
    const key = `${archivePrefix(owner.tenantId, owner.backupId)}${object}`;
    const { rows, ...stored } = await streamMember(
      client,
      copyTenant(share.leaf, owner.tenantId),
      archive.objects,
      key,
    );
    checkRows(share, rows, owner.tenantId);
    members.push(memberOf(share, algorithm, { object, offset: 0, ...stored }));
  }
  return members;
};

/**
 * Reads one tenant's rows. Objects of one attempt lie under a name of their own and only the manifest makes them an archive:
 * two attempts of the same backup, one of them late, cannot mix. On failure the attempt's objects are removed.
 */
export const readTenant = async (client: ClientBase, request: WriteRequest): Promise<PendingArchive> => {
  const attempt = randomBytes(4).toString('hex');
  const { archive, owner, shares } = request;
  const clearing = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } catch (error) {
      await archive.objects
        .remove(`${archivePrefix(owner.tenantId, owner.backupId)}${attempt}/`)
        .catch(() => undefined);
      throw error;
    }
  };
  const estimate = shares.reduce((sum, share) => sum + share.estimate, 0);
  const texts = shares.length === 0 ? [] : estimate <= packedBytes ? await readAll(client, request) : undefined;
  if (texts) {
    const held = texts.flat().reduce((sum, chunk) => sum + chunk.length, 0);
    return { held, finish: () => clearing(() => finishPacked(request, attempt, texts)) };
  }
  const members = await clearing(() => streamAll(client, request, attempt));
  return { held: 0, finish: () => clearing(() => complete(request, attempt, members)) };
};
