import {
  DescribeExecutionCommand,
  ExecutionAlreadyExists,
  ExecutionDoesNotExist,
  SendTaskFailureCommand,
  SendTaskSuccessCommand,
  type SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
  TaskDoesNotExist,
  TaskTimedOut,
} from '@aws-sdk/client-sfn';
import type { WorkflowName } from '../domain/workflows.ts';

export interface ExecutionState {
  readonly status: string;
  readonly error: string | undefined;
  readonly cause: string | undefined;
  readonly input: string | undefined;
  readonly startedAt: Date;
  readonly stoppedAt: Date | undefined;
}

export interface Machines {
  /** Starts a workflow under a name that is used once in 90 days. `started: false`: an execution of that name exists. */
  start(workflow: WorkflowName, name: string, input: object): Promise<{ executionArn: string; started: boolean }>;
  /** ARN that an execution of that name has. */
  executionArn(workflow: WorkflowName, name: string): string;
  /** How an execution stands; undefined when Step Functions knows none of that ARN (any more). */
  describe(executionArn: string): Promise<ExecutionState | undefined>;
  /** Stops it where it stands: no Catch runs, so the caller cleans up. */
  stop(executionArn: string, cause: string): Promise<void>;
  /** Answers a waiting task. False: nobody waits for that token any more. */
  answer(token: string, output: object): Promise<boolean>;
  /** Fails a waiting task with a name of domain/errors.ts. False: nobody waits for that token any more. */
  refuse(token: string, error: string, cause: string): Promise<boolean>;
}

const answered = async (call: Promise<unknown>): Promise<boolean> => {
  try {
    await call;
    return true;
  } catch (error) {
    if (error instanceof TaskTimedOut || error instanceof TaskDoesNotExist) return false;
    throw error;
  }
};

/** `arnPrefix` is `arn:aws:states:REGION:ACCOUNT:stateMachine:tenantry-`; the machine's name follows it. */
export const openMachines = (client: SFNClient, arnPrefix: string): Machines => {
  const machineArn = (workflow: WorkflowName): string => `${arnPrefix}${workflow}`;
  const executionArn = (workflow: WorkflowName, name: string): string =>
    `${machineArn(workflow).replace(':stateMachine:', ':execution:')}:${name}`;
  return {
    executionArn,
    start: async (workflow, name, input) => {
      try {
        const started = await client.send(
          new StartExecutionCommand({ stateMachineArn: machineArn(workflow), name, input: JSON.stringify(input) }),
        );
        return { executionArn: started.executionArn!, started: true };
      } catch (error) {
        if (!(error instanceof ExecutionAlreadyExists)) throw error;
        return { executionArn: executionArn(workflow, name), started: false };
      }
    },
    describe: async (arn) => {
      try {
        const found = await client.send(new DescribeExecutionCommand({ executionArn: arn }));
        const { status, error, cause, input, startDate, stopDate } = found;
        return { status: status!, error, cause, input, startedAt: startDate!, stoppedAt: stopDate };
      } catch (error) {
        if (error instanceof ExecutionDoesNotExist) return undefined;
        throw error;
      }
    },
    stop: async (arn, cause) => {
      await client.send(new StopExecutionCommand({ executionArn: arn, error: 'Stopped', cause }));
    },
    answer: (token, output) =>
      answered(client.send(new SendTaskSuccessCommand({ taskToken: token, output: JSON.stringify(output) }))),
    refuse: (token, error, cause) =>
      answered(client.send(new SendTaskFailureCommand({ taskToken: token, error, cause }))),
  };
};
