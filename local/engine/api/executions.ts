import { randomUUID } from 'node:crypto';
import { ServiceError } from '../../gateway/service.ts';
import type { ExecutionRow } from '../execution-rows.ts';
import { redrivable, redrive } from '../redrive.ts';
import { pageToken, placeOf } from '../request.ts';
import type { World } from '../world.ts';
import { pageSize } from './machines.ts';

interface StartInput {
  readonly stateMachineArn: string;
  readonly name?: string;
  readonly input?: string;
}

interface ListInput {
  readonly stateMachineArn?: string;
  readonly mapRunArn?: string;
  readonly statusFilter?: string;
  readonly redriveFilter?: string;
  readonly maxResults?: number;
  readonly nextToken?: string;
}

/** API: an error has at most 256 characters, a cause 32,768. */
const checkReason = ({ error, cause }: { error?: string; cause?: string }): void => {
  if (error !== undefined && error.length > 256) {
    throw new ServiceError('ValidationException', `error has ${error.length} characters, 256 are allowed`);
  }
  if (cause !== undefined && cause.length > 32_768) {
    throw new ServiceError('ValidationException', `cause has ${cause.length} characters, 32768 are allowed`);
  }
};

const optional = <T>(name: string, value: T | null | undefined): Record<string, T> =>
  value === null || value === undefined ? {} : { [name]: value };

const dates = (row: ExecutionRow) => ({
  startDate: new Date(row.started_at),
  ...optional('stopDate', row.stopped_at === null ? null : new Date(row.stopped_at)),
});

const redriveDate = (row: ExecutionRow) =>
  optional('redriveDate', row.redriven_at === null ? null : new Date(row.redriven_at));

const listed = (row: ExecutionRow) => ({
  executionArn: row.arn,
  stateMachineArn: row.machine_arn,
  name: row.name,
  status: row.status,
  ...dates(row),
  ...optional('mapRunArn', row.map_run),
  ...optional('itemCount', row.item_count),
  redriveCount: row.redrives,
  ...redriveDate(row),
});

/** The row of `arn`. Throws ExecutionDoesNotExist. */
export const existingExecution = (world: World, arn: string): ExecutionRow => {
  const row = world.executions.rows.byArn(arn);
  if (!row) throw new ServiceError('ExecutionDoesNotExist', `Execution Does Not Exist: '${arn}'`);
  return row;
};

const described = (world: World, row: ExecutionRow) => {
  const redriving = redrivable(world, row);
  return {
    executionArn: row.arn,
    stateMachineArn: row.machine_arn,
    name: row.name,
    status: row.status,
    ...dates(row),
    input: row.input,
    inputDetails: { included: true },
    ...(row.output === null ? {} : { output: row.output, outputDetails: { included: true } }),
    ...optional('error', row.error),
    ...optional('cause', row.cause),
    ...optional('mapRunArn', row.map_run),
    redriveCount: row.redrives,
    ...redriveDate(row),
    redriveStatus: redriving.status,
    ...optional('redriveStatusReason', redriving.reason),
  };
};

/** The operations on executions. Lists show the newest first. */
export const executionOperations = (world: World) => ({
  StartExecution: ({ stateMachineArn, name = randomUUID(), input = '{}' }: StartInput) => {
    const started = world.executions.start({ machineArn: stateMachineArn, name, input });
    return { executionArn: started.arn, startDate: new Date(started.startedAt) };
  },

  DescribeExecution: ({ executionArn }: { executionArn: string }) =>
    described(world, existingExecution(world, executionArn)),

  ListExecutions: (input: ListInput) => {
    const { stateMachineArn, mapRunArn, statusFilter, redriveFilter } = input;
    if ((stateMachineArn === undefined) === (mapRunArn === undefined)) {
      throw new ServiceError('ValidationException', 'give either stateMachineArn or mapRunArn');
    }
    if (stateMachineArn !== undefined && !world.machines.find(stateMachineArn)) {
      throw new ServiceError('StateMachineDoesNotExist', `State Machine Does Not Exist: '${stateMachineArn}'`);
    }
    if (mapRunArn !== undefined && !world.mapRuns.find(mapRunArn)) {
      throw new ServiceError('ResourceNotFound', `Resource not found: '${mapRunArn}'`, {
        members: { resourceName: mapRunArn },
      });
    }
    const limit = pageSize(input.maxResults);
    const rows = world.executions.rows.list({
      ...(stateMachineArn === undefined ? {} : { machineArn: stateMachineArn }),
      ...(mapRunArn === undefined ? {} : { mapRun: mapRunArn }),
      ...(statusFilter === undefined ? {} : { status: statusFilter }),
      ...(redriveFilter === undefined ? {} : { redriven: redriveFilter === 'REDRIVEN' }),
      before: Number(placeOf(input.nextToken) ?? Number.MAX_SAFE_INTEGER),
      limit,
    });
    return {
      executions: rows.map(listed),
      ...(rows.length === limit ? { nextToken: pageToken(rows.at(-1)!.key) } : {}),
    };
  },

  StopExecution: (input: { executionArn: string; error?: string; cause?: string }) => {
    const row = existingExecution(world, input.executionArn);
    checkReason(input);
    const { error, cause } = input;
    const reason = { ...optional('error', error), ...optional('cause', cause) };
    const stopped = world.executions.stop(row.arn, reason) ?? row.stopped_at ?? Date.now();
    return { stopDate: new Date(stopped) };
  },

  RedriveExecution: ({ executionArn }: { executionArn: string }) => ({
    redriveDate: new Date(redrive(world, existingExecution(world, executionArn))),
  }),

  DescribeStateMachineForExecution: ({ executionArn }: { executionArn: string }) => {
    const row = existingExecution(world, executionArn);
    const machine = world.machines.find(row.machine_arn);
    return {
      stateMachineArn: row.machine_arn,
      name: row.machine_name,
      definition: world.machines.textOf(row.definition),
      roleArn: row.role_arn,
      updateDate: new Date(machine?.updated_at ?? row.started_at),
      loggingConfiguration: { includeExecutionData: false, level: 'OFF' },
      tracingConfiguration: { enabled: false },
      ...optional('mapRunArn', row.map_run),
      ...(row.map_run === null ? {} : { label: row.machine_arn.split('/').at(-1)! }),
      ...optional('revisionId', machine?.revision),
    };
  },

  SendTaskSuccess: ({ taskToken, output }: { taskToken: string; output: string }) => {
    try {
      JSON.parse(output);
    } catch (error) {
      throw new ServiceError(
        'InvalidOutput',
        `Invalid Output: '${error instanceof Error ? error.message : String(error)}'`,
      );
    }
    world.tokens.succeed(taskToken, output);
    return {};
  },
  SendTaskFailure: (input: { taskToken: string; error?: string; cause?: string }) => {
    checkReason(input);
    world.tokens.fail(input.taskToken, input.error ?? '', input.cause);
    return {};
  },
  SendTaskHeartbeat: ({ taskToken }: { taskToken: string }) => {
    world.tokens.beat(taskToken);
    return {};
  },
});
