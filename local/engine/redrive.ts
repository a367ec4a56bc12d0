import { ServiceError } from '../gateway/service.ts';
import type { ExecutionRow } from './execution-rows.ts';
import type { Progress, StoredFrame } from './frame.ts';
import { eventLimit } from './history.ts';
import type { World } from './world.ts';

/** RedriveExecution: an execution can be redriven for 14 days after it ended. */
const redrivablePeriod = 14 * 24 * 3_600_000;

export interface Redrivable {
  readonly status: 'REDRIVABLE' | 'NOT_REDRIVABLE' | 'REDRIVABLE_BY_MAP_RUN';
  readonly reason?: string;
}

/** What DescribeExecution says about redriving, in AWS's words. */
export const redrivable = (world: World, row: ExecutionRow): Redrivable => {
  if (row.status === 'RUNNING' || row.status === 'SUCCEEDED') {
    return { status: 'NOT_REDRIVABLE', reason: `Execution is ${row.status} and cannot be redriven` };
  }
  if (row.map_run !== null) return { status: 'REDRIVABLE_BY_MAP_RUN' };
  if (Date.now() - (row.stopped_at ?? 0) > redrivablePeriod) {
    return { status: 'NOT_REDRIVABLE', reason: 'Execution has exceeded the redrivable period of 14 days' };
  }
  if (world.executions.rows.lastEvent(row.key) >= eventLimit - 1) {
    return {
      status: 'NOT_REDRIVABLE',
      reason: `Execution event history has reached its limit of ${eventLimit} events`,
    };
  }
  return { status: 'REDRIVABLE' };
};

/** What stays of a failed attempt: which iterations there are and which executions below are gone on with; never its retries. */
const kept = (progress: Progress, child: boolean): Progress => ({
  enteredAt: progress.enteredAt,
  ...(progress.started === undefined ? {} : { started: progress.started }),
  ...(progress.items ? { items: progress.items } : {}),
  ...(progress.mapRun === undefined ? {} : { mapRun: progress.mapRun }),
  ...(child ? { task: withoutDeadline(progress.task!) } : {}),
});

const withoutDeadline = (task: NonNullable<Progress['task']>): NonNullable<Progress['task']> => ({
  ...task,
  ...(task.timeoutSeconds === undefined ? {} : { timeoutAt: Date.now() + task.timeoutSeconds * 1_000 }),
  ...(task.heartbeatSeconds === undefined ? {} : { heartbeatFrom: Date.now() }),
});

const unsuccessful = (row: ExecutionRow | undefined): row is ExecutionRow =>
  row !== undefined && row.status !== 'RUNNING' && row.status !== 'SUCCEEDED';

const reopenBelow = (
  world: World,
  progress: Progress,
  previous: number,
  chronicle: { key: number; events: number },
): number => {
  const { rows } = world.executions;
  const child = progress.task?.child === undefined ? undefined : rows.byArn(progress.task.child);
  if (unsuccessful(child)) reopen(world, child);
  if (progress.mapRun === undefined) return previous;
  world.mapRuns.reopen(progress.mapRun);
  for (const item of world.mapRuns.items(progress.mapRun)) {
    const row = item.child === null ? undefined : rows.byArn(item.child);
    if (unsuccessful(row)) reopen(world, row);
  }
  const { redrives } = world.mapRuns.find(progress.mapRun)!;
  const details = { mapRunArn: progress.mapRun, redriveCount: redrives };
  return world.history.append(chronicle, 'MapRunRedriven', previous, details);
};

/** Opens an ended execution again, and everything below it that failed with it; runs inside a write. */
const reopen = (world: World, row: ExecutionRow): void => {
  const { rows } = world.executions;
  const { TimeoutSeconds } = world.machines.parsed(row.definition);
  const now = Date.now();
  rows.reopen(row.key, now, TimeoutSeconds === undefined ? null : now + TimeoutSeconds * 1_000);
  world.statusEvents.note(rows.byKey(row.key));
  const chronicle = { key: row.key, events: rows.lastEvent(row.key) };
  const redriven = world.history.append(chronicle, 'ExecutionRedriven', chronicle.events, {
    redriveCount: row.redrives + 1,
  });
  for (const [path, frame] of world.frames.load(row.key)) {
    if (frame.output) continue;
    const child = frame.progress.task?.child !== undefined;
    const previous = reopenBelow(world, frame.progress, redriven, chronicle);
    const rewound: StoredFrame = { ...frame, previous, progress: kept(frame.progress, child) };
    world.frames.rewind(row.key, path, rewound);
  }
  world.executions.takeUp(rows.byKey(row.key));
};

/**
 * RedriveExecution: the execution goes on from the states that did not succeed, with the input they had; what succeeded is not run
 * again, nested executions and children of Map Runs go on from their own failed states. Throws ExecutionNotRedrivable.
 */
export const redrive = (world: World, row: ExecutionRow): number => {
  const { status, reason } = redrivable(world, row);
  if (status !== 'REDRIVABLE') {
    throw new ServiceError(
      'ExecutionNotRedrivable',
      reason ?? `Execution is redriven by the Map Run '${row.map_run}': redrive the execution that started it`,
    );
  }
  world.journal.write(() => reopen(world, row));
  return world.executions.rows.byKey(row.key).redriven_at!;
};
