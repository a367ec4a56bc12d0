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
  readonly attempt: number;
  readonly startedAt: Date;
  readonly endedAt: Date | null;
  readonly status: 'running' | 'succeeded' | 'failed' | 'lost';
  readonly error: string | null;
  readonly detail: string | null;
}

export const isTerminal = (status: OperationStatus): status is 'succeeded' | 'failed' =>
  status === 'succeeded' || status === 'failed';
