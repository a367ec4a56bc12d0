import { configuration } from '../tenantry.config.ts';
import type { Isolation, Tier } from './place.ts';
import { planNamed } from './plans.ts';
import { mebibytes, millicores } from './workload/quantity.ts';

/** What a tenant's place costs a month, by what it is made of. */
export interface MonthlyCost {
  readonly currency: string;
  readonly total: number;
  readonly tier: number;
  readonly workload: number;
  readonly isolation: number;
}

const cents = (amount: number): number => Math.round(amount * 100) / 100;

/** Figures of the configuration; an own app's pods by the plan's size. What the tenant stores and sends comes on top. */
export const monthlyCost = (plan: string, tier: Tier, isolation: Isolation): MonthlyCost => {
  const { currency, tiers, isolations, perCpu, perGibibyte } = configuration.costs;
  const { replicas, cpu, memory } = planNamed(plan).resources;
  const pod = (millicores(cpu) / 1_000) * perCpu + (mebibytes(memory) / 1_024) * perGibibyte;
  const parts = {
    tier: cents(tiers[tier]),
    workload: tier === 'shared' ? 0 : cents(replicas * pod),
    isolation: cents(isolations[isolation]),
  };
  return { currency, total: cents(parts.tier + parts.workload + parts.isolation), ...parts };
};
