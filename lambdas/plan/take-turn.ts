import * as z from 'zod';
import type { Placement } from '../../adapters/registry/placements.ts';
import type { PlanChange } from '../../adapters/registry/plan-changes.ts';
import type { RegistryParts } from '../../adapters/registry/registry.ts';
import type { Tenant } from '../../adapters/registry/tenants.ts';
import { StepFailure } from '../../domain/errors.ts';
import { isolations, tiers } from '../../domain/place.ts';
import { decidePlanChange, type PlanDecision, type PlanState, turnOf } from '../../domain/plan-change.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({ operation: z.string(), tenantId: z.string() }),
  output: z.object({
    /** `move`: somewhere else first, the lease is free for that; `stay`: the lease is held. */
    turn: z.enum(['wait', 'superseded', 'close-window', 'move', 'stay']),
    /** Why it waits, what it closes, or which rule decided. */
    reason: z.string(),
    tier: z.enum(tiers).optional(),
    isolation: z.enum(isolations).optional(),
    windowSeconds: z.int().optional(),
  }),
};

type Output = z.input<typeof contract.output>;

const stateOf = ({ plan, users, compliance, customDomain }: Tenant, { tier, isolation }: Placement): PlanState => ({
  plan,
  users,
  compliance,
  customDomain,
  tier,
  isolation,
});

/** Throws TenantExists before anything moves, not when the domain is written. */
const refuseForeignDomain = async ({ tenants }: RegistryParts, id: string, { customDomain }: PlanDecision) => {
  const owner = customDomain === null ? undefined : await tenants.ownerOf(customDomain);
  if (owner !== undefined && owner !== id)
    throw new StepFailure('TenantExists', `customDomain ${customDomain} belongs to another tenant; choose another one`);
};

const begin = async (parts: RegistryParts, { operationId, tenantId, wish }: PlanChange): Promise<PlanChange> => {
  const tenant = await parts.tenants.require(tenantId);
  if (tenant.status !== 'active' && tenant.status !== 'suspended')
    throw new StepFailure(
      'TenantNotReady',
      `tenant ${tenantId} is ${tenant.status} since operation ${tenant.changedBy}; only the plan of a tenant that is served can change`,
    );
  const previous = stateOf(tenant, await parts.placements.require(tenantId));
  const decision = decidePlanChange(previous, wish);
  await refuseForeignDomain(parts, tenantId, decision);
  return parts.planChanges.begin(operationId, { decision, previous });
};

const answer = ({ status, supersededBy, decision, wish }: PlanChange): Output => {
  if (status === 'superseded') return { turn: 'superseded', reason: `plan change ${supersededBy} took its place` };
  const { tier, isolation, rule, why, moves } = decision!;
  const { windowSeconds } = wish;
  return {
    turn: moves ? 'move' : 'stay',
    reason: `${rule}: ${why}`,
    tier,
    isolation,
    ...(windowSeconds === undefined ? {} : { windowSeconds }),
  };
};

/** Under the lease nobody else opens a move or begins; what keeps the change waiting, or its decision. */
const take = async (parts: RegistryParts, change: PlanChange): Promise<Output> => {
  const { leases, planChanges, moves } = parts;
  const { operationId, tenantId } = change;
  await leases.hold({ tenantId, holder: operationId, seconds: 300 });
  const other = await planChanges.running(tenantId);
  const running = other?.operationId === operationId ? undefined : other?.operationId;
  const turn = turnOf({ running, move: await moves.openOf(tenantId) });
  const answered = turn.turn === 'go' ? answer(await begin(parts, change)) : turn;
  // A move takes the lease in its own name.
  if (answered.turn !== 'stay') await leases.release({ tenantId, holder: operationId });
  return answered;
};

/**
 * Says whose turn it is. While another operation holds the tenant, or a move is on its way, it waits and keeps no lease. When its turn
 * has come it decides what the tenant becomes, by its wish, the placement rules and the plan. A repeat answers the same.
 */
export const handler = step('TakeTurn', contract, async ({ operation }, world): Promise<Output> => {
  const { registry } = world;
  const change = await registry.planChanges.require(operation);
  if (change.status === 'superseded' || (change.status === 'running' && change.decision?.moves)) return answer(change);
  try {
    return await registry.transaction((parts) => take(parts, change));
  } catch (error) {
    if (error instanceof StepFailure && error.name === 'TenantBusy') return { turn: 'wait', reason: error.message };
    throw error;
  }
});
