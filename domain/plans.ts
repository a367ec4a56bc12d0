/** What a plan promises about a customer's data. */
export interface Plan {
  readonly isolation: 'pooled' | 'database' | 'server';
  /** EventBridge Scheduler expression in UTC: when the plan's tenants are backed up. */
  readonly backupSchedule: string;
  /** Seconds between two scheduled backups; a tenant is due when its newest backup is older than this. */
  readonly backupEverySeconds: number;
  /** Days that a sealed backup is kept; a tenant's newest one is kept however old it is. */
  readonly backupRetentionDays: number;
}

const hour = 3_600;

export const plans = {
  starter: {
    isolation: 'pooled',
    backupSchedule: 'cron(0 3 * * ? *)',
    backupEverySeconds: 24 * hour,
    backupRetentionDays: 14,
  },
  pro: {
    isolation: 'pooled',
    backupSchedule: 'cron(15 0/6 * * ? *)',
    backupEverySeconds: 6 * hour,
    backupRetentionDays: 35,
  },
  enterprise: {
    isolation: 'database',
    backupSchedule: 'cron(30 * * * ? *)',
    backupEverySeconds: hour,
    backupRetentionDays: 90,
  },
} as const satisfies Record<string, Plan>;

export type PlanName = keyof typeof plans;

export const planNames = Object.keys(plans) as readonly PlanName[];

/** The plan of that name; an unknown one counts as `starter`, so that nobody goes without a backup. */
export const planNamed = (name: string): Plan => (Object.hasOwn(plans, name) ? plans[name as PlanName] : plans.starter);
