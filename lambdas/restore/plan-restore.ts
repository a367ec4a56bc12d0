import * as z from 'zod';
import { readScope } from '../../adapters/catalog/read-scope.ts';
import { askedObjects, placeOfObjects } from '../../adapters/cluster/asked-objects.ts';
import type { Restore } from '../../adapters/registry/restores.ts';
import { checkFilter } from '../../adapters/restore/filter.ts';
import { dropSchemas, restoreIdOf, restoreSchemas } from '../../adapters/restore/layout.ts';
import { inTenantDatabase, leaseSeconds } from '../../adapters/restore/tenant-database.ts';
import type { World } from '../../adapters/world.ts';
import type { Backup } from '../../domain/backup.ts';
import { StepFailure } from '../../domain/errors.ts';
import { restoreRequest } from '../../domain/events.ts';
import {
  addReferences,
  chooseBackup,
  closure,
  expandTables,
  needsApproval,
  planWarnings,
  restoreRoute,
} from '../../domain/restore.ts';
import { hasDrift, tableDrift } from '../../domain/restore-drift.ts';
import { checkObjectsRequest, isAboutRows, withObjects } from '../../domain/restore-objects.ts';
import { parseRows } from '../../domain/rows.ts';
import { tableName } from '../../domain/scope.ts';
import { type StepRoute, stepRoutes } from '../../domain/step-route.ts';
import { tenantId } from '../../domain/tenant.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    execution: z.string(),
    tenantId,
    ...restoreRequest,
    /** `swap` opens the staged copy `restoreId` again and puts it in place. */
    action: z.enum(['restore', 'swap']).default('restore'),
    restoreId: z.string().optional(),
    requestedBy: z.string().optional(),
    /** Where the long steps run, whatever the size of the archive. */
    through: z.enum(stepRoutes).optional(),
  }),
  output: z.object({
    restoreId: z.string(),
    into: z.enum(['copy', 'in-place']),
    approval: z.boolean(),
    dryRun: z.boolean(),
    hasRows: z.boolean(),
    /** Kubernetes objects are restored, alone or before the rows. */
    hasObjects: z.boolean(),
    /** True when the copy lies in staging already: the machine goes on with CompareRestore. */
    staged: z.boolean(),
    /** Its long steps take longer than a Lambda lives: they run as container tasks. */
    large: z.boolean(),
    backupId: z.string(),
    takenAt: z.string(),
    /** The asked time in UTC, as it was understood. */
    asOf: z.string().nullable(),
    tables: z.array(z.string()),
    missingSeconds: z.int(),
    warnings: z.array(z.string()),
  }),
};

type Input = z.output<typeof contract.input>;

const answer = (
  restore: Restore,
  { into, staged, route }: { into: 'copy' | 'in-place'; staged: boolean; route: StepRoute },
): z.input<typeof contract.output> => ({
  restoreId: restore.id,
  into,
  approval: restore.approval,
  dryRun: restore.dryRun,
  hasRows: restore.objects == null || restore.tables.length > 0,
  hasObjects: restore.objects != null,
  staged,
  large: route === 'task',
  backupId: restore.backupId,
  takenAt: restore.takenAt.toISOString(),
  asOf: restore.asOf?.toISOString() ?? null,
  tables: [...restore.tables],
  missingSeconds: restore.missingSeconds,
  warnings: [...restore.plan.warnings],
});

const reopen = async (world: World, input: Input): Promise<z.input<typeof contract.output>> => {
  if (input.restoreId === undefined)
    throw new StepFailure('InvalidStepInput', 'restoreId is missing; action swap needs the id of a staged copy');
  if (input.dryRun)
    throw new StepFailure('InvalidStepInput', 'dryRun with action swap: the copy is compared already, read its report');
  if (input.objects)
    throw new StepFailure(
      'InvalidStepInput',
      'objects with action swap: a copy has rows alone; restore the objects by a request of their own',
    );
  const { archive } = world;
  const { restores, backups } = world.registry;
  const copy = await restores.require({ id: input.restoreId, tenantId: input.tenantId });
  const approval = needsApproval({ into: 'in-place', dryRun: false, approval: input.approval });
  const restore = await restores.reopen({
    id: input.restoreId,
    operation: input.operation,
    approval,
    dryRun: false,
  });
  const backup = await backups.get(copy.backupId);
  const manifest = await archive.manifest(input.tenantId, backup?.archiveId ?? copy.backupId, backup?.manifestSha256);
  const { through: route = restoreRoute(manifest, restore.tables) } = input;
  return answer(restore, { into: 'in-place', staged: true, route });
};

/** Rows kept for an undo whose time is over. */
const dropExpired = async (world: World, tenant: string, signal: AbortSignal): Promise<void> => {
  const swapped = await world.registry.restores.list({ tenantId: tenant, status: 'swapped', limit: 1_000 });
  const over = swapped.filter(({ undoUntil }) => undoUntil !== null && undoUntil < world.now());
  if (over.length === 0) return;
  await inTenantDatabase(world, tenant, signal, (client) =>
    dropSchemas(
      client,
      over.map(({ undoSchema }) => undoSchema),
    ),
  );
};

/** A tenant with a server of its own can have the very moment: its log is kept, as long as the server itself has existed. */
const momentHint = async (
  { registry }: World,
  { tenantId: tenant }: Input,
  { asOf, missingSeconds }: { asOf: string | null; missingSeconds: number },
): Promise<string[]> => {
  if (asOf === null || missingSeconds === 0) return [];
  const { isolation, placedAt } = await registry.placements.require(tenant);
  if (isolation !== 'server' || new Date(asOf) < placedAt) return [];
  return [`${tenant} has a server of its own: a point-in-time restore leaves none of those ${missingSeconds} s out`];
};

interface ChosenRows extends Pick<Restore, 'tables' | 'rows' | 'plan'> {
  readonly route: StepRoute;
}

/** Of a restore of objects alone: no row is read or touched. */
const noRows: ChosenRows = {
  tables: [],
  rows: null,
  plan: { needs: [], referredBy: [], warnings: [], drift: [] },
  route: 'lambda',
};

const chooseRows = async (
  world: World,
  input: Input,
  { backup, hint }: { backup: Pick<Backup, 'id' | 'archiveId' | 'manifestSha256'>; hint: readonly string[] },
  signal: AbortSignal,
): Promise<ChosenRows> => {
  const manifest = await world.archive.manifest(input.tenantId, backup.archiveId, backup.manifestSha256);
  const found = await inTenantDatabase(world, input.tenantId, signal, async (client) => {
    const scope = await readScope(client);
    const asked = input.rows ? [input.rows.table] : input.tables;
    const named = expandTables({ tables: asked, scope, manifest });
    const { tables, warnings } = input.withReferences ? addReferences(named, { scope, manifest }) : named;
    const chosen = scope.tables.filter((table) => tables.includes(tableName(table)));
    const rows = input.rows ? { ...input.rows, table: tables[0]! } : null;
    if (rows) await checkFilter(client, parseRows(rows, chosen[0]!));
    const drift = chosen.map((table) => tableDrift(manifest, table, scope.lines)).filter(hasDrift);
    const around = closure(scope, tables);
    return { tables, rows, around, drift, warnings: [...warnings, ...planWarnings(around, drift), ...hint] };
  });
  const { tables, rows, around, drift, warnings } = found;
  const { through: route = restoreRoute(manifest, tables) } = input;
  return { tables, rows, plan: { ...around, drift, warnings }, route };
};

const checkRequest = (input: Input): void => {
  checkObjectsRequest(input);
  if (input.rows && input.tables)
    throw new StepFailure('InvalidStepInput', 'tables and rows: rows name their own table; leave tables out');
  if (input.rows && input.withReferences)
    throw new StepFailure(
      'InvalidStepInput',
      'rows and withReferences: rows are restored alone; name the tables, or restore the rows that they refer to first',
    );
};

const plan = async (world: World, input: Input, signal: AbortSignal): Promise<z.input<typeof contract.output>> => {
  const { registry } = world;
  const { tenantId: tenant, operation, objects } = input;
  checkRequest(input);
  if (objects) await placeOfObjects(world, tenant);
  const sealed = await registry.backups.sealed(tenant);
  const { backup, asOf, missingSeconds } = chooseBackup({
    tenantId: tenant,
    backups: (objects ? withObjects(sealed, input) : sealed).flatMap(({ id, takenAt, kind }) =>
      takenAt === null ? [] : [{ id, takenAt, kind }],
    ),
    backupId: input.backupId,
    asOf: input.asOf,
    now: world.now(),
  });
  if (objects) await askedObjects(world, { tenantId: tenant, backupId: backup.id, objects });
  const hint = await momentHint(world, input, { asOf, missingSeconds });
  const record = sealed.find(({ id }) => id === backup.id)!;
  const rows = isAboutRows(input) ? await chooseRows(world, input, { backup: record, hint }, signal) : noRows;
  const into = input.into ?? (objects ? 'in-place' : 'copy');
  const dryRun = input.dryRun ?? false;
  const id = restoreIdOf(operation);
  const schemas = restoreSchemas(id);
  const restore = await registry.restores.plan({
    id,
    tenantId: tenant,
    operationId: operation,
    backupId: backup.id,
    takenAt: backup.takenAt,
    asOf,
    missingSeconds,
    tables: rows.tables,
    rows: rows.rows,
    objects: objects ?? null,
    into,
    approval: needsApproval({ into, dryRun, approval: input.approval }),
    dryRun,
    stagingSchema: schemas.staging,
    undoSchema: schemas.undo,
    plan: rows.plan,
    reason: input.reason,
    requestedBy: input.requestedBy,
  });
  return answer(restore, { into, staged: false, route: rows.route });
};

/**
 * Decides what a restore reads and touches, before anything is loaded: the backup, the tables, what hangs on them by foreign
 * keys, how the schema has changed. Changes nothing of the tenant.
 */
export const handler = step('PlanRestore', contract, async (input, world, signal) => {
  const { operation, execution, tenantId: id, requestedBy, ...asked } = input;
  const { operations, tenants, leases } = world.registry;
  await operations.open({
    id: operation,
    kind: 'restore-tenant',
    tenantId: id,
    executionArn: execution,
    input: { tenantId: id, ...asked },
    requestedBy,
  });
  const tenant = await tenants.require(id);
  if (tenant.status !== 'active' && tenant.status !== 'suspended')
    throw new StepFailure(
      'RestoreRefused',
      `tenant ${id} is ${tenant.status}; only an active or suspended one is restored`,
    );
  await leases.hold({ tenantId: id, holder: operation, seconds: leaseSeconds });
  if (input.action === 'swap') return reopen(world, input);
  await dropExpired(world, id, signal);
  return plan(world, input, signal);
});
