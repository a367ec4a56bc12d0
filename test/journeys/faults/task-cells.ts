import { ECSClient, RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs';
import { DescribeStateMachineCommand, UpdateStateMachineCommand } from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { taskContainer } from '../../../domain/deployment.ts';
import type { TaskStep } from '../../../domain/task-steps.ts';
import type { Sabotage } from './saboteur.ts';
import { openStage, type Stage } from './stage.ts';
import { passesByItself, type TaskCell, type TaskFault, type TaskMachine, taskCellsOf } from './task-matrix.ts';
import { imageless, openTaskSaboteur } from './task-saboteur.ts';
import { leftoverFindings, worldFindings } from './world.ts';

/** How the task of one step is reached, and what the world must be when its fault is over. */
export interface TaskPlay {
  readonly input: (cell: TaskCell, stage: Stage) => object;
  /** A step that fails for good so that a compensation is reached. */
  readonly because?: Sabotage;
  /** What the task did stands, whoever heard of it. */
  readonly commits?: true;
  /** Where it is said why, when not on the operation. */
  readonly reason?: (cell: TaskCell, stage: Stage) => Promise<string>;
  /** What is said where the machine does not keep the words of a task. */
  readonly says?: RegExp;
  /** What must hold beside the story that the world tells: `went` says whether the operation was to succeed. */
  readonly after: (cell: TaskCell, stage: Stage, went: boolean) => Promise<void>;
}

export interface TaskFaults {
  readonly plays: { readonly [Machine in TaskMachine]?: { readonly [Step in TaskStep]?: TaskPlay } };
  /** Makes the tenants of these cells, all at once where that is cheaper. */
  readonly prepare: (stage: Stage, cells: readonly TaskCell[]) => Promise<void>;
}

/** What the end of an operation says of a task that is lost for good. */
const told: Readonly<Partial<Record<TaskFault, RegExp>>> = {
  refused: /the host of the task is gone/,
  unheard: /the host of the task is gone/,
  failing: /nowhere/,
  'no-capacity': /Capacity is unavailable/,
  'no-image': /CannotPullContainerError/,
  stuck: /did not answer within its time-out/,
};

const reasonOfOperation = async ({ id }: TaskCell, { control }: Stage): Promise<string> =>
  (await control.query<{ reason: string }>('SELECT reason FROM operations WHERE id = $1', [id])).rows[0]?.reason ?? '';

const registerImageless = async ({ laptop }: Stage): Promise<void> => {
  const { endpoint, region, credentials } = laptop.cloud;
  const ecs = new ECSClient({ endpoint, region, credentials });
  const containerDefinitions = [{ name: taskContainer, image: 'tenantry/nowhere', essential: true }];
  await ecs.send(
    new RegisterTaskDefinitionCommand({ family: imageless, cpu: '256', memory: '512', containerDefinitions }),
  );
  ecs.destroy();
};

/** Runs `work` while the machine waits a second for tasks of that step, instead of hours. */
const impatiently = async (
  { laptop }: Stage,
  { machine, step }: TaskCell,
  work: () => Promise<void>,
): Promise<void> => {
  const stateMachineArn = laptop.machineArn(machine);
  const { definition = '' } = await laptop.states.send(new DescribeStateMachineCommand({ stateMachineArn }));
  const hasty = JSON.stringify(JSON.parse(definition), (name, value) =>
    name === `${step}AsTask` ? { ...value, TimeoutSeconds: 1 } : value,
  );
  const update = (text: string) =>
    laptop.states.send(new UpdateStateMachineCommand({ stateMachineArn, definition: text }));
  await update(hasty);
  try {
    await work();
  } finally {
    await update(definition);
  }
};

/** The cells of these machines' container tasks as tests, one cloud for all of them; each has a tenant of its own. */
export const describeTaskFaults = ({ plays, prepare }: TaskFaults): void => {
  vi.setConfig({ maxConcurrency: 5, testTimeout: 240_000, hookTimeout: 400_000 });
  const cells = (Object.keys(plays) as TaskMachine[]).flatMap(taskCellsOf);
  const saboteur = openTaskSaboteur();
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage({ interposeTasks: saboteur.interpose });
    await registerImageless(stage);
    await prepare(stage, cells);
  });
  afterAll(() => stage.close());

  const run = async (cell: TaskCell): Promise<void> => {
    const { id, machine, step, fault } = cell;
    const play = plays[machine]?.[step];
    if (!play) throw new Error(`${machine} has a new task ${step}: say in its plays how it is reached`);
    const went =
      play.because === undefined && (passesByItself(fault) || (play.commits === true && fault === 'unheard'));
    if (play.because) stage.saboteur.arm(id, play.because);
    saboteur.arm(id, step, fault);
    const started = await stage.laptop.start(machine, play.input(cell, stage), id);
    const execution = await stage.laptop.ended(started);
    const { calls, complaints } = await saboteur.settle(id);
    expect(calls, `${step} was never asked for as a task: the cell proves nothing`).toBeGreaterThan(0);
    expect(complaints).toEqual([]);
    expect(execution.status, execution.cause).toBe(went ? 'SUCCEEDED' : 'FAILED');
    expect(await worldFindings(stage, id, id)).toEqual([]);
    if (!went) expect(await (play.reason ?? reasonOfOperation)(cell, stage)).toMatch(play.says ?? told[fault]!);
    stage.saboteur.disarm(id);
    await play.after(cell, stage, went);
  };

  describe.concurrent('after a fault of a container task the world tells one story', () => {
    for (const cell of cells.filter(({ fault }) => fault !== 'stuck'))
      test(`${cell.machine} ${cell.step} as a task ${cell.fault}`, () => run(cell));
  });

  describe('after a container task that did not end in time the world tells one story', () => {
    for (const cell of cells.filter(({ fault }) => fault === 'stuck'))
      test(`${cell.machine} ${cell.step}`, () => impatiently(stage, cell, () => run(cell)));
  });

  test('nothing is left over', async () => {
    expect(await leftoverFindings(stage)).toEqual([]);
  });
};
