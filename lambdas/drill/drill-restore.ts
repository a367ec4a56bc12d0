import * as z from 'zod';
import { openScratchDrills, type ScratchDrills } from '../../adapters/drill/drill.ts';
import { templateDatabase } from '../../adapters/pool/template.ts';
import type { World } from '../../adapters/world.ts';
import type { Backup } from '../../domain/backup.ts';
import type { DrilledBackup, DrillResult } from '../../domain/drill.ts';
import { type FailureName, StepFailure } from '../../domain/errors.ts';
import { step } from '../step.ts';
import { drilledBackups } from './drill-list.ts';
import { inScratchOf } from './scratch-server.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    cell: z.string(),
    schemaFingerprint: z.string(),
    backups: drilledBackups,
  }),
  output: z.object({
    passed: z.int().nonnegative(),
    failed: z.int().nonnegative(),
    refused: z.int().nonnegative(),
  }),
};

/** Failures that say something about the archive; any other one is the infrastructure's, and the machine tries again. */
const verdicts: ReadonlySet<FailureName> = new Set([
  'ArchiveDamaged',
  'BackupNotFound',
  'ForeignRows',
  'BrokenReferences',
]);

const tried = async (
  world: World,
  backup: Backup,
  scratch: ScratchDrills,
  signal: AbortSignal,
): Promise<string | null> => {
  const { archive } = world;
  try {
    const manifest = await archive.manifest(backup.tenantId, backup.archiveId, backup.manifestSha256);
    await scratch.drill(
      {
        tenantId: backup.tenantId,
        manifest,
        openMember: (member) => archive.member(manifest, member),
        openReference: (reference, member) => archive.referenceMember(reference, member),
      },
      signal,
    );
    return null;
  } catch (error) {
    if (error instanceof StepFailure && verdicts.has(error.name)) return `${error.name}: ${error.message}`;
    throw error;
  }
};

/** What is left of a slice: not what an earlier attempt of this operation drilled, and nothing that was deleted meanwhile. */
const stillToDo = async (world: World, operation: string, backups: readonly DrilledBackup[]): Promise<Backup[]> => {
  const done = new Set((await world.registry.drills.ofOperation(operation)).map(({ backupId }) => backupId));
  const left: Backup[] = [];
  for (const { backupId, tenantId } of backups) {
    if (done.has(backupId)) continue;
    const backup = await world.registry.backups.get(backupId);
    if (backup?.tenantId === tenantId && backup.status === 'sealed') left.push(backup);
  }
  return left;
};

/**
 * Restores every archive of a slice into a scratch database of its schema version, as a login that is no superuser, and notes
 * on its record whether what came back is what the manifest says. Reads archives only: it holds no lease and logs in to no
 * tenant's database. Safe to run twice and late: an attempt has a scratch database of its own and goes on where the last one
 * stopped.
 */
export const handler = step('DrillRestore', contract, async (input, world, signal) => {
  const { operation, schemaFingerprint, cell } = input;
  const { drills } = world.registry;
  const left = await stillToDo(world, operation, input.backups);
  const note = async ({ tenantId, id }: Backup, result: Pick<DrillResult, 'outcome' | 'reason'>): Promise<void> => {
    await drills.record({
      tenantId,
      backupId: id,
      operation,
      ...result,
      reason: result.reason?.slice(0, 2_000) ?? null,
    });
  };
  const refuseAll = async (reason: string): Promise<void> => {
    for (const backup of left) await note(backup, { outcome: 'refused', reason });
  };
  if (left.length > 0) {
    const template = templateDatabase(schemaFingerprint);
    const place = await inScratchOf(world, { cell, template, signal }, async (client) => {
      const scratch = await openScratchDrills(client);
      if (scratch.scope.fingerprint !== schemaFingerprint) return false;
      for (const backup of left) {
        signal.throwIfAborted();
        const reason = await tried(world, backup, scratch, signal);
        await note(backup, { outcome: reason === null ? 'passed' : 'failed', reason });
      }
      return true;
    });
    if (!place)
      await refuseAll(
        `cell ${cell} has no template database of schema version ${schemaFingerprint.slice(0, 12)}, so there is no place to try it: its schema drifted from its migrations`,
      );
  }
  const found = (await drills.ofOperation(operation)).filter((one) =>
    input.backups.some(({ backupId }) => backupId === one.backupId),
  );
  const count = (outcome: DrillResult['outcome']): number => found.filter((one) => one.outcome === outcome).length;
  return { passed: count('passed'), failed: count('failed'), refused: count('refused') };
});
