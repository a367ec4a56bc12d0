import type { WorkflowName } from './workflows.ts';

export type OperationStatus = 'running' | 'awaiting-approval' | 'succeeded' | 'failed';

/** One run of a workflow; `id` is the name of its top-level execution. Terminal exactly once. */
export interface Operation {
  readonly id: string;
  readonly kind: WorkflowName;
  readonly tenantId: string | null;
  readonly executionArn: string;
  readonly status: OperationStatus;
  readonly input: unknown;
  readonly outcome: unknown;
  readonly reason: string | null;
  readonly failedStep: string | null;
  readonly error: string | null;
  readonly requestedBy: string | null;
  readonly parent: string | null;
  readonly startedAt: Date;
  readonly endedAt: Date | null;
}

/** One attempt of one step. `lost`: the operation ended while the attempt had reported nothing (its Lambda died). */
export interface StepAttempt {
  readonly step: string;
  /** 0 is the first, as in Step Functions' RetryCount. */
  readonly attempt: number;
  readonly startedAt: Date;
  readonly endedAt: Date | null;
  readonly status: 'running' | 'succeeded' | 'failed' | 'lost';
  readonly error: string | null;
  readonly detail: string | null;
}

export const isTerminal = (status: OperationStatus): status is 'succeeded' | 'failed' =>
  status === 'succeeded' || status === 'failed';

/** Step Functions takes 80 characters of A-Z, a-z, 0-9, `-` and `_`; the longest verb and the hash need 26 of them. */
const longestTenantPart = 54;

/**
 * Name of the execution that answers a request, and so the id of its operation: `<verb>-<tenant>-<12 hex of SHA-256 of the
 * event id>`. The same event names the same execution, which Step Functions starts once in 90 days.
 */
export const operationName = async (verb: string, tenantId: string, eventId: string): Promise<string> => {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(eventId)));
  const hash = Array.from(digest.subarray(0, 6), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${verb}-${tenantId.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, longestTenantPart)}-${hash}`;
};
