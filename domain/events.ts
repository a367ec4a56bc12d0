import * as z from 'zod';
import { explainIssues } from './explain.ts';
import { isolations, tiers } from './placement.ts';
import { results } from './results.ts';
import { customDomain, newTenantId, planId, profile, tenantId } from './tenant.ts';
import type { WorkflowName } from './workflows.ts';

/** Detail of every request: who asked, and the id under which a repeat is known. Without one the bus event's id counts. */
const request = {
  eventId: z.string().min(1).max(200).optional(),
  requestedBy: z.string().max(200).optional(),
};

const rowsSchema = z
  .object({
    table: z.string().min(1),
    keys: z
      .array(z.union([z.string(), z.number(), z.array(z.union([z.string(), z.number()])).min(1)]))
      .min(1)
      .optional(),
    where: z.string().min(1).optional(),
  })
  .refine(({ keys, where }) => (keys === undefined) !== (where === undefined), 'give either keys or where');

/** Kubernetes objects of a backup; rows stay as they are unless they are asked for too. */
const objectsSchema = z.strictObject({
  kinds: z.array(z.string().min(1)).min(1).optional(),
  names: z.array(z.string().min(1)).min(1).optional(),
  /** Also the rows of the whole tenant; those of `tables` or `rows` come in any case. */
  withRows: z.boolean().optional(),
});

/** Scope and target of a restore, as an event, an API call and a hand-written execution input all give it. */
export const restoreRequest = {
  asOf: z.string().min(1).optional(),
  backupId: z.string().min(1).optional(),
  tables: z.array(z.string().min(1)).min(1).optional(),
  /** Also the tables whose rows the asked ones refer to. */
  withReferences: z.boolean().optional(),
  rows: rowsSchema.optional(),
  objects: objectsSchema.optional(),
  into: z.enum(['copy', 'in-place']).optional(),
  approval: z.enum(['required', 'given']).optional(),
  dryRun: z.boolean().optional(),
  reason: z.string().max(1_000).optional(),
};

/** A new tenant made of another one's backup, as an event, an API call and a hand-written execution input all give it. */
export const cloneRequest = {
  newTenantId,
  asOf: z.string().min(1).optional(),
  backupId: z.string().min(1).optional(),
  /** All that backup and app have, unless told; the others are empty. */
  tables: z.array(z.string().min(1)).min(1).optional(),
  withReferences: z.boolean().optional(),
  /** That of the source, unless told. */
  plan: profile.plan,
  region: profile.region,
  name: profile.name,
  adminEmail: profile.adminEmail,
  adminName: profile.adminName,
  /** What the plan gives, unless told. */
  isolation: profile.isolation,
  /** What the placement rules give, unless told. */
  tier: profile.tier,
  force: profile.force,
  users: profile.users,
  /** Those of the source, unless told: its rows are under the same rules. */
  compliance: profile.compliance,
  residency: profile.residency,
  reason: z.string().max(1_000).optional(),
};

/** A moment between two archives, of a tenant with a server of its own. */
export const recoveryRequest = {
  asOf: z.string().min(1),
  reason: z.string().max(1_000).optional(),
};

export const offboardRequest = {
  graceSeconds: z
    .int()
    .min(0)
    .max(30 * 86_400)
    .optional(),
  reason: z.string().max(1_000).optional(),
};

/** Where a tenant shall go and how, as an event, an API call and a hand-written execution input all give it. */
export const moveRequest = {
  /** Where the app runs; where it runs now unless told. */
  tier: z.enum(tiers).optional(),
  isolation: z.enum(isolations).optional(),
  cell: z.string().min(1).max(40).optional(),
  /** A shared server, for isolation `database`. */
  server: z.string().min(1).max(63).optional(),
  /** `freeze` stops the tenant's writes for as long as the copy takes; only for schemas that cannot be replicated. */
  mode: z.enum(['live', 'freeze']).optional(),
  /** Seconds for which the move can be taken back, a day unless told; 0 clears up at once. */
  windowSeconds: z
    .int()
    .min(0)
    .max(30 * 86_400)
    .optional(),
  dryRun: z.boolean().optional(),
  reason: z.string().max(1_000).optional(),
};

/** What a tenant shall be from now on, as an event, an API call and a hand-written execution input all give it. */
export const planChangeRequest = {
  plan: planId,
  users: profile.users,
  compliance: profile.compliance,
  /** null takes the domain away. */
  customDomain: customDomain.nullish(),
  /** What the placement rules and the plan give, unless told. */
  tier: profile.tier,
  isolation: profile.isolation,
  force: profile.force,
  /** Of the move, where there is one. */
  windowSeconds: moveRequest.windowSeconds,
  reason: profile.reason,
};

/** Requests by detail type (source `tenantry.saas`): what they must say and which workflow answers. */
export const requests = {
  TenantSignedUp: {
    workflow: 'provision-tenant',
    verb: 'provision',
    detail: z.object({ ...request, tenantId: newTenantId, ...profile }),
  },
  TenantBackupRequested: {
    workflow: 'back-up-tenant',
    verb: 'back-up',
    detail: z.object({ ...request, tenantId, reason: z.string().max(1_000).optional() }),
  },
  TenantRestoreRequested: {
    workflow: 'restore-tenant',
    verb: 'restore',
    detail: z.object({ ...request, tenantId, ...restoreRequest }),
  },
  TenantCloneRequested: {
    workflow: 'clone-tenant',
    verb: 'clone',
    detail: z.object({ ...request, tenantId, ...cloneRequest }),
  },
  TenantRecoveryRequested: {
    workflow: 'recover-point-in-time',
    verb: 'recover',
    detail: z.object({ ...request, tenantId, ...recoveryRequest }),
  },
  TenantMoveRequested: {
    workflow: 'migrate-tenant',
    verb: 'migrate',
    detail: z.object({ ...request, tenantId, ...moveRequest }),
  },
  TenantPlanChanged: {
    workflow: 'change-plan',
    verb: 'change-plan',
    detail: z.object({ ...request, tenantId, ...planChangeRequest }),
  },
  TenantOffboarded: {
    workflow: 'deprovision-tenant',
    verb: 'deprovision',
    detail: z.object({ ...request, tenantId, ...offboardRequest }),
  },
} as const satisfies Record<string, { workflow: WorkflowName; verb: string; detail: z.ZodType }>;

export type RequestType = keyof typeof requests;

/** Known names that no workflow answers in this release; refused with that reason, not as unknown. */
export const laterRequests: readonly string[] = ['TenantSuspended', 'TenantResumed', 'ReleasePublished'];

/** JSON Schema (draft 2020-12) of every event's detail, by detail type. */
export const eventSchemas = (): Record<string, object> =>
  Object.fromEntries([
    ...Object.entries(requests).map(([name, { detail }]) => [name, z.toJSONSchema(detail, { io: 'input' })] as const),
    ...Object.entries(results).map(([name, detail]) => [name, z.toJSONSchema(detail)] as const),
  ]);

/** A request that passed: what to start, with what input; `eventId` is what makes it one request. */
export interface AcceptedRequest {
  readonly detailType: RequestType;
  readonly eventId: string;
  readonly workflow: WorkflowName;
  readonly verb: string;
  readonly tenantId: string;
  /** Without `eventId`: the same request under another bus id must give the same input, byte for byte. */
  readonly input: Readonly<Record<string, unknown>>;
}

export type ReadRequest =
  | { readonly accepted: AcceptedRequest }
  | { readonly refused: string; readonly detailType?: string };

const envelope = z.object({ id: z.string().min(1), 'detail-type': z.string(), detail: z.unknown() });

/** Step Functions takes 262,144 bytes of input; the first step adds operation and execution, about 300 bytes. */
const longestInput = 200_000;

/** Judges a bus event as it was delivered: a request to start, or the reason why it is refused for good. Total. */
export const readRequest = (event: unknown): ReadRequest => {
  const outer = envelope.safeParse(event, { reportInput: true });
  if (!outer.success) return { refused: `not an EventBridge event: ${explainIssues(outer.error)}` };
  const { id, 'detail-type': detailType, detail } = outer.data;
  if (laterRequests.includes(detailType))
    return { refused: `detail-type ${detailType} is not supported yet by this release`, detailType };
  if (!Object.hasOwn(requests, detailType))
    return {
      refused: `detail-type ${detailType} is unknown; known are ${Object.keys(requests).join(', ')}`,
      detailType,
    };
  const { workflow, verb, detail: schema } = requests[detailType as RequestType];
  const parsed = schema.safeParse(detail, { reportInput: true });
  if (!parsed.success) return { refused: `${detailType}: ${explainIssues(parsed.error, 'detail')}`, detailType };
  const { eventId = id, ...input } = parsed.data;
  const bytes = new TextEncoder().encode(JSON.stringify(input)).length;
  if (bytes > longestInput)
    return {
      refused: `${detailType}: detail has ${bytes} bytes; at most ${longestInput} fit into an execution`,
      detailType,
    };
  return {
    accepted: { detailType: detailType as RequestType, eventId, workflow, verb, tenantId: parsed.data.tenantId, input },
  };
};
