import { ServiceError } from '../gateway/service.ts';
import { alarm } from './alarm.ts';
import { executionArn } from './arn.ts';
import type { Ending, ExecutionRow, ExecutionRows, NewExecution } from './execution-rows.ts';
import { Aborted, errorText, StateFailure } from './failure.ts';
import { freshFrame, noVariables, restoreFrame } from './frame.ts';
import { enter, runFrame } from './frame-runner.ts';
import type { Machines } from './machines.ts';
import { storedPayload } from './payload.ts';
import { checkExecutionName, checkInput } from './request.ts';
import type { Run } from './run.ts';
import type { World } from './world.ts';

export type { ExecutionRow } from './execution-rows.ts';

/** One new execution; `of` is given for the children of a Map Run, whose machine exists only in their ARNs. */
export interface Start {
  readonly machineArn: string;
  readonly input: string;
  readonly name: string;
}

export interface Executions {
  readonly rows: ExecutionRows;
  /**
   * Starts an execution, or answers the open one of the same name and input. Throws ServiceError StateMachineDoesNotExist,
   * StateMachineDeleting, InvalidName, InvalidExecutionInput, ExecutionAlreadyExists. It runs after the turn is on disk.
   */
  start(start: Start): { arn: string; startedAt: number };
  /** Starts a child of a Map Run. Its name is free by construction. */
  launch(row: NewExecution): void;
  /** Takes up an execution that an earlier life left open, or that was redriven. */
  takeUp(row: ExecutionRow): void;
  /** Ends an open execution as ABORTED; answers when it stopped, undefined when it had ended before. */
  stop(arn: string, reason: { error?: string; cause?: string }): number | undefined;
  /** Promise: the row of the execution once it is over and on disk. */
  ended(arn: string): Promise<ExecutionRow>;
  /** ARNs of the executions in memory. */
  running(): string[];
}

const endEvents: Readonly<Record<Ending['status'], string>> = {
  SUCCEEDED: 'ExecutionSucceeded',
  FAILED: 'ExecutionFailed',
  TIMED_OUT: 'ExecutionTimedOut',
  ABORTED: 'ExecutionAborted',
};

const detailsOf = (ending: Ending): object => ({
  ...(ending.error === undefined ? {} : { error: ending.error }),
  ...(ending.cause === undefined ? {} : { cause: ending.cause }),
});

export const openExecutions = (
  world: () => World,
  rows: ExecutionRows,
  machines: Machines,
  onEnd: (row: ExecutionRow) => void,
): Executions => {
  const live = new Map<string, Run>();
  const watchers = new Map<string, ((row: ExecutionRow) => void)[]>();

  const end = (run: Run, ending: Ending): number => {
    const now = Date.now();
    const { journal, history, frames, tokens, statusEvents } = world();
    journal.write(() => {
      // Recorded from AWS: an end from outside names no previous event.
      const previous = ending.status === 'SUCCEEDED' || ending.status === 'FAILED' ? (run.root?.previous ?? 0) : 0;
      history.append(run, endEvents[ending.status], previous, detailsOf(ending), ending.output);
      rows.end(run.key, ending, now);
      statusEvents.note(rows.byKey(run.key));
      tokens.closeAll(run.key);
      // The frames of a failure stay: a redrive goes on from them.
      if (ending.status === 'SUCCEEDED') frames.drop(run.key);
    });
    live.delete(run.arn);
    run.scope.abort();
    const told = (): void => {
      // Committed by the close itself: who waits learns it in the next life.
      if (world().scope.aborted) return;
      const row = rows.byKey(run.key);
      onEnd(row);
      for (const tell of watchers.get(run.arn) ?? []) tell(row);
      watchers.delete(run.arn);
    };
    journal
      .settled()
      .then(told, (error: unknown) => world().log(`${run.arn}: its end was not written: ${errorText(error)}`));
    return now;
  };

  const drive = async (run: Run): Promise<void> => {
    const timeOut = (): void => void end(run, { status: 'TIMED_OUT' });
    if (run.deadline !== undefined) {
      // Taken up too late: nothing that was in flight is called again.
      if (run.deadline <= Date.now()) return timeOut();
      run.scope.onAbort(alarm(run.deadline, timeOut));
    }
    try {
      const output = await runFrame(world(), run.root!);
      run.scope.check();
      end(run, { status: 'SUCCEEDED', output: output.text });
    } catch (error) {
      if (run.scope.aborted || error instanceof Aborted) return;
      if (error instanceof StateFailure) {
        end(run, {
          status: 'FAILED',
          error: error.error,
          ...(error.reason === undefined ? {} : { cause: error.reason }),
        });
        return;
      }
      world().log(`${run.arn}: stands still until the engine is started again: ${errorText(error)}`);
    }
  };

  const admit = (row: ExecutionRow, stored: Run['stored'], events: number): Run => {
    const run: Run = {
      key: row.key,
      arn: row.arn,
      name: row.name,
      machineArn: row.machine_arn,
      machineName: row.machine_name,
      roleArn: row.role_arn,
      definition: machines.parsed(row.definition),
      input: storedPayload(row.input),
      startedAt: row.started_at,
      deadline: row.deadline ?? undefined,
      redrives: row.redrives,
      redrivenAt: row.redriven_at ?? undefined,
      scope: world().scope.child(),
      stored,
      root: undefined,
      events,
    };
    live.set(run.arn, run);
    return run;
  };

  const rootPlace = (run: Run) => ({
    run,
    path: '',
    machine: run.definition,
    scope: run.scope,
    outer: noVariables,
  });

  const launch = (row: NewExecution): void => {
    const { journal, history, statusEvents } = world();
    journal.write(() => {
      const started = rows.byKey(rows.insert(row));
      statusEvents.note(started);
      const run = admit(started, new Map(), 0);
      const details = { roleArn: run.roleArn };
      history.append(run, 'ExecutionStarted', 0, details, row.input);
      run.root = freshFrame({ ...rootPlace(run), input: run.input, previous: 0 });
      enter(world(), run.root);
      void drive(run);
    });
  };

  const start = ({ machineArn, input, name }: Start): { arn: string; startedAt: number } => {
    const machine = machines.find(machineArn);
    if (!machine) {
      throw new ServiceError('StateMachineDoesNotExist', `State Machine Does Not Exist: '${machineArn}'`);
    }
    if (machine.status === 'DELETING') {
      throw new ServiceError('StateMachineDeleting', `State Machine Deleting: '${machineArn}'`);
    }
    checkExecutionName(name);
    checkInput(input);
    const arn = executionArn(machineArn, name);
    const known = rows.byArn(arn);
    if (known) {
      if (known.status === 'RUNNING' && known.input === input) return { arn, startedAt: known.started_at };
      throw new ServiceError('ExecutionAlreadyExists', `Execution Already Exists: '${arn}'`);
    }
    const now = Date.now();
    const { TimeoutSeconds } = machines.parsed(machine.definition);
    launch({
      arn,
      machine_arn: machineArn,
      machine_name: machine.name,
      name,
      definition: machine.definition,
      role_arn: machine.role_arn,
      input,
      started_at: now,
      deadline: TimeoutSeconds === undefined ? null : now + TimeoutSeconds * 1_000,
      map_run: null,
      item_count: null,
    });
    return { arn, startedAt: now };
  };

  return {
    rows,
    start,
    launch,
    takeUp: (row) => {
      if (live.has(row.arn)) return;
      const run = admit(row, world().frames.load(row.key), rows.lastEvent(row.key));
      run.root = restoreFrame(rootPlace(run));
      if (!run.root) throw new Error(`the execution '${row.arn}' has no frame to go on from`);
      void drive(run);
    },
    stop: (arn, { error, cause }) => {
      const run = live.get(arn);
      if (!run) return undefined;
      return end(run, {
        status: 'ABORTED',
        ...(error === undefined ? {} : { error }),
        ...(cause === undefined ? {} : { cause }),
      });
    },
    ended: (arn) => {
      const row = rows.byArn(arn);
      if (!row) return Promise.reject(new StateFailure('States.Runtime', `Execution Does Not Exist: '${arn}'`));
      if (row.status !== 'RUNNING') return Promise.resolve(row);
      const { promise, resolve } = Promise.withResolvers<ExecutionRow>();
      watchers.set(arn, [...(watchers.get(arn) ?? []), resolve]);
      return promise;
    },
    running: () => [...live.keys()],
  };
};
