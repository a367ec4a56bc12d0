import { z } from 'zod';
import { backupIdOf } from '../../adapters/registry/backups.ts';
import { sharedDatabase } from '../../adapters/registry/placements.ts';
import type { World } from '../../adapters/world.ts';
import { type BackupKind, backupKinds } from '../../domain/backup.ts';
import { StepFailure } from '../../domain/errors.ts';
import type { TenantStatus } from '../../domain/tenant.ts';
import { step } from '../step.ts';
import { holdOne, shortReason, sliceBackups } from './slice.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    execution: z.string(),
    kind: z.enum(backupKinds).default('manual'),
    tenantIds: z.array(z.string()).min(1),
    holder: z.string().optional(),
    reason: z.string().optional(),
    requestedBy: z.string().optional(),
  }),
  output: z.object({
    cell: z.string(),
    backups: sliceBackups,
    skipped: z.array(z.object({ tenantId: z.string(), reason: z.string() })),
  }),
};

/** The last archive is taken of a tenant that is on its way out; any other of one that lives. */
const backable = (kind: BackupKind): readonly TenantStatus[] =>
  kind === 'final' ? ['active', 'suspended', 'deprovisioning', 'failed'] : ['active', 'suspended'];

/** Database of a tenant that can be backed up; throws TenantNotFound or TenantNotReady. */
const cellOf = async (world: World, tenantId: string, kind: BackupKind): Promise<string> => {
  const tenant = await world.registry.tenants.require(tenantId);
  if (!backable(kind).includes(tenant.status))
    throw new StepFailure(
      'TenantNotReady',
      `tenant ${tenantId} is ${tenant.status}; a ${kind} backup needs one that is ${backable(kind).join(' or ')}`,
    );
  return sharedDatabase(await world.registry.placements.require(tenantId));
};

/** Why one tenant of a slice is left out; a failure of the infrastructure is nobody's and ends the step. */
const skipReason = (error: unknown): string => {
  if (error instanceof StepFailure && (error.name === 'TenantNotFound' || error.name === 'TenantNotReady'))
    return shortReason(error.message);
  throw error;
};

/**
 * Takes the leases and opens one record per tenant, under ids that a repeat finds again. A tenant that is asked for alone
 * makes the step fail when it is busy, gone or not ready; of many, such a tenant is skipped with the reason.
 */
export const handler = step('OpenBackup', contract, async (input, world) => {
  const { operation, execution, kind, tenantIds, holder = operation, reason, requestedBy } = input;
  const alone = tenantIds.length === 1;
  // In a fleet the operation is open already, and stays what it is.
  await world.registry.operations.open({
    id: operation,
    kind: 'back-up-tenant',
    tenantId: alone ? tenantIds[0] : undefined,
    executionArn: execution,
    // With tenantId it is an input of the machine again.
    input: { ...(alone ? { tenantId: tenantIds[0] } : {}), kind, tenantIds, reason },
    requestedBy,
    parent: input.holder,
  });
  const backups: z.infer<typeof sliceBackups> = [];
  const skipped: { tenantId: string; reason: string }[] = [];
  let cell: string | undefined;
  for (const tenantId of tenantIds) {
    const skip = (why: string): void => void skipped.push({ tenantId, reason: why });
    try {
      const own = await cellOf(world, tenantId, kind);
      cell ??= own;
      if (own !== cell) {
        skip(`its rows are in ${own} now, the slice is of ${cell}`);
        continue;
      }
    } catch (error) {
      if (alone) throw error;
      skip(skipReason(error));
      continue;
    }
    const busy = await holdOne(world, { tenantId, holder, alone });
    if (busy !== undefined) {
      skip(busy);
      continue;
    }
    const backupId = backupIdOf(operation, tenantId);
    const backup = await world.registry.backups.open({
      id: backupId,
      tenantId,
      operationId: operation,
      kind,
      cell,
      reason,
    });
    if (backup.status === 'failed') {
      if (alone)
        throw new StepFailure('StaleOperation', `backup ${backupId} has failed: ${backup.reason}; start a new one`);
      skip(`its backup ${backupId} has failed: ${backup.reason}`);
    } else backups.push({ tenantId, backupId });
  }
  return { cell: cell ?? '', backups, skipped };
});
