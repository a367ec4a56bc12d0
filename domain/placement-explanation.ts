import { type MonthlyCost, monthlyCost } from './cost.ts';
import { type Isolation, isolations, type Tier, tiers } from './place.ts';
import { type CellLoad, type ClusterLoad, type PlacementDecision, placeTenant, type ServerLoad } from './placement.ts';
import { planNamed, planNameOf } from './plans.ts';
import { type CapacityEvidence, capacityEvidence } from './quota.ts';
import {
  decidePlace,
  forbiddenBy,
  type Override,
  type TenantTraits,
  type TierDecision,
  type TierWish,
} from './tier.ts';

export interface PlacementQuestion extends TenantTraits, TierWish, Override {
  readonly region?: string | undefined;
  readonly residency?: string | undefined;
}

/** One tier with one isolation that the plan allows: whether there is room, where, and what it costs a month. */
export interface PlacementOption {
  readonly tier: Tier;
  readonly isolation: Isolation;
  readonly chosen: boolean;
  readonly possible: boolean;
  /** `cell eu-1, server eu-1-b`, or why there is no room, with the numbers. */
  readonly where: string;
  readonly cost: MonthlyCost;
}

export interface PlacementExplanation {
  readonly plan: string;
  readonly tier: Tier;
  readonly isolation: Isolation;
  readonly rule: TierDecision['rule'];
  readonly why: string;
  /** What the plan does not allow of it: only with `force`. */
  readonly forced: readonly string[];
  readonly decision: PlacementDecision;
  /** Every tier x isolation that the plan allows, and the chosen one; the chosen one first, then by cost. */
  readonly options: readonly PlacementOption[];
  readonly capacity: readonly CapacityEvidence[];
}

export interface Loads {
  readonly cells: readonly CellLoad[];
  readonly servers: readonly ServerLoad[];
  readonly clusters: readonly ClusterLoad[];
}

const describe = (decision: PlacementDecision): string => {
  if (decision.kind === 'no-capacity') return decision.reason;
  const { cell, server, cluster, tier, isolation } = decision;
  const app = cluster ?? (tier === 'cluster' ? '(new)' : undefined);
  const rows = server ?? (isolation === 'server' ? '(new)' : undefined);
  return [`cell ${cell}`, rows && `server ${rows}`, app && `cluster ${app}`].filter(Boolean).join(', ');
};

/**
 * Where a tenant of that kind would go now, which rule says so, what else its plan allows, with room and cost of each. Takes nothing.
 * Throws PlanForbids for a wish that the plan does not allow, unless it is forced.
 */
export const explainPlacement = (
  question: PlacementQuestion,
  { cells, servers, clusters }: Loads,
): PlacementExplanation => {
  const { plan, region, residency } = question;
  const { tier, isolation, decision: rule } = decidePlace(question, question);
  const place = (at: { tier: Tier; isolation: Isolation }): PlacementDecision =>
    placeTenant({ plan, region, residency, ...at }, cells, servers, clusters);
  const { tiers: allowedTiers, isolations: allowedIsolations } = planNamed(plan);
  const option = (at: { tier: Tier; isolation: Isolation }): PlacementOption => {
    const decision = place(at);
    return {
      ...at,
      chosen: at.tier === tier && at.isolation === isolation,
      possible: decision.kind === 'placed',
      where: describe(decision),
      cost: monthlyCost(plan, at.tier, at.isolation),
    };
  };
  const combinations = tiers.flatMap((one) => isolations.map((other) => ({ tier: one, isolation: other })));
  const options = combinations
    .filter(
      (at) =>
        (allowedTiers.includes(at.tier) && allowedIsolations.includes(at.isolation)) ||
        (at.tier === tier && at.isolation === isolation),
    )
    .map(option)
    .toSorted((a, b) => Number(b.chosen) - Number(a.chosen) || a.cost.total - b.cost.total);
  return {
    plan: planNameOf(plan),
    tier,
    isolation,
    rule: rule.rule,
    why: rule.why,
    forced: forbiddenBy(plan, question),
    decision: place({ tier, isolation }),
    options,
    capacity: capacityEvidence(cells, servers, clusters),
  };
};
