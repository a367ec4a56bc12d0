import * as z from 'zod';
import { StepFailure } from '../../domain/errors.ts';
import { planChangeRequest } from '../../domain/events.ts';
import { planProblem } from '../../domain/plan-change.ts';
import { tenantId } from '../../domain/tenant.ts';
import { refuseForbidden } from '../../domain/tier.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    execution: z.string(),
    tenantId,
    ...planChangeRequest,
    requestedBy: z.string().optional(),
  }),
  output: z.object({ status: z.string() }),
};

/**
 * Notes what the tenant shall be. The wish waits for its turn; an older one that still waits is superseded by it. Throws PlanForbids
 * for a tier or isolation that the new plan does not allow, InvalidStepInput for a plan that there is not.
 */
export const handler = step('OpenPlanChange', contract, async (input, world) => {
  const { operation, execution, tenantId: id, requestedBy, ...wish } = input;
  const { operations, tenants, planChanges } = world.registry;
  await operations.open({
    id: operation,
    kind: 'change-plan',
    tenantId: id,
    executionArn: execution,
    input: { tenantId: id, ...wish },
    requestedBy,
  });
  const { status, changedBy } = await tenants.require(id);
  const problem = planProblem(wish.plan);
  if (problem) throw new StepFailure('InvalidStepInput', problem);
  refuseForbidden(wish.plan, wish);
  if (status === 'deprovisioning' || status === 'deprovisioned' || status === 'failed')
    throw new StepFailure(
      'TenantNotReady',
      `tenant ${id} is ${status} since operation ${changedBy}; only the plan of a tenant that is served can change`,
    );
  return { status: (await planChanges.record({ operationId: operation, tenantId: id, wish, requestedBy })).status };
});
