import * as z from 'zod';
import { offboardRequest } from '../../domain/events.ts';
import { tenantId } from '../../domain/tenant.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    execution: z.string(),
    tenantId,
    ...offboardRequest,
    requestedBy: z.string().optional(),
  }),
  output: z.object({
    tenantId: z.string(),
    graceSeconds: z.int(),
    /** A tenant that is `failed` has its last archive, or never had a row of its own; what is left of it may be no database. */
    saved: z.boolean(),
  }),
};

/** A week: long enough for somebody to notice that the wrong customer was taken off. */
const defaultGraceSeconds = 7 * 86_400;

/** Seconds beyond the grace period for which the lease holds, for the archive before and the release after it. */
const workSeconds = 7_200;

/** Takes the tenant off the air and reserves it for this operation until its grace period is over. */
export const handler = step('OpenOffboarding', contract, async (input, world) => {
  const { operation, execution, tenantId: id, graceSeconds = defaultGraceSeconds, reason, requestedBy } = input;
  const { operations } = world.registry;
  await operations.open({
    id: operation,
    kind: 'deprovision-tenant',
    tenantId: id,
    executionArn: execution,
    input: { tenantId: id, graceSeconds, ...(reason === undefined ? {} : { reason }) },
    requestedBy,
  });
  const { previousStatus } = await world.registry.transaction(async ({ leases, tenants, routes }) => {
    await tenants.require(id);
    await leases.hold({ tenantId: id, holder: operation, seconds: graceSeconds + workSeconds });
    const tenant = await tenants.move(id, {
      from: ['active', 'suspended', 'failed'],
      to: 'deprovisioning',
      operation,
    });
    await routes.turn(id, 'off');
    return tenant;
  });
  return { tenantId: id, graceSeconds, saved: previousStatus === 'failed' };
});
