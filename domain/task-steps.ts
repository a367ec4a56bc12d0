import type { StepName, WorkflowName } from './workflows.ts';

/** A step that may take longer than a Lambda lives and then runs as a container task: the same handler in the same image. */
export interface TaskHandler {
  /** Seconds that its Task state waits at most; the task itself has no time-out. */
  readonly seconds: number;
  /** CPU units of Fargate, 1,024 a vCPU. */
  readonly cpu: number;
  /** MiB; the half of it is for rows, gzip and parts under way. */
  readonly memory: number;
}

/** Step -> its container task. `${<Step>TaskDefinition}` stands in the state `<Step>AsTask`. */
export const tasks = {
  DumpDatabase: { seconds: 21_600, cpu: 2_048, memory: 4_096 },
  DrillRestore: { seconds: 21_600, cpu: 1_024, memory: 2_048 },
  StageRestore: { seconds: 21_600, cpu: 1_024, memory: 2_048 },
  CompareRestore: { seconds: 21_600, cpu: 1_024, memory: 2_048 },
  SwapRestore: { seconds: 21_600, cpu: 1_024, memory: 2_048 },
  UndoRestore: { seconds: 21_600, cpu: 1_024, memory: 2_048 },
  LoadClone: { seconds: 21_600, cpu: 1_024, memory: 2_048 },
  CutOver: { seconds: 21_600, cpu: 1_024, memory: 2_048 },
  VerifyCopy: { seconds: 21_600, cpu: 1_024, memory: 2_048 },
  FinishMigration: { seconds: 21_600, cpu: 1_024, memory: 2_048 },
  AbandonMigration: { seconds: 21_600, cpu: 1_024, memory: 2_048 },
} as const satisfies Partial<Record<StepName, TaskHandler>>;

export type TaskStep = keyof typeof tasks;

/** Program that runs a step as a task: it reads STEP and STEP_INPUT. */
export const taskEntry = 'lambdas/task.ts';

/** Machine -> the steps that it may run as tasks. */
export const taskWorkflows = {
  'back-up-tenant': ['DumpDatabase'],
  'back-up-fleet': ['DumpDatabase'],
  'drill-restores': ['DrillRestore'],
  'restore-tenant': ['StageRestore', 'CompareRestore', 'SwapRestore', 'UndoRestore'],
  'clone-tenant': ['StageRestore', 'LoadClone'],
  'migrate-tenant': ['CutOver', 'VerifyCopy', 'FinishMigration', 'AbandonMigration'],
} as const satisfies Partial<Record<WorkflowName, readonly TaskStep[]>>;
