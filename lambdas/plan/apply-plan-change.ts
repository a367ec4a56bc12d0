import * as z from 'zod';
import type { PlanChange } from '../../adapters/registry/plan-changes.ts';
import { writePlan } from '../../adapters/registry/plan-state.ts';
import type { RegistryParts } from '../../adapters/registry/registry.ts';
import type { World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';
import { describeFailure, failureSchema } from '../../domain/failure.ts';
import { isolations, tiers } from '../../domain/place.ts';
import { changesApp, type PlanDecision } from '../../domain/plan-change.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    tenantId: z.string(),
    /** Why the move failed, as far as the machine heard: where the tenant is now decides. */
    failure: failureSchema.nullish(),
  }),
  output: z.object({
    /** `not-moved`: the tenant is not where it was to go, nothing is written; `busy`: somebody else was faster. */
    result: z.enum(['applied', 'not-moved', 'busy']),
    /** The app of its own gets another size or other hosts. */
    redeploy: z.boolean(),
    placementId: z.string().optional(),
    tier: z.enum(tiers).optional(),
    isolation: z.enum(isolations).optional(),
  }),
};

type Output = z.input<typeof contract.output>;
type Input = z.output<typeof contract.input>;

const apply = async (parts: RegistryParts, { operation, tenantId }: Input, change: PlanChange): Promise<Output> => {
  await parts.leases.hold({ tenantId, holder: operation, seconds: 600 });
  const decision = change.decision!;
  const { id: placementId, tier, isolation } = await parts.placements.require(tenantId);
  if (tier !== decision.tier || isolation !== decision.isolation)
    throw new StepFailure(
      'MoveRefused',
      `tenant ${tenantId} is at tier ${tier}, ${isolation}, not at tier ${decision.tier}, ${decision.isolation}: somebody moved it meanwhile; ask again`,
    );
  await writePlan(parts, tenantId, decision);
  return { result: 'applied', redeploy: changesApp(change.previous!, decision), placementId, tier, isolation };
};

const isThere = async (world: World, tenantId: string, { tier, isolation }: PlanDecision): Promise<boolean> => {
  const placement = await world.registry.placements.require(tenantId);
  return placement.tier === tier && placement.isolation === isolation;
};

/**
 * Commit point of what the tenant has bought: plan, users, requirements and domain are written once it is where they belong. A
 * move that failed leaves the old ones; one whose answer was lost counts by where the tenant is. A repeat changes nothing.
 */
export const handler = step('ApplyPlanChange', contract, async (input, world): Promise<Output> => {
  const { operation, tenantId, failure } = input;
  const { registry } = world;
  const change = await registry.planChanges.require(operation);
  // It gave its turn back, and nobody heard.
  if (failure && (change.status === 'waiting' || change.status === 'superseded'))
    return { result: 'busy', redeploy: false };
  if (change.status !== 'running' || !change.decision || !change.previous)
    throw new StepFailure('StaleOperation', `plan change ${operation} is ${change.status}; its turn has not come`);
  if (failure && !(await isThere(world, tenantId, change.decision))) {
    if (describeFailure(failure).error !== 'TenantBusy') return { result: 'not-moved', redeploy: false };
    await registry.planChanges.yield(operation);
    return { result: 'busy', redeploy: false };
  }
  return registry.transaction((parts) => apply(parts, input, change));
});
