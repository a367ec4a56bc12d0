import { z } from 'zod';
import { commitOnce } from '../../adapters/registry/endings.ts';
import type { World } from '../../adapters/world.ts';
import { type Backup, sameDigests } from '../../domain/backup.ts';
import { StepFailure } from '../../domain/errors.ts';
import { step } from '../step.ts';
import { failedBackups, sliceBackups } from './slice.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    backups: sliceBackups,
    failed: failedBackups.default([]),
    holder: z.string().optional(),
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
      }),
    ),
    count: z.int().nonnegative(),
    failed: z.int().nonnegative(),
  }),
};

/** At most so many are listed: the answer travels on in the machine's state and in the result event. */
const listed = 20;

type Sealed = z.infer<typeof contract.output>['sealed'][number];

const described = ({ id, tenantId, takenAt, rows, bytes }: Backup): Sealed => ({
  tenantId,
  backupId: id,
  takenAt: takenAt ?? '',
  rows: rows ?? 0,
  bytes: bytes ?? 0,
});

/**
 * Reads back what the bucket has: the manifest as it was recorded, and every object in the length that it needs. Answers the
 * SHA-256 of the manifest, to which the record is bound from here on.
 */
const inspect = async (world: World, backup: Backup): Promise<string> => {
  const { manifest, sha256 } = await world.archive.boundManifest(backup.tenantId, backup.archiveId);
  await world.archive.inspect(manifest);
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

const sealOne = async (world: World, backupId: string, holder: string): Promise<Backup> => {
  const backup = await world.registry.backups.get(backupId);
  if (!backup) throw new StepFailure('BackupIncomplete', `backup ${backupId} was never opened`);
  // A repeat: the lease may have been released and taken by another operation since.
  if (backup.status === 'sealed') return backup;
  if (backup.status !== 'dumped')
    throw new StepFailure(
      'BackupIncomplete',
      `backup ${backupId} is ${backup.status}: ${backup.reason ?? 'it has no archive'}`,
    );
  const manifestSha256 = await inspect(world, backup);
  return world.registry.transaction(async ({ leases, backups }) => {
    await leases.hold({ tenantId: backup.tenantId, holder, seconds: 300 });
    return backups.seal(backupId, manifestSha256);
  });
};

const sealIn = async (world: World, input: z.output<typeof contract.input>) => {
  const { operation, backups, failed, closes } = input;
  const holder = input.holder ?? operation;
  const reasons = new Map(failed.map(({ backupId, reason }) => [backupId, reason]));
  const sealed: Backup[] = [];
  for (const { backupId, tenantId } of backups) {
    if (reasons.has(backupId)) continue;
    try {
      sealed.push(await sealOne(world, backupId, holder));
    } catch (error) {
      if (
        !(error instanceof StepFailure) ||
        !['ArchiveDamaged', 'BackupIncomplete', 'BackupNotFound'].includes(error.name)
      )
        throw error;
      reasons.set(backupId, `${tenantId}: ${error.message}`);
    }
  }
  if (sealed.length === 0 && reasons.size > 0)
    throw new StepFailure('BackupIncomplete', `no archive could be sealed: ${[...reasons.values()][0]}`);
  for (const [backupId, reason] of reasons) await world.registry.backups.fail(backupId, reason);
  if (input.holder === undefined)
    for (const { tenantId } of backups) await world.registry.leases.release({ tenantId, holder });
  const result = { sealed: sealed.slice(0, listed).map(described), count: sealed.length, failed: reasons.size };
  if (closes) await world.registry.operations.succeed(operation, result);
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
