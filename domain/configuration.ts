import * as z from 'zod';
import { explainIssues } from './explain.ts';
import { isolations, type Tier, tiers } from './place.ts';

const name = z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, 'must be a name of a-z, 0-9 and hyphens such as starter');
const count = z.int().min(0);
const money = z.number().min(0);

/** Kubernetes quantities, as domain/workload/quantity.ts reads them. */
const cpu = z.string().regex(/^(\d+(\.\d{1,3})?|\d+m)$/, 'must be cores or millicores such as 1, 0.5 or 250m');
const memory = z.string().regex(/^\d+(Mi|Gi)$/, 'must be whole Mi or Gi such as 512Mi or 2Gi');

const retention = z.strictObject({
  /** Hours for which every backup is kept: "two hours ago" must not be thinned out to "last night". */
  everythingHours: count,
  /** The newest scheduled backup of each of so many UTC days, ISO weeks and months in which there is one. */
  daily: count,
  weekly: count,
  monthly: count,
  /** Days for backups that people asked for, for those taken before a restore, and for the last one of a tenant that left. */
  manualDays: count,
  safetyDays: count,
  finalDays: count,
});

const plan = z.strictObject({
  /** What a tenant's own app gets (tiers `namespace` and `cluster`): so many pods, each with that CPU and memory. */
  resources: z.strictObject({ replicas: z.int().min(1).max(100), cpu, memory }),
  /** Where its app may run. */
  tiers: z.array(z.enum(tiers)).min(1).readonly(),
  /** Where its rows may live. */
  isolations: z.array(z.enum(isolations)).min(1).readonly(),
  /** Where its rows live unless told. */
  isolation: z.enum(isolations),
  /** What the namespace of its own app may hold together. */
  quota: z.strictObject({
    pods: z.int().min(1),
    /** Storage of all volume claims together. */
    storage: memory,
    /** Load balancers of its own, each with a public address: none by default, the shared ingress routes to it. */
    loadBalancers: count,
  }),
  /** EventBridge Scheduler expression in UTC: when the plan's tenants are backed up. */
  backupSchedule: z
    .string()
    .regex(/^(cron|rate)\(.+\)$/, 'must be cron(...) or rate(...) as EventBridge Scheduler has it'),
  /** Seconds between two scheduled backups; a tenant is due when its newest backup is older than half of this. */
  backupEverySeconds: z.int().min(60),
  /** Which sealed backups of a tenant are kept (domain/retention.ts); its last good one is, whatever stands here. */
  retention,
});

/** Conditions of a rule, of which all must hold; a rule without any always holds. */
const condition = z.strictObject({
  plan: name.optional(),
  /** More users than this. */
  usersAbove: count.optional(),
  /** true: the tenant has requirements of any kind, such as hipaa; a list: at least one of these. */
  compliance: z.union([z.literal(true), z.array(name).min(1).readonly()]).optional(),
  /** The tenant has a domain of its own. */
  customDomain: z.literal(true).optional(),
});

const rule = z.strictObject({
  /** As the explanation of a placement and the journal name it. */
  name: z.string().min(1).max(60),
  when: condition,
  tier: z.enum(tiers),
});

const costs = z.strictObject({
  /** ISO 4217; every figure is for one tenant and month. */
  currency: z.string().regex(/^[A-Z]{3}$/, 'must be a currency of ISO 4217 such as USD'),
  /** What a place in the tier costs before any pod runs. */
  tiers: z.strictObject({ shared: money, namespace: money, cluster: money }),
  isolations: z.strictObject({ pooled: money, database: money, server: money }),
  /** What the pods of an own app cost: one vCPU and one GiB of memory. */
  perCpu: money,
  perGibibyte: money,
});

const schema = z.strictObject({
  plans: z.record(name, plan).refine((plans) => Object.keys(plans).length > 0, 'must have a plan'),
  /** The plan of a signup that names none, and of a name that is not on the list. */
  defaultPlan: name,
  /** In this order; the first one that holds decides. */
  rules: z.array(rule).min(1),
  costs,
});

/** What a plan promises. */
export type Plan = Readonly<z.output<typeof plan>>;

export type Retention = Readonly<z.output<typeof retention>>;

export type TierRule = Readonly<z.output<typeof rule>>;

export type Costs = Readonly<z.output<typeof costs>>;

/** Plans, rules and figures by which tenants are placed; docs/configuration.md explains every field. */
export interface Configuration<Name extends string = string> {
  readonly plans: Readonly<Record<Name, Plan>>;
  readonly defaultPlan: NoInfer<Name>;
  readonly rules: readonly TierRule[];
  readonly costs: Costs;
}

type Draft = z.output<typeof schema>;

/** A rule whose conditions another one has as well never decides; only the last one may hold for everybody. */
const ruleProblems = ({ plans, rules }: Draft): string[] =>
  rules.flatMap(({ name: title, when, tier }, index) => {
    const at = `rules.${index}`;
    const last = index === rules.length - 1;
    const conditions = Object.values(when).filter((value) => value !== undefined);
    const problems: string[] = [];
    if (rules.findIndex((other) => other.name === title) !== index)
      problems.push(`${at}.name must be used once (got "${title}"); rename one of the two rules`);
    if (when.plan !== undefined && !Object.hasOwn(plans, when.plan))
      problems.push(`${at}.when.plan must be one of ${Object.keys(plans).join(', ')} (got "${when.plan}")`);
    if (last && conditions.length > 0)
      problems.push(`${at}.when must be {}: the last rule decides for everybody else (got ${JSON.stringify(when)})`);
    if (!last && conditions.length === 0)
      problems.push(`${at}.when must have a condition, or the rules behind it never decide; move it to the end`);
    return [...problems, ...forbiddenTiers(plans, when.plan, tier).map((text) => `${at}.tier ${text}`)];
  });

const forbiddenTiers = (plans: Draft['plans'], only: string | undefined, tier: Tier): string[] =>
  Object.entries(plans)
    .filter(([id, { tiers: allowed }]) => (only === undefined || id === only) && !allowed.includes(tier))
    .map(
      ([id]) => `must be allowed by plan ${id} (got "${tier}"); add it to plans.${id}.tiers or narrow the rule by plan`,
    );

const planProblems = ({ plans, defaultPlan }: Draft): string[] => [
  ...(Object.hasOwn(plans, defaultPlan)
    ? []
    : [`defaultPlan must be one of ${Object.keys(plans).join(', ')} (got "${defaultPlan}")`]),
  ...Object.entries(plans).flatMap(([id, { isolation, isolations: allowed, quota, resources }]) => [
    ...(allowed.includes(isolation)
      ? []
      : [`plans.${id}.isolation must be one of plans.${id}.isolations: ${allowed.join(', ')} (got "${isolation}")`]),
    ...(quota.pods >= resources.replicas * 2
      ? []
      : [
          // A rolling update starts new pods before it ends old ones.
          `plans.${id}.quota.pods must be at least twice plans.${id}.resources.replicas, ${resources.replicas * 2}, or no update gets room (got ${quota.pods})`,
        ]),
  ]),
];

/**
 * Checks a configuration as a whole and answers it. Throws an Error that names every wrong field with its path, its value and
 * what it must be: a deployment with a wrong one fails before anything is changed.
 */
export const defineConfiguration = <const Name extends string>(
  configuration: Configuration<Name>,
): Configuration<Name> => {
  const parsed = schema.safeParse(configuration, { reportInput: true });
  if (!parsed.success) throw new Error(`tenantry.config.ts: ${explainIssues(parsed.error)}`);
  const problems = [...planProblems(parsed.data), ...ruleProblems(parsed.data)];
  if (problems.length > 0) throw new Error(`tenantry.config.ts: ${problems.join('; ')}`);
  return configuration;
};
