import { type TaskStep, taskWorkflows } from '../../../domain/task-steps.ts';
import { permanentFaults, transientFaults } from './matrix.ts';

/**
 * What goes wrong with a container task, once. Those of every step mean its host here: it dies before, after, and so on.
 * `throttled`: RunTask is refused. `killed`: the kernel kills the process in the middle of its work.
 */
export const onceFaults = [...transientFaults, 'throttled', 'killed'] as const;

/**
 * The same for good. `failing`: it exits with 1 and its journal entry names the failure. `no-capacity`: RunTask is refused.
 * `no-image`: the task is made and never starts. `stuck`: it does not end within the time-out of its state, and lands later.
 */
export const lastingFaults = [...permanentFaults, 'failing', 'no-capacity', 'no-image', 'stuck'] as const;

export type TaskFault = (typeof onceFaults)[number] | (typeof lastingFaults)[number];

export type TaskMachine = keyof typeof taskWorkflows;

export interface TaskCell {
  readonly machine: TaskMachine;
  readonly step: TaskStep;
  readonly fault: TaskFault;
  /** The tenant of this cell alone, and the name of its execution. */
  readonly id: string;
}

export const passesByItself = (fault: TaskFault): boolean => (onceFaults as readonly TaskFault[]).includes(fault);

/** Two machines may have the same step: what its tenants are called then. */
const prefixes: Partial<Record<TaskMachine, string>> = { 'back-up-fleet': 'fleet-', 'clone-tenant': 'clone-' };

const kebab = (name: string): string => name.replaceAll(/(?<!^)([A-Z])/g, '-$1').toLowerCase();

/** Every step that the machine may run as a task, times every fault, straight from the table that is deployed. */
export const taskCellsOf = (machine: TaskMachine): TaskCell[] =>
  ((taskWorkflows[machine] ?? []) as readonly TaskStep[]).flatMap((step) =>
    [...onceFaults, ...lastingFaults].map((fault) => ({
      machine,
      step,
      fault,
      id: `${prefixes[machine] ?? ''}${kebab(step)}-${fault}`,
    })),
  );
