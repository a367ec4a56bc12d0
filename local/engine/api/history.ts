import type { EventRow } from '../history.ts';
import { pageToken, placeOf } from '../request.ts';
import type { World } from '../world.ts';
import { existingExecution } from './executions.ts';
import { pageSize } from './machines.ts';

type PayloadField = 'input' | 'output' | 'parameters';

const shared: Readonly<Record<string, string>> = {
  StateEntered: 'stateEnteredEventDetails',
  StateExited: 'stateExitedEventDetails',
};

/** Types whose details are in a member of their own, with or without a payload; others have no details at all. */
const payloads: Readonly<Record<string, PayloadField | undefined>> = {
  ExecutionStarted: 'input',
  ExecutionSucceeded: 'output',
  LambdaFunctionScheduled: 'input',
  LambdaFunctionSucceeded: 'output',
  TaskScheduled: 'parameters',
  TaskSubmitted: 'output',
  TaskSucceeded: 'output',
};

/** Ends from outside show an empty object where they have no reason (recorded from AWS). */
const alwaysDetailed = new Set(['ExecutionAborted', 'ExecutionTimedOut', 'ExecutionFailed']);

const memberOf = (type: string): string => {
  const state = /State(Entered|Exited)$/.exec(type);
  if (state) return shared[`State${state[1]}`]!;
  return `${type[0]!.toLowerCase()}${type.slice(1)}EventDetails`;
};

const fieldOf = (type: string): PayloadField | undefined => {
  if (type.endsWith('StateEntered')) return 'input';
  if (type.endsWith('StateExited')) return 'output';
  return payloads[type];
};

const detailsOf = (row: EventRow, withData: boolean): Record<string, unknown> => {
  const field = fieldOf(row.type);
  if (row.details === null && row.data === null && !alwaysDetailed.has(row.type)) return {};
  const details: Record<string, unknown> = row.details === null ? {} : JSON.parse(row.details);
  if (field && row.data !== null) {
    if (withData || field === 'parameters') details[field] = row.data;
    if (field !== 'parameters') details[`${field}Details`] = { truncated: false };
  }
  if (!withData) {
    delete details.cause;
    delete details.assignedVariables;
  } else if (details.assignedVariables) details.assignedVariablesDetails = { truncated: false };
  return { [memberOf(row.type)]: details };
};

const event = (row: EventRow, withData: boolean) => ({
  timestamp: new Date(row.at),
  type: row.type,
  id: row.id,
  previousEventId: row.previous,
  ...detailsOf(row, withData),
});

interface HistoryInput {
  readonly executionArn: string;
  readonly maxResults?: number;
  readonly reverseOrder?: boolean;
  readonly nextToken?: string;
  readonly includeExecutionData?: boolean;
}

/** GetExecutionHistory: pages in either order; without execution data the inputs and outputs are left out. */
export const historyOperations = (world: World) => ({
  GetExecutionHistory: ({
    executionArn,
    maxResults,
    reverseOrder = false,
    nextToken,
    includeExecutionData = true,
  }: HistoryInput) => {
    const { key } = existingExecution(world, executionArn);
    const limit = pageSize(maxResults);
    const after = placeOf(nextToken);
    const rows = world.history.read(key, {
      limit: limit + 1,
      reverse: reverseOrder,
      ...(after === undefined ? {} : { after: Number(after) }),
    });
    const shown = rows.slice(0, limit);
    return {
      events: shown.map((row) => event(row, includeExecutionData)),
      ...(rows.length > limit ? { nextToken: pageToken(shown.at(-1)!.id) } : {}),
    };
  },
});
