import * as z from 'zod';
import { domainRefusals } from './domain-proof.ts';

const result = { tenantId: z.string(), operation: z.string() };
const succeeded = z.object({ ...result, outcome: z.string() });
const failed = z.object({
  ...result,
  outcome: z.literal('failed'),
  reason: z.string(),
  failedStep: z.string(),
  error: z.string(),
});

/** Results by detail type (source `tenantry`): every operation ends in exactly one; those of domains belong to none. */
export const results = {
  TenantProvisioned: succeeded.extend({
    plan: z.string(),
    tier: z.string(),
    isolation: z.string(),
    cell: z.string(),
    url: z.string(),
  }),
  TenantProvisioningFailed: failed,
  TenantBackedUp: succeeded.extend({
    backups: z.array(
      z.object({
        tenantId: z.string(),
        backupId: z.string(),
        /** Whether the Kubernetes objects of its own app are in it; absent for the shared app. */
        objects: z.enum(['archived', 'missing']).optional(),
        objectsReason: z.string().optional(),
      }),
    ),
  }),
  TenantBackupFailed: failed,
  TenantRestored: succeeded.extend({
    restoreId: z.string(),
    backupId: z.string(),
    /** Kubernetes objects that were made or changed, or in a dry run would be. */
    objects: z.int().nonnegative().optional(),
    /** Has the objects as they were before. */
    safetyBackupId: z.string().optional(),
  }),
  TenantRestoreUndone: succeeded,
  TenantRestoreFailed: failed,
  TenantCloned: succeeded.extend({
    newTenantId: z.string(),
    restoreId: z.string(),
    backupId: z.string(),
    rows: z.int(),
    isolation: z.string(),
    url: z.string(),
  }),
  TenantCloneFailed: failed,
  TenantPointInTimeRecovered: succeeded.extend({ backupId: z.string(), asOf: z.string() }),
  TenantRecoveryFailed: failed,
  TenantMigrated: succeeded.extend({
    moveId: z.string(),
    from: z.string(),
    to: z.string(),
    /** Milliseconds in which the tenant's writers waited. */
    stallMs: z.number(),
    /** Until then it can be moved back. */
    backUntil: z.string(),
  }),
  TenantMovedBack: succeeded.extend({ moveId: z.string(), from: z.string(), to: z.string(), stallMs: z.number() }),
  TenantMoveFinished: succeeded.extend({ moveId: z.string() }),
  TenantMigrationFailed: failed,
  /** `superseded`: a later change of the tenant's plan took its place before its turn came. */
  TenantPlanChangeCompleted: z.object({
    ...result,
    outcome: z.enum(['succeeded', 'superseded']),
    plan: z.string(),
    tier: z.string().nullable(),
    isolation: z.string().nullable(),
    /** Its tier or isolation became another one: the tenant was moved. */
    moved: z.boolean(),
    supersededBy: z.string().optional(),
  }),
  TenantPlanChangeFailed: failed,
  /** A custom domain leads to its tenant now. */
  TenantDomainVerified: z.object({ tenantId: z.string(), domain: z.string() }),
  /** It does not yet; told once for every new refusal. `record` is what its owner has to create. */
  TenantDomainRefused: z.object({
    tenantId: z.string(),
    domain: z.string(),
    refusal: z.enum(domainRefusals),
    reason: z.string(),
    record: z.object({ type: z.literal('TXT'), name: z.string(), value: z.string() }),
  }),
  TenantDeprovisioned: succeeded,
  TenantDeprovisioningFailed: failed,
  FleetBackedUp: z.object({ operation: z.string(), tenants: z.int(), sealed: z.int(), failed: z.int() }),
  RestoresDrilled: z.object({
    operation: z.string(),
    outcome: z.enum(['passed', 'failed']),
    drilled: z.int(),
    passed: z.int(),
    failed: z.int(),
    refused: z.int(),
    missed: z.int(),
  }),
  /** One archive that cannot be restored; beside the result of its run. */
  RestoreDrillFailed: z.object({
    ...result,
    backupId: z.string(),
    takenAt: z.string(),
    reason: z.string(),
  }),
  BackupsExpired: z.object({
    operation: z.string(),
    outcome: z.enum(['expired', 'failed']),
    tenants: z.int(),
    expired: z.int(),
    busy: z.int(),
  }),
} as const satisfies Record<string, z.ZodType>;
