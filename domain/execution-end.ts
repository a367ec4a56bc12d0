import { z } from 'zod';
import type { results } from './events.ts';
import { describeFailure, type failedSchema } from './failure.ts';
import type { StepAttempt } from './operation.ts';
import type { WorkflowName } from './workflows.ts';

/** How an execution ended that ran an operation, whoever tells: the bus, the reaper or an operator. */
export interface ExecutionEnd {
  /** The execution's name. */
  readonly operation: string;
  readonly kind: WorkflowName;
  readonly executionArn: string;
  /** Step Functions' word; `UNKNOWN` when it knows no such execution. */
  readonly status: string;
  readonly error?: string | undefined;
  readonly cause?: string | undefined;
  /** JSON text, where it was told. */
  readonly input?: string | undefined;
  readonly seconds?: number | undefined;
}

/** The event that says how an operation of this kind failed. Machines without one run inside the operation of another. */
export const failureEvents: Readonly<Partial<Record<WorkflowName, keyof typeof results>>> = {
  'provision-tenant': 'TenantProvisioningFailed',
  'back-up-tenant': 'TenantBackupFailed',
  'back-up-fleet': 'FleetBackedUp',
  'restore-tenant': 'TenantRestoreFailed',
  'deprovision-tenant': 'TenantDeprovisioningFailed',
};

/** Errors of the Fail states behind an Announce state: the machine has compensated and announced, nothing is left to do. */
export const ownEnds: readonly string[] = [
  'ProvisioningFailed',
  'BackupFailed',
  'FleetBackupIncomplete',
  'RestoreFailed',
  'DeprovisioningFailed',
];

const statusEvent = z.object({
  detail: z.object({
    executionArn: z.string(),
    stateMachineArn: z.string(),
    name: z.string(),
    status: z.string(),
    startDate: z.number(),
    stopDate: z.number().nullish(),
    input: z.string().nullish(),
    error: z.string().nullish(),
    cause: z.string().nullish(),
  }),
});

/** The workflow that a machine's ARN names, if it runs operations: no child of a Map and no machine that is only nested. */
const workflowOf = (stateMachineArn: string): WorkflowName | undefined => {
  const workflow = stateMachineArn.slice(stateMachineArn.lastIndexOf(':') + 1).replace(/^tenantry-/, '');
  return Object.hasOwn(failureEvents, workflow) ? (workflow as WorkflowName) : undefined;
};

/** Reads `Step Functions Execution Status Change`; undefined when the execution is no operation. Throws ZodError. */
export const readExecutionEnd = (event: unknown): ExecutionEnd | undefined => {
  const { executionArn, stateMachineArn, name, status, startDate, stopDate, input, error, cause } =
    statusEvent.parse(event).detail;
  const kind = workflowOf(stateMachineArn);
  if (kind === undefined) return undefined;
  return {
    operation: name,
    kind,
    executionArn,
    status,
    error: error ?? undefined,
    cause: cause ?? undefined,
    input: input ?? undefined,
    seconds: stopDate ? Math.round((stopDate - startDate) / 1_000) : undefined,
  };
};

const after = (prefix: string, cause: string | undefined): string => (cause ? `${prefix}: ${cause}` : prefix);

/** Error name and sentence of an end, without what the journal knows. */
const endOf = ({ status, error, cause = '', seconds }: ExecutionEnd): { error: string; reason: string } => {
  switch (status) {
    case 'ABORTED':
      return {
        error: error ?? 'Stopped',
        reason: /^stopped by /.test(cause) ? cause : after('stopped by hand in Step Functions', cause),
      };
    case 'TIMED_OUT':
      return {
        error: 'States.Timeout',
        reason: `timed out: its machine's limit was reached${seconds === undefined ? '' : ` after ${seconds} s`}`,
      };
    case 'FAILED':
      return describeFailure({ step: '', error: error ?? 'States.Runtime', cause });
    case 'UNKNOWN':
      return { error: 'ExecutionDoesNotExist', reason: 'its execution is gone; Step Functions does not know it' };
    default:
      return { error: 'NotClosed', reason: `its execution is ${status} and no step had closed it` };
  }
};

/**
 * What to record of an operation that no step of it could close: the step that ran last, and why it went no further. Where a
 * compensation failed for good the reason tells first what it was to clear up after.
 */
export const describeEnd = (
  end: ExecutionEnd,
  steps: readonly StepAttempt[],
  parent: string | null = null,
): z.infer<typeof failedSchema> => {
  const last = steps.findLast(({ status }) => status === 'running') ?? steps.at(-1);
  const failedStep = last?.step ?? '(not started)';
  const told = endOf(end);
  const reason =
    end.status === 'ABORTED' && !end.cause && parent !== null
      ? `stopped together with operation ${parent}`
      : told.reason;
  const before = steps.findLast(({ status, step }) => status === 'failed' && step !== failedStep);
  const isCompensation = end.status === 'FAILED' && before !== undefined && last?.status !== 'succeeded';
  return {
    reason: (isCompensation
      ? `${before.step} failed: ${before.detail ?? before.error}; then ${failedStep}, which clears up, failed for good: ${reason}`
      : reason
    ).slice(0, 2_000),
    failedStep,
    error: told.error,
  };
};
