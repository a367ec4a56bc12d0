import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type WorkflowName, workflows } from '../../../domain/workflows.ts';
import { root } from '../../cloud.ts';
import { cellsIn, type Faults } from './cells.ts';
import { archiveTasks } from './plays/archive-tasks.ts';
import { archives } from './plays/archives.ts';
import { fleetBackup } from './plays/back-up-fleet.ts';
import { backup } from './plays/back-up-tenant.ts';
import { planChange } from './plays/change-plan.ts';
import { cloning } from './plays/clone-tenant.ts';
import { offboarding } from './plays/deprovision-tenant.ts';
import { migration } from './plays/migrate-tenant.ts';
import { ownPlaces } from './plays/own-places.ts';
import { signup } from './plays/provision-tenant.ts';
import { recovery } from './plays/recover-point-in-time.ts';
import { restoring } from './plays/restore-tenant.ts';
import { rowTasks } from './plays/row-tasks.ts';
import { objectFaults } from './restored-objects.ts';
import { type TaskMachine, taskCellsOf } from './task-matrix.ts';

const byFunction: readonly Faults[] = [
  archives,
  backup,
  cloning,
  fleetBackup,
  migration,
  objectFaults,
  offboarding,
  ownPlaces,
  planChange,
  recovery,
  restoring,
  signup,
];
const byTask = [archiveTasks, rowTasks];

/** What Step Functions does by itself: the nested machine has cells of its own, an announcement is repeated by a redrive. */
const ofStepFunctions = ['arn:aws:states:::states:startExecution.sync:2', 'arn:aws:states:::events:putEvents'];

interface State {
  readonly Type: string;
  readonly Resource?: string;
  readonly Branches?: readonly Machine[];
  readonly ItemProcessor?: Machine;
}
interface Machine {
  readonly States: Readonly<Record<string, State>>;
}

const tasksOf = ({ States }: Machine): string[] =>
  Object.entries(States).flatMap(([name, state]) => [
    ...(state.Type === 'Task' && !ofStepFunctions.includes(state.Resource ?? '') ? [name] : []),
    ...[...(state.Branches ?? []), ...(state.ItemProcessor ? [state.ItemProcessor] : [])].flatMap(tasksOf),
  ]);

/** Task states of the machine that somebody makes go wrong, under the names that they have in it. */
const playedOf = (machine: WorkflowName): Set<string> => {
  const functions = byFunction.flatMap((faults) =>
    cellsIn(faults).filter((cell) => cell.machine === machine && faults.plays[cell.task]),
  );
  const tasks = byTask.flatMap(({ plays }) =>
    taskCellsOf(machine as TaskMachine).filter(({ step }) => plays[machine as TaskMachine]?.[step]),
  );
  return new Set([...functions.map(({ task }) => task), ...tasks.map(({ step }) => `${step}AsTask`)]);
};

describe('every Task state goes wrong in some fault cell', () => {
  test.each(Object.keys(workflows) as WorkflowName[])('of %s', (machine) => {
    const text = readFileSync(join(root, 'state-machines', `${machine}.asl.json`), 'utf8');
    const tasks = tasksOf(JSON.parse(text) as Machine);
    expect(tasks).not.toEqual([]);
    const played = playedOf(machine);
    expect(tasks.filter((task) => !played.has(task))).toEqual([]);
  });
});
