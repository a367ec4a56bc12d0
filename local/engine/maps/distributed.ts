import { randomUUID } from 'node:crypto';
import { executionArn, mapMachineArn, mapRunArn, mapRunId } from '../arn.ts';
import type { MapState } from '../definition.ts';
import type { ExecutionRow } from '../execution-rows.ts';
import { Aborted, StateFailure } from '../failure.ts';
import type { Frame } from '../frame.ts';
import { type Payload, payload } from '../payload.ts';
import { type Scope, within } from '../scope.ts';
import type { World } from '../world.ts';
import { checkItem, concurrencyOf, mapInputs } from './items.ts';
import type { MapItemRow } from './map-runs.ts';
import { writeResults } from './result-writer.ts';
import { exceeds, type Tolerance, toleranceOf } from './tolerance.ts';

/** Children at once when MaxConcurrency does not say. AWS allows 10,000; a laptop has one process for each running handler. */
const childConcurrency = 1_000;

/** Reads the items and writes the Map Run with all of them: from here on a restart reads nothing again. */
const openMapRun = async (world: World, frame: Frame, state: MapState): Promise<string> => {
  if (frame.progress.mapRun !== undefined) return frame.progress.mapRun;
  const inputs = await within(frame.scope, mapInputs(world, frame, state));
  const tolerance = await toleranceOf(frame, state);
  const concurrency = await concurrencyOf(frame, state, 0);
  const machine = mapMachineArn(frame.run.machineArn, state.Label ?? randomUUID());
  const arn = mapRunArn(machine, randomUUID());
  const stored = inputs.map(({ input, items }) => ({ input: checkItem(JSON.stringify(input), frame.state), items }));
  frame.scope.check();
  world.journal.write(() => {
    const { run } = frame;
    const started = world.history.append(run, 'MapStateStarted', frame.previous, { length: inputs.length });
    world.mapRuns.open(
      {
        arn,
        execution: run.key,
        machine_arn: machine,
        started_at: Date.now(),
        max_concurrency: concurrency,
        tolerated_count: tolerance.count,
        tolerated_percentage: tolerance.percentage,
      },
      stored,
    );
    frame.previous = world.history.append(run, 'MapRunStarted', started, { mapRunArn: arn });
    frame.progress.started = started;
    frame.progress.mapRun = arn;
    world.frames.save(frame);
  });
  return arn;
};

const startChild = (world: World, frame: Frame, state: MapState, mapRun: string, row: MapItemRow): string => {
  const { machine_arn } = world.mapRuns.find(mapRun)!;
  const name = randomUUID();
  const arn = executionArn(machine_arn, name);
  const { TimeoutSeconds } = state.ItemProcessor;
  const now = Date.now();
  world.journal.write(() => {
    world.mapRuns.assign(mapRun, row.item, arn);
    world.executions.launch({
      arn,
      machine_arn,
      machine_name: machine_arn.split(':').at(-1)!,
      name,
      definition: world.machines.keep(JSON.stringify(state.ItemProcessor)),
      role_arn: frame.run.roleArn,
      input: row.input,
      started_at: now,
      deadline: TimeoutSeconds === undefined ? null : now + TimeoutSeconds * 1_000,
      map_run: mapRun,
      item_count: row.items,
    });
  });
  return arn;
};

const thresholdFailure = (): StateFailure =>
  new StateFailure('States.ExceedToleratedFailureThreshold', 'The specified tolerated failure threshold was exceeded');

/** Promise: the rows of all children, in the order of the items. Throws when more failed than the Map tolerates. */
const runChildren = async (
  world: World,
  frame: Frame,
  state: MapState,
  mapRun: string,
  tolerance: Tolerance,
  scope: Scope,
): Promise<ExecutionRow[]> => {
  const items = world.mapRuns.items(mapRun);
  const total = items.reduce((sum, row) => sum + row.items, 0);
  const rows: ExecutionRow[] = new Array(items.length);
  let next = 0;
  let failed = 0;
  const runPlace = async (): Promise<void> => {
    while (next < items.length) {
      scope.check();
      const item = items[next]!;
      next += 1;
      const child = item.child ?? startChild(world, frame, state, mapRun, item);
      const row = await within(scope, world.executions.ended(child));
      rows[item.item] = row;
      if (row.status !== 'SUCCEEDED') failed += item.items;
      if (exceeds(tolerance, failed, total)) throw thresholdFailure();
    }
  };
  const places = Math.min(items.length, await concurrencyOf(frame, state, childConcurrency));
  await Promise.all(Array.from({ length: places }, runPlace));
  return rows;
};

const stopChildren = (world: World, mapRun: string): void => {
  for (const { child } of world.mapRuns.items(mapRun)) if (child !== null) world.executions.stop(child, {});
};

/**
 * Runs a distributed Map: every item (or batch) is an execution of its own under a Map Run, found by ListExecutions with the Map
 * Run's ARN. Children go on by themselves after a restart; here they are only waited for again. When the parent ends early they
 * are stopped.
 */
export const runDistributed = async (world: World, frame: Frame, state: MapState): Promise<Payload> => {
  const mapRun = await openMapRun(world, frame, state);
  const tolerance = await toleranceOf(frame, state);
  const scope = frame.scope.child();
  const stop = frame.scope.onAbort(() => {
    if (frame.scope.closing) return;
    world.journal.write(() => world.mapRuns.end(mapRun, 'ABORTED', 0));
    stopChildren(world, mapRun);
  });
  try {
    const rows = await runChildren(world, frame, state, mapRun, tolerance, scope);
    const { output, written } = await writeResults(world, frame, state, { mapRun, id: mapRunId(mapRun), rows });
    frame.scope.check();
    const result = payload(output, frame.state);
    world.journal.write(() => {
      world.mapRuns.end(mapRun, 'SUCCEEDED', written);
      frame.previous = world.history.append(frame.run, 'MapRunSucceeded', frame.previous);
      world.history.append(frame.run, 'MapStateSucceeded', frame.previous);
    });
    return result;
  } catch (error) {
    if (frame.scope.aborted) throw new Aborted();
    const failure = error instanceof StateFailure ? error : new StateFailure('States.Runtime', String(error));
    scope.abort();
    world.journal.write(() => {
      world.mapRuns.end(mapRun, 'FAILED', 0);
      const { error: name, reason } = failure;
      const details = reason === undefined ? { error: name } : { error: name, cause: reason };
      frame.previous = world.history.append(frame.run, 'MapRunFailed', frame.previous, details);
    });
    stopChildren(world, mapRun);
    throw failure;
  } finally {
    stop();
  }
};
