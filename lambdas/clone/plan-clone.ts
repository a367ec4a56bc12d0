import * as z from 'zod';
import { readScope } from '../../adapters/catalog/read-scope.ts';
import { rowsAt } from '../../adapters/registry/placements.ts';
import { restoreIdOf, restoreSchemas } from '../../adapters/restore/layout.ts';
import type { World } from '../../adapters/world.ts';
import type { Manifest } from '../../domain/archive.ts';
import { StepFailure } from '../../domain/errors.ts';
import { cloneRequest } from '../../domain/events.ts';
import { isolations, tiers } from '../../domain/place.ts';
import { addReferences, chooseBackup, expandTables, restoreRoute } from '../../domain/restore.ts';
import { driftWarnings, hasDrift, tableDrift } from '../../domain/restore-drift.ts';
import { tableName } from '../../domain/scope.ts';
import { stepRoutes } from '../../domain/step-route.ts';
import { tenantId } from '../../domain/tenant.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    execution: z.string(),
    tenantId,
    ...cloneRequest,
    requestedBy: z.string().optional(),
    /** Where the long steps run, whatever the size of the archive. */
    through: z.enum(stepRoutes).optional(),
  }),
  output: z.object({
    restoreId: z.string(),
    newTenantId: z.string(),
    backupId: z.string(),
    takenAt: z.string(),
    missingSeconds: z.int(),
    /** Its long steps take longer than a Lambda lives: they run as container tasks. */
    large: z.boolean(),
    /** What the signup of the new tenant is told. */
    profile: z.object({
      plan: z.string(),
      region: z.string().optional(),
      name: z.string().optional(),
      adminEmail: z.string().optional(),
      adminName: z.string().optional(),
      isolation: z.enum(isolations).optional(),
      tier: z.enum(tiers).optional(),
      force: z.boolean().optional(),
      reason: z.string().optional(),
      users: z.int().optional(),
      compliance: z.array(z.string()),
      residency: z.string().optional(),
    }),
  }),
};

type Input = z.output<typeof contract.input>;

/** The schema of today is the same in every database; of a tenant that has left, a pool tells it. */
const schemaOfToday = async (world: World, source: string) => {
  const { placements, cells } = world.registry;
  const placement = await placements.get(source);
  const [cell] = await cells.list();
  const place = placement ? rowsAt(placement) : cell;
  if (!place) throw new StepFailure('NoCapacity', 'there is no cell to read the schema of the app from; add one');
  const client = await world.databases.connect(place, 'restore');
  try {
    return await readScope(client);
  } finally {
    await client.end();
  }
};

const notesOf = async (world: World, input: Input, manifest: Manifest) => {
  const scope = await schemaOfToday(world, input.tenantId);
  const named = expandTables({ tables: input.tables, scope, manifest });
  const { tables, warnings } = input.withReferences ? addReferences(named, { scope, manifest }) : named;
  const chosen = scope.tables.filter((table) => tables.includes(tableName(table)));
  const drift = chosen.map((table) => tableDrift(manifest, table, scope.lines)).filter(hasDrift);
  const empty = scope.tables.map(tableName).filter((table) => !tables.includes(table));
  return {
    tables,
    drift,
    warnings: [
      ...warnings.filter((warning) => !warning.endsWith('stays as it is')),
      ...empty.map((table) => `${table} is empty in the new tenant`),
      ...drift.flatMap(driftWarnings),
    ],
  };
};

const plan = async (world: World, input: Input): Promise<z.input<typeof contract.output>> => {
  const { registry, archive } = world;
  const { operation, tenantId: source, newTenantId } = input;
  const sealed = await registry.backups.sealed(source);
  const { backup, asOf, missingSeconds } = chooseBackup({
    tenantId: source,
    backups: sealed.flatMap(({ id, takenAt, kind }) => (takenAt === null ? [] : [{ id, takenAt, kind }])),
    backupId: input.backupId,
    asOf: input.asOf,
    now: world.now(),
  });
  const record = sealed.find(({ id }) => id === backup.id);
  const manifest = await archive.manifest(source, record?.archiveId ?? backup.id, record?.manifestSha256);
  const { tables, drift, warnings } = await notesOf(world, input, manifest);
  const id = restoreIdOf(operation);
  const { staging, undo } = restoreSchemas(id);
  const tenant = await registry.tenants.require(source);
  const restore = await registry.restores.plan({
    id,
    tenantId: newTenantId,
    sourceTenantId: source,
    operationId: operation,
    backupId: backup.id,
    takenAt: backup.takenAt,
    asOf,
    missingSeconds,
    tables,
    rows: null,
    into: 'new-tenant',
    approval: false,
    dryRun: false,
    stagingSchema: staging,
    undoSchema: undo,
    plan: { needs: [], referredBy: [], drift, warnings },
    reason: input.reason,
    requestedBy: input.requestedBy,
  });
  const { through: route = restoreRoute(manifest, restore.tables) } = input;
  const { plan: wanted, region, name, adminEmail, adminName, isolation, tier, force, reason, users } = input;
  return {
    restoreId: id,
    newTenantId,
    backupId: restore.backupId,
    takenAt: restore.takenAt.toISOString(),
    missingSeconds: restore.missingSeconds,
    large: route === 'task',
    profile: {
      plan: wanted ?? tenant.plan,
      region: region ?? tenant.region ?? undefined,
      name,
      adminEmail,
      adminName,
      isolation,
      tier,
      force,
      reason,
      users,
      compliance: input.compliance ?? [...tenant.compliance],
      residency: input.residency ?? tenant.residency ?? undefined,
    },
  };
};

/**
 * Decides what a new tenant is made of, before its name is taken: the backup of the source, the tables, what differs from the
 * schema of today. The source is read in its archives only: no lease of it is held and nothing of it changes.
 */
export const handler = step('PlanClone', contract, async (input, world) => {
  const { operation, execution, tenantId: source, requestedBy, ...asked } = input;
  const { operations, tenants } = world.registry;
  await operations.open({
    id: operation,
    kind: 'clone-tenant',
    tenantId: source,
    executionArn: execution,
    input: { tenantId: source, ...asked },
    requestedBy,
  });
  await tenants.require(source);
  if (asked.newTenantId === source)
    throw new StepFailure(
      'InvalidStepInput',
      `newTenantId ${source} is the tenant itself; name another one, or restore in place`,
    );
  return plan(world, input);
});
