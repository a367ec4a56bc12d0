import type { Isolation, Tier } from './place.ts';
import { planNamed, plans } from './plans.ts';
import { decideTier, type Override, type TenantTraits, type TierDecision, type TierWish } from './tier.ts';

/** What somebody wants a tenant to be; what is left out stays as it is. */
export interface PlanWish extends TierWish, Override {
  readonly plan: string;
  readonly users?: number | undefined;
  readonly compliance?: readonly string[] | undefined;
  /** null: no domain of its own any more. */
  readonly customDomain?: string | null | undefined;
}

/** What of a tenant a change of plan is about. */
export interface PlanState {
  readonly plan: string;
  readonly users: number | null;
  readonly compliance: readonly string[];
  readonly customDomain: string | null;
  readonly tier: Tier;
  readonly isolation: Isolation;
}

export interface PlanDecision extends PlanState {
  /** The rule that gives the tier, and why it holds. */
  readonly rule: string;
  readonly why: string;
  /** Another tier or isolation: the tenant is moved before anything is written. */
  readonly moves: boolean;
}

/** Plans by name, for a refusal: who changes a plan means one of the list, so that a slip does not become the default plan. */
export const planProblem = (plan: string): string | undefined =>
  Object.hasOwn(plans, plan)
    ? undefined
    : `plan must be one of ${Object.keys(plans).join(', ')} (got "${plan}"); see tenantry.config.ts`;

/** Another plan gives its own isolation; within one plan the rows stay, unless it no longer allows where they are. */
const isolationOf = (now: PlanState, { plan, isolation }: PlanWish): Isolation => {
  const { isolations, isolation: usual } = planNamed(plan);
  if (isolation) return isolation;
  return plan === now.plan && isolations.includes(now.isolation) ? now.isolation : usual;
};

/** A tier that the rules did not give was asked for: it stays until they give another one than before, or the plan forbids it. */
const tierOf = (now: PlanState, traits: TenantTraits, wish: PlanWish): TierDecision => {
  if (wish.tier) return { tier: wish.tier, rule: '(asked for)', why: `tier ${wish.tier} was asked for` };
  const given = decideTier(traits);
  const stays = given.tier === decideTier(now).tier && planNamed(wish.plan).tiers.includes(now.tier);
  if (!stays || given.tier === now.tier) return given;
  return { tier: now.tier, rule: '(kept)', why: `tier ${now.tier} was asked for before` };
};

/** What the tenant becomes: the wish, then the placement rules for the tier and the plan for the isolation. */
export const decidePlanChange = (now: PlanState, wish: PlanWish): PlanDecision => {
  const traits = {
    plan: wish.plan,
    users: wish.users ?? now.users,
    compliance: wish.compliance ?? now.compliance,
    customDomain: wish.customDomain === undefined ? now.customDomain : wish.customDomain,
  };
  const { tier, rule, why } = tierOf(now, traits, wish);
  const isolation = isolationOf(now, wish);
  return { ...traits, tier, isolation, rule, why, moves: tier !== now.tier || isolation !== now.isolation };
};

/** Whether the app of its own has to be deployed anew: its size is the plan's, its hosts are the tenant's. */
export const changesApp = (before: PlanState, { plan, customDomain, tier }: PlanState): boolean =>
  tier !== 'shared' && (plan !== before.plan || customDomain !== before.customDomain);

/** What stands in the way of a change that could take the tenant's lease. */
export interface Obstacles {
  /** Operation of another change of the tenant whose turn has come. */
  readonly running?: string | undefined;
  readonly move?: { readonly id: string; readonly phase: string } | undefined;
}

export type Turn =
  | { readonly turn: 'wait'; readonly reason: string }
  | { readonly turn: 'close-window'; readonly reason: string }
  | { readonly turn: 'go' };

/** Who waits for whom: a change begins when nobody else works on the tenant and no earlier move can be taken back any more. */
export const turnOf = ({ running, move }: Obstacles): Turn => {
  if (running !== undefined) return { turn: 'wait', reason: `plan change ${running} is at work` };
  if (!move) return { turn: 'go' };
  const isOver = move.phase === 'switched' || move.phase === 'returned';
  return isOver
    ? { turn: 'close-window', reason: `move ${move.id} is ${move.phase} and keeps its old place` }
    : { turn: 'wait', reason: `move ${move.id} is ${move.phase}` };
};
