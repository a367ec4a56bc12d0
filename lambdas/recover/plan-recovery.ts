import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { World } from '../../adapters/world.ts';
import { parseAsOf } from '../../domain/as-of.ts';
import { StepFailure } from '../../domain/errors.ts';
import { recoveryRequest } from '../../domain/events.ts';
import { tenantId } from '../../domain/tenant.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    execution: z.string(),
    tenantId,
    ...recoveryRequest,
    requestedBy: z.string().optional(),
  }),
  output: z.object({ instance: z.string(), asOf: z.string() }),
};

/** `tenantry-acme-pit-3f2a1b`: at most 60 characters, 63 are allowed; the same for every attempt of an operation. */
const instanceName = (tenant: string, operation: string): string =>
  `tenantry-${tenant}-pit-${createHash('sha256').update(`${operation}/recovery`).digest('hex').slice(0, 6)}`;

/** The server whose log holds the moment. Throws RestoreRefused where no log does, ServerNotReady while it is on its way there. */
const sourceOf = async (world: World, tenant: string, at: Date) => {
  const { id, isolation, server, placedAt } = await world.registry.placements.require(tenant);
  const refuse = (why: string): never => {
    throw new StepFailure('RestoreRefused', `point in time ${at.toISOString()} of tenant ${tenant}: ${why}`);
  };
  if (isolation !== 'server' || !server)
    return refuse(
      `its rows are in isolation ${isolation}, where only archives can be restored; restore the nearest one before that time`,
    );
  if (at < placedAt)
    return refuse(`its server exists since ${placedAt.toISOString()}; restore the nearest archive before that time`);
  const state = await world.servers.describe(server.id);
  if (!state) return refuse(`server ${server.id} is gone; restore the nearest archive before that time`);
  if (state.restorableUntil === undefined || state.restorableUntil < at)
    throw new StepFailure(
      'ServerNotReady',
      `server ${server.id} can be restored to ${state.restorableUntil?.toISOString() ?? 'no moment yet'}, ${at.toISOString()} is asked for; its log follows within 5 minutes, wait for it`,
    );
  return { placementId: id, sourceInstance: server.id };
};

/** Judges whether the moment can be recovered, and names the temporary instance. Nothing of the tenant is held or changed. */
export const handler = step('PlanRecovery', contract, async (input, world) => {
  const { operation, execution, tenantId: id, asOf, reason, requestedBy } = input;
  const { operations, tenants, recoveries } = world.registry;
  await operations.open({
    id: operation,
    kind: 'recover-point-in-time',
    tenantId: id,
    executionArn: execution,
    input: { tenantId: id, asOf, ...(reason === undefined ? {} : { reason }) },
    requestedBy,
  });
  const tenant = await tenants.require(id);
  if (tenant.status !== 'active' && tenant.status !== 'suspended')
    throw new StepFailure(
      'RestoreRefused',
      `tenant ${id} is ${tenant.status}; only an active or suspended one has a server to recover from`,
    );
  const at = parseAsOf(asOf, world.now());
  const source = await sourceOf(world, id, at);
  const planned = await recoveries.plan({
    operationId: operation,
    tenantId: id,
    asOf: at,
    instance: instanceName(id, operation),
    ...source,
  });
  return { instance: planned.instance, asOf: planned.asOf.toISOString() };
});
