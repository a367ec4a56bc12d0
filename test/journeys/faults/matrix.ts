import { type StepName, type WorkflowName, workflows } from '../../../domain/workflows.ts';

/**
 * What goes wrong with a Task.
 * `before`: the function dies before its effect. `after`: its effect is there, its answer is lost. `twice`: delivered twice,
 * at once or nearly so. `late`: reported as timed out, and lands while the retry runs. `zombie`: reported as timed out, and lands
 * after the execution has ended. `refused`, `unheard`: an error that nobody retries, before and after the effect.
 */
export const transientFaults = ['before', 'after', 'twice', 'late', 'zombie'] as const;
export const permanentFaults = ['refused', 'unheard'] as const;
export type Fault = (typeof transientFaults)[number] | (typeof permanentFaults)[number];

/** Steps that clean up behind others: nothing cleans up behind them, so only transient faults are for them. */
const compensations: ReadonlySet<StepName> = new Set([
  'ReleaseTenant',
  'AbandonBackup',
  'AbandonRestore',
  'AbandonOffboarding',
  'AbandonMigration',
  'AbandonClone',
  'AbandonRecovery',
  'RevertPlanChange',
  'AbandonPlanChange',
]);

/** Steps on a cluster, server, database or app of the tenant's own: minutes of cells, so they are among the proofs. */
export const ownPlaceSteps: readonly StepName[] = [
  'CreateServer',
  'AwaitServer',
  'PrepareServer',
  'CreateDatabase',
  'DropDatabase',
  'DeleteServer',
  'AwaitServerGone',
  'CreateStack',
  'AwaitStack',
  'DeployWorkload',
  'AwaitWorkload',
  'AwaitWorkloadGone',
  'PlanObjects',
  'RestoreObjects',
  'DrainCluster',
  'DeleteStack',
  'AwaitStackGone',
];

export interface Cell {
  readonly machine: WorkflowName;
  readonly task: StepName;
  readonly fault: Fault;
  /** The tenant of this cell alone, and the name of its execution. */
  readonly id: string;
}

const kebab = (name: string): string => name.replaceAll(/(?<!^)([A-Z])/g, '-$1').toLowerCase();

/** A fault that the machine hears of as one more attempt, never as a failure. */
export const isTransient = (fault: Fault): boolean => (transientFaults as readonly Fault[]).includes(fault);

/** Every Task of the machine times every fault that is for it, straight from the table that is deployed. */
export const cellsOf = (machine: WorkflowName): Cell[] =>
  workflows[machine].flatMap((task: StepName) =>
    [...transientFaults, ...(compensations.has(task) ? [] : permanentFaults)].map((fault) => ({
      machine,
      task,
      fault,
      id: `${kebab(task)}-${fault}`,
    })),
  );
