import { z } from 'zod';
import { type ExportedTenant, type ExportTenant, exportTenants } from '../../adapters/dump/export.ts';
import { ensureToc } from '../../adapters/dump/toc.ts';
import { templateDatabase } from '../../adapters/pool/template.ts';
import { type DatabasePlace, roleSecret } from '../../adapters/postgres/connection.ts';
import { sqlState } from '../../adapters/postgres/sql.ts';
import type { World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';
import { step } from '../step.ts';
import { failedBackups, holdOne, shortReason, sliceBackups } from './slice.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    cell: z.string(),
    backups: sliceBackups,
    holder: z.string().optional(),
  }),
  output: z.object({
    failed: failedBackups,
    tenants: z.int().nonnegative(),
    rows: z.int().nonnegative(),
    bytes: z.int().nonnegative(),
    unchanged: z.int().nonnegative(),
  }),
};

type Failed = z.infer<typeof failedBackups>;

/** What is left to write: not what an earlier attempt sealed, and nothing whose lease is lost or whose record has ended. */
const stillToDo = async (
  world: World,
  operation: string,
  { backups, holder = operation }: { backups: z.infer<typeof sliceBackups>; holder?: string | undefined },
): Promise<{ tenants: ExportTenant[]; failed: Failed }> => {
  const tenants: ExportTenant[] = [];
  const failed: Failed = [];
  for (const { tenantId, backupId } of backups) {
    const backup = await world.registry.backups.get(backupId);
    if (backup?.status === 'sealed') continue;
    const busy = await holdOne(world, { tenantId, holder, alone: backups.length === 1 });
    const lost =
      backup?.tenantId !== tenantId || backup.operationId !== operation
        ? `operation ${operation} opened no backup ${backupId} of tenant ${tenantId}`
        : backup.status === 'failed'
          ? `it has failed already: ${backup.reason}`
          : undefined;
    const reason = busy ?? lost;
    if (reason !== undefined) {
      failed.push({ tenantId, backupId, reason: shortReason(reason) });
      continue;
    }
    const last = await world.registry.backups.newestSealed(tenantId);
    // An archive that a drill could not restore is never pointed to again.
    const previous =
      last?.schemaFingerprint && last.digests && last.drillOutcome !== 'failed'
        ? {
            archiveId: last.archiveId,
            schemaFingerprint: last.schemaFingerprint,
            digests: last.digests,
            manifestSha256: last.manifestSha256,
          }
        : undefined;
    tenants.push({ tenantId, backupId, operation, kind: backup?.kind ?? 'manual', previous });
  }
  return { tenants, failed };
};

const tocOf = (world: World, place: DatabasePlace, signal: AbortSignal) => async (fingerprint: string) => {
  const database = templateDatabase(fingerprint);
  const login = await world.secrets.credentials(roleSecret(place, 'backup'));
  return ensureToc(world.archive.objects, fingerprint, {
    host: place.host,
    port: place.port,
    database,
    login,
    signal,
    connect: async () => {
      try {
        return await world.databases.connect({ ...place, database }, 'backup');
      } catch (error) {
        // invalid_catalog_name: the pool drifted from its migrations and has no template.
        if (sqlState(error) === '3D000') return undefined;
        throw error;
      }
    },
  });
};

/**
 * Writes the archives of a slice under one snapshot and notes each as soon as it is complete. Safe to run twice and late: an
 * attempt writes objects of its own, the first manifest counts, and a backup that has ended takes no note. Throws
 * BackupIncomplete when no tenant of the slice could be written.
 */
export const handler = step('DumpDatabase', contract, async (input, world, signal) => {
  const { operation, backups } = input;
  const { tenants, failed } = await stillToDo(world, operation, input);
  const written: ExportedTenant[] = [];
  if (tenants.length > 0) {
    const found = await world.registry.placements.database(input.cell);
    if (!found) throw new StepFailure('InvalidStepInput', `cell ${input.cell} does not exist; open the backup again`);
    const { place, isolation } = found;
    const unwritten = await exportTenants({
      connect: () => world.databases.connect(place, 'backup'),
      archive: world.archive,
      tenants,
      isolation,
      toc: tocOf(world, place, signal),
      signal,
      written: async (exported) => {
        await world.registry.backups.recordDump(exported.backupId, exported);
        written.push(exported);
      },
    });
    failed.push(...unwritten.map((one) => ({ ...one, reason: shortReason(one.reason) })));
  }
  if (backups.length > 0 && failed.length === backups.length)
    throw new StepFailure('BackupIncomplete', `no archive was written: ${failed[0]?.tenantId}: ${failed[0]?.reason}`);
  const sum = (of: (exported: ExportedTenant) => number): number => written.reduce((total, one) => total + of(one), 0);
  return {
    failed,
    tenants: written.length,
    rows: sum(({ rows }) => rows),
    bytes: sum(({ bytes, sameAs }) => (sameAs === null ? bytes : 0)),
    unchanged: written.filter(({ sameAs }) => sameAs !== null).length,
  };
});
