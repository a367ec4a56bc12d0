import { configuration } from '../tenantry.config.ts';
import type { TierRule } from './configuration.ts';
import { StepFailure } from './errors.ts';
import { type Isolation, isolations, type Tier, tiers } from './place.ts';
import { planNamed, planNameOf, plans } from './plans.ts';

/** What a tenant told about itself that rules ask for. */
export interface TenantTraits {
  readonly plan: string;
  /** People who use the app; nobody said so: null. */
  readonly users?: number | null | undefined;
  /** Names such as `hipaa`. */
  readonly compliance?: readonly string[] | undefined;
  readonly customDomain?: string | boolean | null | undefined;
}

/** Which rule gives a tenant its tier, and the facts by which it holds. */
export interface TierDecision {
  readonly tier: Tier;
  readonly rule: string;
  /** `plan enterprise, 1,200 users (more than 1,000)`; `no other rule holds` for the last one. */
  readonly why: string;
}

const hasDomain = ({ customDomain }: TenantTraits): boolean =>
  customDomain !== undefined && customDomain !== null && customDomain !== false && customDomain !== '';

const inWords = (number: number): string => number.toLocaleString('en-US');

/** A fact for each condition of the rule; undefined as soon as one does not hold. */
const factsOf = ({ when }: TierRule, traits: TenantTraits): string[] | undefined => {
  const { users, compliance = [] } = traits;
  const facts: string[] = [];
  if (when.plan !== undefined) {
    if (planNameOf(traits.plan) !== when.plan) return undefined;
    facts.push(`plan ${when.plan}`);
  }
  if (when.usersAbove !== undefined) {
    if (users === undefined || users === null || users <= when.usersAbove) return undefined;
    facts.push(`${inWords(users)} users (more than ${inWords(when.usersAbove)})`);
  }
  if (when.compliance !== undefined) {
    const wanted = when.compliance;
    const met = wanted === true ? compliance : compliance.filter((name) => wanted.includes(name));
    if (met.length === 0) return undefined;
    facts.push(`compliance ${met.join(', ')}`);
  }
  if (when.customDomain !== undefined) {
    if (!hasDomain(traits)) return undefined;
    facts.push(typeof traits.customDomain === 'string' ? `domain ${traits.customDomain}` : 'a domain of its own');
  }
  return facts;
};

/** The tier that the rules give; the first one that holds decides. Total: the last rule holds for everybody. */
export const decideTier = (traits: TenantTraits, rules: readonly TierRule[] = configuration.rules): TierDecision => {
  for (const rule of rules) {
    const facts = factsOf(rule, traits);
    if (facts) return { tier: rule.tier, rule: rule.name, why: facts.join(', ') || 'no other rule holds' };
  }
  return { tier: 'shared', rule: '(none)', why: 'no rule holds' };
};

export interface TierWish {
  readonly tier?: Tier | undefined;
  readonly isolation?: Isolation | undefined;
}

/** What of a wish the plan does not allow, as sentences with plan, value and what is allowed; none when it allows all. */
export const forbiddenBy = (plan: string, { tier, isolation }: TierWish): string[] => {
  const { tiers: allowedTiers, isolations: allowedIsolations } = planNamed(plan);
  const known = Object.hasOwn(plans, plan) ? plan : `${plan} (which counts as ${planNameOf(plan)})`;
  const tell = (what: string, value: string, allowed: readonly string[], all: readonly string[]): string =>
    `plan ${known} does not allow ${what} ${value}; it allows ${all.filter((one) => allowed.includes(one)).join(', ')}`;
  return [
    ...(tier && !allowedTiers.includes(tier) ? [tell('tier', tier, allowedTiers, tiers)] : []),
    ...(isolation && !allowedIsolations.includes(isolation)
      ? [tell('isolation', isolation, allowedIsolations, isolations)]
      : []),
  ];
};

/** Somebody takes it upon himself that the plan does not allow what he asks for, and says why. */
export interface Override {
  readonly force?: boolean | undefined;
  readonly reason?: string | undefined;
}

/** Throws PlanForbids for a tier or isolation that the plan does not allow, InvalidStepInput for a force without a reason. */
export const refuseForbidden = (plan: string, { force, reason, ...wish }: TierWish & Override): void => {
  if (force && !reason)
    throw new StepFailure('InvalidStepInput', 'reason is missing (got nothing); who forces a placement says why');
  const problems = force ? [] : forbiddenBy(plan, wish);
  if (problems.length > 0)
    throw new StepFailure('PlanForbids', `${problems.join('; ')}; choose another plan, or force it with a reason`);
};

/** Tier and isolation of a new tenant: what was asked for, else the rules' tier and the plan's isolation. Throws PlanForbids. */
export const decidePlace = (
  traits: TenantTraits,
  wish: TierWish & Override = {},
): { readonly tier: Tier; readonly isolation: Isolation; readonly decision: TierDecision } => {
  refuseForbidden(traits.plan, wish);
  const decision = wish.tier
    ? { tier: wish.tier, rule: '(asked for)', why: `tier ${wish.tier} was asked for` }
    : decideTier(traits);
  return { tier: decision.tier, isolation: wish.isolation ?? planNamed(traits.plan).isolation, decision };
};
