import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { StepName, WorkflowName } from '../../../domain/workflows.ts';
import type { CloudOptions } from '../../../local/cloud.ts';
import { type Cell, cellsOf, type Fault, isTransient, ownPlaceSteps } from './matrix.ts';
import type { Sabotage } from './saboteur.ts';
import { openStage, type Stage } from './stage.ts';
import { leftoverFindings, worldFindings } from './world.ts';

/** How one Task is reached, and what the world must be when its fault is over. */
export interface Play {
  /** The machine whose execution comes to the Task; the operation is named after the cell. */
  readonly workflow: WorkflowName;
  readonly input: (cell: Cell, stage: Stage) => object | Promise<object>;
  /** A step that fails for good so that a compensation is reached. */
  readonly because?: Sabotage;
  /** The Task commits the whole operation: an error after it no longer makes it fail. */
  readonly commits?: true;
  /** The machine goes on without the Task: its failure for good fails nothing. */
  readonly outlived?: true;
  /** What somebody does while the execution runs, such as approving it. */
  readonly meanwhile?: (cell: Cell, stage: Stage) => Promise<void>;
  /** What must hold beside the story that the world tells: `went` says whether the operation was to succeed. */
  readonly after: (cell: Cell, stage: Stage, went: 'well' | 'badly') => Promise<void>;
}

interface Exception {
  readonly task: StepName;
  readonly fault: Fault;
  readonly because: string;
}

export interface Faults {
  readonly machines: readonly WorkflowName[];
  /** Makes the tenants of these cells, all at once where that is cheaper. */
  readonly prepare: (stage: Stage, cells: readonly Cell[]) => Promise<void>;
  readonly plays: Partial<Record<StepName, Play>>;
  /** Only the steps on places that tenants have for themselves, or all but these; all when left out. */
  readonly ownPlaces?: 'only' | 'left out' | undefined;
  /** These cells and no others, where the proofs have all of them. */
  readonly some?: Partial<Record<StepName, readonly Fault[]>>;
  /** Of the cloud that the cells share. */
  readonly cloud?: Pick<CloudOptions, 'stackQuotas'>;
  /** Faults that the machine cannot answer, with the reason; left out by name, never by leaving a Task out. */
  readonly without?: Exception | readonly Exception[];
}

const inFlight = 10;

/** At most ten at a time on two cores: most of a cell is waiting for the back-off of a retry. */
export const inTurns = async <Item>(items: readonly Item[], work: (item: Item) => Promise<unknown>): Promise<void> => {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
};

/** The cells of these machines that are not left out by name. */
export const cellsIn = ({ machines, ownPlaces, some, without }: Faults): Cell[] => {
  const exceptions = [without ?? []].flat();
  return machines
    .flatMap(cellsOf)
    .filter(({ task }) => ownPlaces === undefined || ownPlaceSteps.includes(task) === (ownPlaces === 'only'))
    .filter(({ task, fault }) => some === undefined || some[task]?.includes(fault))
    .filter(({ task, fault }) => !exceptions.some((one) => one.task === task && one.fault === fault));
};

const goesWell = ({ because, commits, outlived }: Play, fault: Fault): boolean =>
  because === undefined && (outlived === true || isTransient(fault) || (commits === true && fault === 'unheard'));

const run = async (stage: Stage, cell: Cell, play: Play): Promise<void> => {
  const { saboteur, laptop } = stage;
  const went = goesWell(play, cell.fault) ? 'well' : 'badly';
  if (play.because) saboteur.arm(cell.id, play.because);
  saboteur.arm(cell.id, { step: cell.task, fault: cell.fault });
  const started = await laptop.start(play.workflow, await play.input(cell, stage), cell.id);
  const [execution] = await Promise.all([laptop.ended(started), play.meanwhile?.(cell, stage)]);
  const { calls, complaints } = await saboteur.settle(cell.id);
  expect(calls[cell.task], `${cell.task} was never called: the cell proves nothing`).toBeGreaterThan(0);
  expect(complaints).toEqual([]);
  expect(execution.status, execution.cause).toBe(went === 'well' ? 'SUCCEEDED' : 'FAILED');
  expect(await worldFindings(stage, cell.id, cell.id)).toEqual([]);
  await play.after(cell, stage, went);
};

/** The cells of these machines as tests, one cloud for all of them; each has a tenant of its own, and one looks on. */
export const describeFaults = (faults: Faults): void => {
  const { machines, prepare, plays, cloud } = faults;
  vi.setConfig({ maxConcurrency: inFlight, testTimeout: 120_000, hookTimeout: 240_000 });
  const cells = cellsIn(faults);
  const began = performance.now();
  let stage: Stage;
  let bystander: Record<string, string>;
  let passed = 0;

  beforeAll(async () => {
    stage = await openStage(cloud);
    await stage.bystander('bystander');
    bystander = await stage.digests('bystander');
    await prepare(stage, cells);
  });
  afterAll(async () => {
    const seconds = ((performance.now() - began) / 1_000).toFixed(0);
    console.log(`fault cells: ${passed} of ${cells.length} pass for ${machines.join(', ')}, ${seconds} s`);
    await stage.close();
  });

  describe.concurrent('after a fault the world tells one story', () => {
    for (const cell of cells)
      test(`${cell.machine} ${cell.task} ${cell.fault}`, async () => {
        const play = plays[cell.task];
        if (!play) throw new Error(`${cell.machine} has a new Task ${cell.task}: say in its plays how it is reached`);
        await run(stage, cell, play);
        passed += 1;
      });
  });

  test('nothing is left over, and the bystander has every row that it had', async () => {
    expect(await leftoverFindings(stage)).toEqual([]);
    expect(await stage.digests('bystander')).toEqual(bystander);
    expect(
      await worldFindings(
        stage,
        'bystander',
        (await stage.control.query<{ id: string }>("SELECT id FROM operations WHERE tenant_id = 'bystander'")).rows[0]!
          .id,
      ),
    ).toEqual([]);
  });
};
