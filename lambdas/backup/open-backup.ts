import * as z from 'zod';
import { estimateTenant } from '../../adapters/dump/estimate.ts';
import type { Candidate } from '../../adapters/registry/slices.ts';
import type { World } from '../../adapters/world.ts';
import { type BackupKind, backupKinds } from '../../domain/backup.ts';
import { StepFailure } from '../../domain/errors.ts';
import { stepRoute, stepRoutes } from '../../domain/step-route.ts';
import type { TenantStatus } from '../../domain/tenant.ts';
import { step } from '../step.ts';
import { holdSlice, readSlice, shortReason, sliceBackups, told } from './slice.ts';

const contract = {
  input: z
    .object({
      operation: z.string(),
      execution: z.string(),
      kind: z.enum(backupKinds).default('manual'),
      tenantIds: z.array(z.string()).min(1).optional(),
      /** Where the tenants of a slice are listed, instead of tenantIds. */
      sliceKey: z.string().startsWith('fleet/').optional(),
      holder: z.string().optional(),
      reason: z.string().optional(),
      /** Where the dump runs, whatever its size. */
      through: z.enum(stepRoutes).optional(),
      requestedBy: z.string().optional(),
    })
    .refine(({ tenantIds, sliceKey }) => (tenantIds === undefined) !== (sliceKey === undefined), {
      path: ['tenantIds'],
      message: 'give either tenantIds or sliceKey',
    })
    .refine(({ kind }) => kind !== 'point-in-time', {
      path: ['kind'],
      message: 'is what recover-point-in-time alone says of its archives; leave it out',
    })
    .refine(({ kind, holder }) => !(kind === 'safety' || kind === 'final') || holder !== undefined, {
      path: ['kind'],
      message: 'is what an operation alone says, which names itself as holder; leave it out',
    }),
  output: z.object({
    cell: z.string(),
    /** Empty for a slice that is kept in the bucket. */
    backups: sliceBackups,
    count: z.int().nonnegative(),
    /** The dump takes longer than a Lambda lives: it runs as a container task. */
    large: z.boolean(),
    /** Tenants whose Kubernetes objects belong into their backups. */
    ownApps: z.int().nonnegative(),
    skipped: z.array(z.object({ tenantId: z.string(), reason: z.string() })),
  }),
};

/** The last archive is taken of a tenant that is on its way out; any other of one that lives. */
const backable = (kind: BackupKind): readonly TenantStatus[] =>
  kind === 'final' ? ['active', 'suspended', 'deprovisioning', 'failed'] : ['active', 'suspended'];

/** Database of a tenant that can be backed up; throws TenantNotFound or TenantNotReady. */
const cellOf = (tenantId: string, found: Candidate | undefined, kind: BackupKind): string => {
  if (!found) throw new StepFailure('TenantNotFound', `tenant ${tenantId} is not in the registry; check the id`);
  if (!backable(kind).includes(found.status))
    throw new StepFailure(
      'TenantNotReady',
      `tenant ${tenantId} is ${found.status}; a ${kind} backup needs one that is ${backable(kind).join(' or ')}`,
    );
  if (found.cell === null)
    throw new StepFailure('TenantNotReady', `tenant ${tenantId} has no placement; provision it first`);
  return found.cell;
};

/** Tenants whose rows are in one database, and why the others are left out. A tenant that is alone throws instead. */
const choose = async (
  world: World,
  tenantIds: readonly string[],
  kind: BackupKind,
): Promise<{ cell: string | undefined; chosen: string[]; ownApps: string[]; skipped: Map<string, string> }> => {
  const candidates = new Map(
    (await world.registry.slices.candidates(tenantIds)).map((candidate) => [candidate.tenantId, candidate]),
  );
  const chosen: string[] = [];
  const skipped = new Map<string, string>();
  let cell: string | undefined;
  for (const tenantId of tenantIds) {
    try {
      const own = cellOf(tenantId, candidates.get(tenantId), kind);
      cell ??= own;
      if (own === cell) chosen.push(tenantId);
      else skipped.set(tenantId, `its rows are in ${own} now, the slice is of ${cell}`);
    } catch (error) {
      if (tenantIds.length === 1 || !(error instanceof StepFailure)) throw error;
      skipped.set(tenantId, shortReason(error.message));
    }
  }
  return { cell, chosen, ownApps: chosen.filter((tenantId) => candidates.get(tenantId)?.ownApp), skipped };
};

/** Where one tenant's dump runs. Of a fleet that is known already: large tenants have slices of their own. */
const isLarge = async (world: World, tenantId: string, cell: string): Promise<boolean> => {
  const found = await world.registry.placements.database(cell);
  if (!found) return false;
  const bytes = await world.databases.lend(found.place, 'backup', (client) =>
    estimateTenant(client, tenantId, found.isolation),
  );
  return stepRoute({ bytes }) === 'task';
};

/**
 * Takes the leases and opens one record per tenant, under ids that a repeat finds again. A tenant that is asked for alone
 * makes the step fail when it is busy, gone or not ready; of many, such a tenant is skipped with the reason.
 */
export const handler = step('OpenBackup', contract, async (input, world) => {
  const { operation, execution, kind, sliceKey, holder = operation, reason, requestedBy } = input;
  const tenantIds = sliceKey === undefined ? (input.tenantIds ?? []) : await readSlice(world, sliceKey);
  const alone = tenantIds.length === 1;
  // In a fleet the operation is open already, and stays what it is.
  await world.registry.operations.open({
    id: operation,
    kind: 'back-up-tenant',
    tenantId: alone ? tenantIds[0] : undefined,
    executionArn: execution,
    // With tenantId it is an input of the machine again.
    input: { ...(alone ? { tenantId: tenantIds[0] } : {}), kind, tenantIds: input.tenantIds, reason },
    requestedBy,
    parent: input.holder,
  });
  const { cell = '', chosen, ownApps, skipped } = await choose(world, tenantIds, kind);
  const busy = await holdSlice(world, { tenantIds: chosen, holder, alone });
  for (const [tenantId, why] of busy) skipped.set(tenantId, why);
  const free = chosen.filter((tenantId) => !busy.has(tenantId));
  const records = await world.registry.slices.open({ operation, tenantIds: free, kind, cell, reason, ownApps });
  const opened = new Set(records.map(({ tenantId }) => tenantId));
  const lost = free.find((tenantId) => !opened.has(tenantId));
  if (lost !== undefined)
    throw new Error(`the backup id of tenant ${lost} in ${operation} is taken by another; use another operation id`);
  for (const { id, tenantId, status, reason: why } of records) {
    if (status !== 'failed') continue;
    if (alone) throw new StepFailure('StaleOperation', `backup ${id} has failed: ${why}; start a new one`);
    skipped.set(tenantId, `its backup ${id} has failed: ${why}`);
  }
  const backups = records
    .filter(({ tenantId }) => !skipped.has(tenantId))
    .map(({ id, tenantId }) => ({ tenantId, backupId: id }));
  const own = new Set(ownApps);
  const [only] = backups;
  const measured = alone && only && sliceKey === undefined && input.through === undefined;
  return {
    cell,
    large: measured ? await isLarge(world, only.tenantId, cell) : input.through === 'task',
    ownApps: backups.filter(({ tenantId }) => own.has(tenantId)).length,
    backups: sliceKey === undefined ? backups : [],
    count: backups.length,
    skipped: [...skipped].slice(0, told).map(([tenantId, why]) => ({ tenantId, reason: why })),
  };
});
