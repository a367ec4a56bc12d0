/** What a plan promises about a customer's data. */
export interface Plan {
  readonly isolation: 'pooled' | 'database' | 'server';
  /** EventBridge Scheduler expression in UTC: when the plan's tenants are backed up. */
  readonly backupSchedule: string;
  /** Seconds between two scheduled backups; a tenant is due when its newest backup is older than this. */
  readonly backupEverySeconds: number;
  readonly retention: Retention;
}

/** Which sealed backups of a tenant are kept (domain/retention.ts); its last good one is, whatever stands here. */
export interface Retention {
  /** Hours for which every backup is kept: "two hours ago" must not be thinned out to "last night". */
  readonly everythingHours: number;
  /** The newest scheduled backup of each of so many UTC days, ISO weeks and months in which there is one. */
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
  /** Days for backups that people asked for, for those taken before a restore, and for the last one of a tenant that left. */
  readonly manualDays: number;
  readonly safetyDays: number;
  readonly finalDays: number;
}

const hour = 3_600;

export const plans = {
  starter: {
    isolation: 'pooled',
    backupSchedule: 'cron(0 3 * * ? *)',
    backupEverySeconds: 24 * hour,
    retention: { everythingHours: 48, daily: 7, weekly: 2, monthly: 0, manualDays: 30, safetyDays: 14, finalDays: 90 },
  },
  pro: {
    isolation: 'pooled',
    backupSchedule: 'cron(15 0/6 * * ? *)',
    backupEverySeconds: 6 * hour,
    retention: { everythingHours: 48, daily: 14, weekly: 5, monthly: 3, manualDays: 90, safetyDays: 14, finalDays: 90 },
  },
  enterprise: {
    isolation: 'database',
    backupSchedule: 'cron(30 * * * ? *)',
    backupEverySeconds: hour,
    retention: {
      everythingHours: 72,
      daily: 31,
      weekly: 13,
      monthly: 12,
      manualDays: 365,
      safetyDays: 30,
      finalDays: 365,
    },
  },
} as const satisfies Record<string, Plan>;

export type PlanName = keyof typeof plans;

export const planNames = Object.keys(plans) as readonly PlanName[];

/** The plan of that name; an unknown one counts as `starter`, so that nobody goes without a backup. */
export const planNamed = (name: string): Plan => (Object.hasOwn(plans, name) ? plans[name as PlanName] : plans.starter);
