import * as z from 'zod';
import { describeFailure, type failedSchema } from './failure.ts';
import type { StepAttempt } from './operation.ts';
import type { results } from './results.ts';
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
  'drill-restores': 'RestoresDrilled',
  'expire-backups': 'BackupsExpired',
  'restore-tenant': 'TenantRestoreFailed',
  'clone-tenant': 'TenantCloneFailed',
  'recover-point-in-time': 'TenantRecoveryFailed',
  'migrate-tenant': 'TenantMigrationFailed',
  'change-plan': 'TenantPlanChangeFailed',
  'deprovision-tenant': 'TenantDeprovisioningFailed',
};

/** Errors of the Fail states behind an Announce state: the machine has compensated and announced, nothing is left to do. */
export const ownEnds: readonly string[] = [
  'ProvisioningFailed',
  'BackupFailed',
  'FleetBackupIncomplete',
  'RestoreDrillsFailed',
  'RestoreFailed',
  'CloneFailed',
  'RecoveryFailed',
  'MigrationFailed',
  'PlanChangeFailed',
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

/** Attempts that failed for good: no later attempt of the same step succeeded. */
const failedForGood = (steps: readonly StepAttempt[]): StepAttempt[] =>
  steps.filter(
    ({ step, status }, index) =>
      status === 'failed' && !steps.slice(index).some((later) => later.step === step && later.status === 'succeeded'),
  );

/** An execution fails without having closed its operation only where its compensation failed: tells after what, and with what. */
const withCompensation = (reason: string, steps: readonly StepAttempt[]): string => {
  const failed = failedForGood(steps);
  const last = failed.at(-1);
  if (last === undefined) return reason;
  const journalled = (last.detail ?? '') !== '' && reason.includes(last.detail!);
  const first = journalled ? failed.findLast(({ step }) => step !== last.step) : last;
  if (first === undefined) return reason;
  const clearing = journalled ? `${last.step}, which clears up,` : 'clearing up';
  return `${first.step} failed: ${first.detail ?? first.error}; then ${clearing} failed for good: ${reason}`;
};

/** What to record of an operation that no step of it could close: the step that ran or failed last, and why it ended. */
export const describeEnd = (
  end: ExecutionEnd,
  steps: readonly StepAttempt[],
  parent: string | null = null,
): z.infer<typeof failedSchema> => {
  const running = steps.findLast(({ status }) => status === 'running');
  const failedStep = (running ?? failedForGood(steps).at(-1) ?? steps.at(-1))?.step ?? '(not started)';
  const { error, reason } = endOf(end);
  const isNested = end.status === 'ABORTED' && !end.cause && parent !== null;
  const told = isNested ? `stopped together with operation ${parent}` : reason;
  return {
    reason: (end.status === 'FAILED' ? withCompensation(told, steps) : told).slice(0, 2_000),
    failedStep,
    error,
  };
};
