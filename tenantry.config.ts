import { defineConfiguration } from './domain/configuration.ts';

const hour = 3_600;

/** Plans, placement rules and figures of this installation; docs/configuration.md explains every field. */
export const configuration = defineConfiguration({
  plans: {
    starter: {
      resources: { replicas: 1, cpu: '250m', memory: '512Mi' },
      tiers: ['shared', 'namespace'],
      isolations: ['pooled'],
      isolation: 'pooled',
      quota: { pods: 4, storage: '0Gi', loadBalancers: 0 },
      backupSchedule: 'cron(0 3 * * ? *)',
      backupEverySeconds: 24 * hour,
      retention: {
        everythingHours: 48,
        daily: 7,
        weekly: 2,
        monthly: 0,
        manualDays: 30,
        safetyDays: 14,
        finalDays: 90,
      },
    },
    pro: {
      resources: { replicas: 2, cpu: '500m', memory: '1Gi' },
      tiers: ['shared', 'namespace'],
      isolations: ['pooled', 'database'],
      isolation: 'pooled',
      quota: { pods: 8, storage: '10Gi', loadBalancers: 0 },
      backupSchedule: 'cron(15 0/6 * * ? *)',
      backupEverySeconds: 6 * hour,
      retention: {
        everythingHours: 48,
        daily: 14,
        weekly: 5,
        monthly: 3,
        manualDays: 90,
        safetyDays: 14,
        finalDays: 90,
      },
    },
    enterprise: {
      resources: { replicas: 3, cpu: '1000m', memory: '2Gi' },
      tiers: ['shared', 'namespace', 'cluster'],
      isolations: ['pooled', 'database', 'server'],
      isolation: 'database',
      quota: { pods: 12, storage: '100Gi', loadBalancers: 0 },
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
  },
  defaultPlan: 'starter',
  rules: [
    { name: 'large enterprise', when: { plan: 'enterprise', usersAbove: 1_000 }, tier: 'cluster' },
    { name: 'compliance', when: { compliance: true }, tier: 'namespace' },
    { name: 'custom domain', when: { customDomain: true }, tier: 'namespace' },
    { name: 'everybody else', when: {}, tier: 'shared' },
  ],
  // On-demand list prices of us-east-1 in USD, 730 hours a month; other regions are 10 to 30 % dearer. Yours to replace.
  costs: {
    currency: 'USD',
    tiers: {
      // A thousand tenants share the app's Fargate tasks and their load balancer: about 1,000 USD a month for all.
      shared: 1,
      // Its share of a cluster that 200 tenants share: 73 for the control plane, 66 for NAT, 16 for the load balancer.
      namespace: 0.78,
      // EKS control plane 0.10/h (aws.amazon.com/eks/pricing) 73.00, two NAT gateways 0.045/h (aws.amazon.com/vpc/pricing) 65.70,
      // an Application Load Balancer 0.0225/h (aws.amazon.com/elasticloadbalancing/pricing) 16.43, a KMS key 1.00.
      cluster: 156.13,
    },
    isolations: {
      // Its share of an Aurora Serverless v2 cluster of 2 ACU, 0.12 per ACU-hour (aws.amazon.com/rds/aurora/pricing), with 1,000 tenants.
      pooled: 0.18,
      // The same server with 500 databases, which is what one may hold.
      database: 0.35,
      // db.t4g.medium, Single-AZ, 0.065/h (aws.amazon.com/rds/postgresql/pricing) 47.45, and 20 GB of gp3 at 0.115 2.30.
      server: 49.75,
    },
    // Fargate, Linux/x86: 0.04048 per vCPU-hour and 0.004445 per GB-hour (aws.amazon.com/fargate/pricing); nodes of EKS Auto Mode that
    // are packed to 70 % cost about the same.
    perCpu: 29.55,
    perGibibyte: 3.24,
  },
});
