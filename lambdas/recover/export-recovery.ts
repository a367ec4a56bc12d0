import * as z from 'zod';
import type { Archive } from '../../adapters/archive/archive.ts';
import { exportTenants } from '../../adapters/dump/export.ts';
import { readToc } from '../../adapters/dump/toc.ts';
import { findTenant } from '../../adapters/pool/tenant.ts';
import type { DatabasePlace } from '../../adapters/postgres/connection.ts';
import { backupIdOf } from '../../adapters/registry/backups.ts';
import { type Placement, rowsAt, sharedDatabase } from '../../adapters/registry/placements.ts';
import type { Recovery } from '../../adapters/registry/recoveries.ts';
import type { World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';
import { step } from '../step.ts';
import { recoveryStep, requireRecovery } from './recovery-step.ts';

const contract = {
  input: z.object(recoveryStep),
  output: z.object({ backupId: z.string(), rows: z.int(), bytes: z.int() }),
};

/** The database of the tenant as it was: the logins of then are those of now, for they came along with the data. */
const recoveredAt = (placement: Placement, { instance, host, port }: Recovery): DatabasePlace => {
  if (host === null || port === null)
    throw new StepFailure('ServerNotReady', `server ${instance} has no address yet; wait for it`);
  return { ...rowsAt(placement), host, port };
};

/**
 * A server that a move was filling had only a part of the rows, one that the tenant had left by then had those of before: a
 * recovery of such a moment would call them the whole.
 */
const refuseElsewhere = async (world: World, place: DatabasePlace, { tenantId, asOf, sourceInstance }: Recovery) => {
  const client = await world.databases.connect(place, 'backup');
  try {
    const found = await findTenant(client, tenantId);
    if (found?.state === 'open') return;
    throw new StepFailure(
      'RestoreRefused',
      `tenant ${tenantId} was ${found?.state ?? 'not there'} on server ${sourceInstance} at ${asOf.toISOString()}; a move was under way, choose another moment or an archive`,
    );
  } finally {
    await client.end();
  }
};

/** The archive is of the asked moment; the instance itself was read later, and says so by its clock. */
const ofMoment = (archive: Archive, asOf: string): Archive => ({
  ...archive,
  complete: (manifest, files) => archive.complete({ ...manifest, takenAt: asOf }, files),
});

/**
 * Writes the tenant's rows of the temporary instance as an archive like any other, taken at the asked moment. Safe to repeat:
 * the first manifest counts. Throws RestoreRefused where the tenant was elsewhere then, BackupIncomplete.
 */
export const handler = step('ExportRecovery', contract, async (input, world, signal) => {
  const { operation, tenantId } = input;
  const recovery = await requireRecovery(world, input);
  const { backups, placements, operations } = world.registry;
  const placement = await placements.require(tenantId, recovery.placementId);
  const place = recoveredAt(placement, recovery);
  await refuseElsewhere(world, place, recovery);
  const asOf = recovery.asOf.toISOString();
  const reason = ((await operations.get(operation))?.input as { reason?: string } | undefined)?.reason;
  const backup = await backups.open({
    id: backupIdOf(operation, tenantId),
    tenantId,
    operationId: operation,
    kind: 'point-in-time',
    cell: sharedDatabase(placement),
    reason,
  });
  const written = { rows: backup.rows ?? 0, bytes: backup.bytes ?? 0 };
  if (backup.status === 'open' || backup.status === 'dumped') {
    const failed = await exportTenants({
      connect: () => world.databases.connect(place, 'backup'),
      archive: ofMoment(world.archive, asOf),
      tenants: [{ tenantId, backupId: backup.id, operation, kind: 'point-in-time' }],
      isolation: placement.isolation,
      toc: (fingerprint) => readToc(world.archive.objects, fingerprint),
      signal,
      written: async (exported) => {
        await backups.recordDump(exported.backupId, { ...exported, takenAt: asOf });
        Object.assign(written, { rows: exported.rows, bytes: exported.bytes });
      },
    });
    if (failed[0])
      throw new StepFailure(
        'BackupIncomplete',
        `no archive was written: ${tenantId}: ${failed[0].reason.slice(0, 300)}`,
      );
  }
  return { backupId: backup.id, ...written };
});
