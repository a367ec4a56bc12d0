import { randomUUID } from 'node:crypto';
import { ServiceError } from '../../gateway/service.ts';
import type { ExecutionRow } from '../executions.ts';
import { Aborted, StateFailure } from '../failure.ts';
import { type Scope, within } from '../scope.ts';
import type { World } from '../world.ts';
import { serviceCause } from './lambda.ts';

interface StartParameters {
  readonly StateMachineArn?: unknown;
  readonly Input?: unknown;
  readonly Name?: unknown;
}

/** Starts the execution that `states:startExecution` names; runs inside the caller's write. Throws `StepFunctions.<name>Exception`. */
export const startNested = (world: World, parameters: unknown): { ExecutionArn: string; StartDate: string } => {
  const { StateMachineArn, Input, Name } = (parameters ?? {}) as StartParameters;
  try {
    const started = world.executions.start({
      machineArn: String(StateMachineArn ?? ''),
      input: typeof Input === 'string' ? Input : JSON.stringify(Input ?? {}),
      name: Name === undefined ? randomUUID() : String(Name),
    });
    return { ExecutionArn: started.arn, StartDate: new Date(started.startedAt).toISOString() };
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    throw new StateFailure(
      `StepFunctions.${error.name}Exception`,
      serviceCause('AWSStepFunctions', error.name, error.message),
    );
  }
};

/** An execution as `.sync` shows it: the fields of DescribeExecution in capitals, dates in milliseconds. */
export const describedExecution = (row: ExecutionRow): Record<string, unknown> => ({
  ExecutionArn: row.arn,
  Input: row.input,
  InputDetails: { Included: true },
  Name: row.name,
  ...(row.output === null ? {} : { Output: row.output, OutputDetails: { Included: true } }),
  RedriveCount: row.redrives,
  StartDate: row.started_at,
  StateMachineArn: row.machine_arn,
  Status: row.status,
  ...(row.stopped_at === null ? {} : { StopDate: row.stopped_at }),
  ...(row.error === null ? {} : { Error: row.error }),
  ...(row.cause === null ? {} : { Cause: row.cause }),
});

/**
 * Promise: the ended child; with `parsed` (`.sync:2`) its input and output are JSON, else text. A child that did not succeed
 * is States.TaskFailed with the described child as cause. When the parent's task ends early the child is stopped, except when
 * the engine closes: then it goes on in the next life and is waited for again.
 */
export const awaitNested = async (world: World, arn: string, scope: Scope, parsed: boolean): Promise<unknown> => {
  const stop = scope.onAbort(() => {
    if (!scope.closing) world.executions.stop(arn, {});
  });
  try {
    const row = await within(scope, world.executions.ended(arn));
    const described = describedExecution(row);
    if (row.status !== 'SUCCEEDED') throw new StateFailure('States.TaskFailed', JSON.stringify(described));
    if (!parsed) return described;
    return { ...described, Input: JSON.parse(row.input), Output: JSON.parse(row.output ?? 'null') };
  } catch (error) {
    if (scope.aborted) throw new Aborted();
    throw error;
  } finally {
    stop();
  }
};
