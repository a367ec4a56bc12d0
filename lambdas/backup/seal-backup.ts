import * as z from 'zod';
import { archivedObjects } from '../../adapters/cluster/archived-objects.ts';
import { commitOnce } from '../../adapters/registry/endings.ts';
import type { RegistryParts } from '../../adapters/registry/registry.ts';
import type { World } from '../../adapters/world.ts';
import { archiveObject, archivePrefix } from '../../domain/archive.ts';
import { type Backup, sameDigests } from '../../domain/backup.ts';
import { StepFailure } from '../../domain/errors.ts';
import { describeFailure, type Failure, failureSchema } from '../../domain/failure.ts';
import { step } from '../step.ts';
import { backupsOf, failedBackups, leaseSeconds, shortReason, sliceFields, told } from './slice.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    ...sliceFields,
    failed: failedBackups.default([]),
    holder: z.string().optional(),
    /** Why the Kubernetes objects could not be exported, where the step itself failed. */
    objectsFailure: failureSchema.optional(),
    /** The operation is this backup's own and ends with it. */
    closes: z.boolean().default(false),
  }),
  output: z.object({
    sealed: z.array(
      z.object({
        tenantId: z.string(),
        backupId: z.string(),
        takenAt: z.string(),
        rows: z.int().nonnegative(),
        bytes: z.int().nonnegative(),
        /** Whether the Kubernetes objects of its own app are in it; absent for the shared app. */
        objects: z.enum(['archived', 'missing']).optional(),
        objectsReason: z.string().optional(),
      }),
    ),
    count: z.int().nonnegative(),
    failed: z.int().nonnegative(),
  }),
};

type Sealed = z.infer<typeof contract.output>['sealed'][number];

const described = ({ id, tenantId, takenAt, rows, bytes, objectsState, objectsReason }: Backup): Sealed => ({
  tenantId,
  backupId: id,
  takenAt: takenAt ?? '',
  rows: rows ?? 0,
  bytes: bytes ?? 0,
  ...(objectsState === 'archived' || objectsState === 'missing' ? { objects: objectsState } : {}),
  ...(objectsReason === null ? {} : { objectsReason }),
});

/** Reads the objects of its own app back; what is damaged is given up, and the rows are sealed without it. */
const inspectObjects = async (world: World, { id, tenantId, objectsState, objectsSha256 }: Backup): Promise<void> => {
  if (objectsState !== 'archived') return;
  try {
    await archivedObjects(world, tenantId, id, objectsSha256);
  } catch (error) {
    if (!(error instanceof StepFailure) || error.name !== 'ArchiveDamaged') throw error;
    await world.registry.backupObjects.drop(id, shortReason(error.message));
  }
};

/**
 * Reads back what the bucket has: the manifest as it was recorded, and every object in the length that it needs. Answers the
 * SHA-256 of the manifest, to which the record is bound from here on.
 */
const inspect = async (world: World, backup: Backup, known: Map<string, number>): Promise<string> => {
  const { manifest, sha256, sizes } = await world.archive.boundManifest(backup.tenantId, backup.archiveId);
  // Reference rows lie in an object that many archives share: it is asked for once.
  for (const [key, size] of sizes) known.set(key, size);
  await world.archive.inspect(manifest, known);
  const tables = Object.fromEntries(
    manifest.members.map(({ table, rows, digest }) => [table, [rows, digest] as const]),
  );
  const recorded = backup.digests;
  if (!recorded || !sameDigests(recorded, { ...recorded, tables }))
    throw new StepFailure(
      'BackupIncomplete',
      `backup ${backup.id} of tenant ${backup.tenantId} has a manifest of other rows than were recorded; back it up again`,
    );
  const pointed = backup.sameAs === null ? undefined : await world.registry.backups.get(backup.sameAs);
  if (pointed && (pointed.status !== 'sealed' || (pointed.manifestSha256 ?? sha256) !== sha256))
    throw new StepFailure(
      'BackupIncomplete',
      `backup ${backup.id} points to the archive of ${pointed.id}, which is ${pointed.status} and bound to another manifest or gone; back it up again`,
    );
  return sha256;
};

/** The machine's word for it, where the step could not write its own. */
const noteUnexported = async (world: World, dumped: readonly Backup[], failure: Failure): Promise<void> => {
  const { failedStep, reason } = describeFailure(failure);
  for (const { id, objectsState, objectsReason } of dumped)
    if (objectsState === 'expected' && objectsReason === null)
      await world.registry.backupObjects.noteReason(id, shortReason(`${failedStep}: ${reason}`));
};

/** What a seal of one archive may find wrong, with that archive alone. */
const ofTheArchive = (error: unknown): error is StepFailure =>
  error instanceof StepFailure && ['ArchiveDamaged', 'BackupIncomplete', 'BackupNotFound'].includes(error.name);

/** Archives that are read back at a time: each is one request of a few milliseconds. */
const atOnce = 16;

/**
 * A small archive of a fleet is one object that its dump has just written and bound: it is there, and not shorter than its
 * members. Reading all manifests back took a fifth of a fleet's time; a restore reads them against the bound SHA-256 anyway.
 */
const isThere = async (
  world: World,
  { tenantId, archiveId, bytes, manifestSha256 }: Backup,
): Promise<string | undefined> => {
  if (manifestSha256 === null) return undefined;
  const size = await world.archive.objects.size(`${archivePrefix(tenantId, archiveId)}${archiveObject}`);
  return size !== undefined && bytes !== null && size > bytes ? manifestSha256 : undefined;
};

/** Reads the archives back, many at a time: backup id -> SHA-256 of its manifest, or why it cannot be sealed. */
const inspectAll = async (
  world: World,
  backups: readonly Backup[],
  quick: boolean,
): Promise<{ manifests: Map<string, string>; reasons: Map<string, string> }> => {
  const manifests = new Map<string, string>();
  const reasons = new Map<string, string>();
  const sizes = new Map<string, number>();
  const queue = [...backups];
  const work = async (): Promise<void> => {
    for (let backup = queue.pop(); backup; backup = queue.pop()) {
      try {
        const sha256 = (quick ? await isThere(world, backup) : undefined) ?? (await inspect(world, backup, sizes));
        manifests.set(backup.id, sha256);
      } catch (error) {
        if (!ofTheArchive(error)) throw error;
        reasons.set(backup.id, `${backup.tenantId}: ${error.message}`);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return { manifests, reasons };
};

/** Seals in one transaction with the leases: whoever lost one cannot commit. A record that was sealed before stays as it is. */
const commit = (
  world: World,
  holder: string,
  tenantIds: readonly string[],
  seal: (slices: RegistryParts['slices']) => Promise<string[]>,
): Promise<string[]> =>
  world.registry.transaction(async ({ leases, slices }) => {
    const held = await leases.holdMany({ tenantIds, holder, seconds: leaseSeconds });
    const lost = tenantIds.find((tenantId) => !held.has(tenantId));
    // Says whose the lease is, or that the holder has ended.
    if (lost !== undefined) await leases.hold({ tenantId: lost, holder, seconds: leaseSeconds });
    return seal(slices);
  });

const unsealable = (tenantId: string, backup: Backup | undefined, backupId: string): string =>
  backup
    ? `${tenantId}: backup ${backupId} is ${backup.status}: ${backup.reason ?? 'it has no archive'}`
    : `${tenantId}: backup ${backupId} was never opened`;

const sealIn = async (world: World, input: z.output<typeof contract.input>) => {
  const { operation, failed, closes } = input;
  const { registry } = world;
  const holder = input.holder ?? operation;
  const backups = await backupsOf(world, input);
  const ids = new Set(backups.map(({ backupId }) => backupId));
  const reasons = new Map(failed.map(({ backupId, reason }) => [backupId, reason]));
  const known = async (): Promise<Map<string, Backup>> =>
    new Map((await registry.backups.ofOperation(operation)).map((backup) => [backup.id, backup]));
  const before = await known();
  const dumped = [...before.values()].filter(
    ({ id, status }) => ids.has(id) && status === 'dumped' && !reasons.has(id),
  );
  // A tenant that is backed up alone has its archive read back, whoever wrote it when; a fleet leaves that to its drills.
  const quick = input.sliceKey !== undefined;
  if (input.objectsFailure) await noteUnexported(world, dumped, input.objectsFailure);
  const pointing = dumped.filter(({ sameAs }) => quick && sameAs !== null).map(({ tenantId }) => tenantId);
  const pointed = new Set(
    pointing.length > 0
      ? await commit(world, holder, pointing, (slices) => slices.sealPointing(operation, pointing))
      : [],
  );
  const own = dumped.filter(({ id }) => !pointed.has(id));
  if (!quick) await Promise.all(dumped.map((backup) => inspectObjects(world, backup)));
  const { manifests, reasons: damaged } = await inspectAll(world, own, quick);
  for (const [id, reason] of damaged) reasons.set(id, reason);
  const sound = own.filter(({ id }) => manifests.has(id)).map(({ tenantId }) => tenantId);
  if (sound.length > 0) await commit(world, holder, sound, (slices) => slices.seal(manifests));
  const after = dumped.length > 0 ? await known() : before;
  const sealed: Backup[] = [];
  for (const { backupId, tenantId } of backups) {
    const backup = after.get(backupId);
    // A repeat finds what was sealed before; the lease may have been released and taken by another operation since.
    if (backup?.status === 'sealed' && !reasons.has(backupId)) sealed.push(backup);
    else if (!reasons.has(backupId)) reasons.set(backupId, unsealable(tenantId, backup, backupId));
  }
  if (sealed.length === 0 && reasons.size > 0)
    throw new StepFailure('BackupIncomplete', `no archive could be sealed: ${[...reasons.values()][0]}`);
  await registry.slices.fail([...reasons].map(([backupId, reason]) => ({ backupId, reason })));
  if (input.holder === undefined)
    await registry.leases.releaseMany({ tenantIds: backups.map(({ tenantId }) => tenantId), holder });
  const result = { sealed: sealed.slice(0, told).map(described), count: sealed.length, failed: reasons.size };
  if (closes) await registry.operations.succeed(operation, result);
  return result;
};

/**
 * Commit point: a backup that is not sealed does not exist for a restore. Archives that cannot be read back are marked
 * failed; BackupIncomplete when that is all of them, so that the machine clears up. Releases the leases unless they are a
 * parent's. A repeat answers the same.
 */
export const handler = step('SealBackup', contract, (input, world) => {
  const seal = () => sealIn(world, input);
  return input.closes ? commitOnce(world.registry, input.operation, seal) : seal();
});
