import { configuration } from '../tenantry.config.ts';
import type { Plan } from './configuration.ts';

export type { Plan, Retention } from './configuration.ts';

export const plans = configuration.plans;

export type PlanName = keyof typeof plans;

export const planNames = Object.keys(plans) as readonly PlanName[];

/** The plan of a signup that names none. */
export const defaultPlan: PlanName = configuration.defaultPlan;

/** Under which plan of the configuration that name counts: an unknown one as the default, so that nobody goes without a backup. */
export const planNameOf = (name: string): PlanName => (Object.hasOwn(plans, name) ? (name as PlanName) : defaultPlan);

/** The plan of that name; an unknown one counts as the default. */
export const planNamed = (name: string): Plan => plans[planNameOf(name)];
