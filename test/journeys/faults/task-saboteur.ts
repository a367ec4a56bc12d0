import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { KeyValuePair, RunTaskRequest, Task } from '@aws-sdk/client-ecs';
import { taskFamily } from '../../../domain/deployment.ts';
import { type TaskStep, tasks as taskSteps } from '../../../domain/task-steps.ts';
import { ServiceError } from '../../../local/gateway/service.ts';
import type { TaskRunner } from '../../../local/ports.ts';
import { chanceOf, deliverTwice } from './chance.ts';
import type { TaskFault } from './task-matrix.ts';

/** A task definition whose image nobody has; the stage registers it. */
export const imageless = 'tenantry-imageless-task';

export interface TaskSaboteur {
  readonly interpose: (tasks: TaskRunner) => TaskRunner;
  /** From now on the fault waits for the task of this step in the operation of this name. */
  arm(operation: string, step: TaskStep, fault: TaskFault): void;
  /** Lets tasks that were held back run to their end; answers how often the step was asked for, and what went wrong that must not. */
  settle(operation: string): Promise<{ calls: number; complaints: string[] }>;
}

interface Armed {
  readonly operation: string;
  readonly step: TaskStep;
  readonly fault: TaskFault;
  calls: number;
  held: (() => Promise<void>) | undefined;
  readonly pending: Promise<void>[];
  readonly complaints: string[];
}

/** How many messages a task that is killed has sent: 4 to 43, by chance. */
const lastMessage = (operation: string): number => 4 + Math.floor(40 * chanceOf(operation));

const stepOf = new Map((Object.keys(taskSteps) as TaskStep[]).map((step) => [taskFamily(step), step]));

const environmentOf = ({ overrides }: RunTaskRequest): readonly KeyValuePair[] =>
  overrides?.containerOverrides?.[0]?.environment ?? [];

const inputOf = (request: RunTaskRequest): Record<string, unknown> => {
  const input = environmentOf(request).find(({ name }) => name === 'STEP_INPUT')?.value ?? '{}';
  return JSON.parse(input) as Record<string, unknown>;
};

const withVariables = (request: RunTaskRequest, variables: Readonly<Record<string, string>>): RunTaskRequest => {
  const kept = environmentOf(request).filter(({ name = '' }) => !Object.hasOwn(variables, name));
  const environment = [...kept, ...Object.entries(variables).map(([name, value]) => ({ name, value }))];
  const [container] = request.overrides?.containerOverrides ?? [];
  return { ...request, overrides: { ...request.overrides, containerOverrides: [{ ...container, environment }] } };
};

/** What each step is asked for that is not there: it says so by name. */
const spoiled: Readonly<Record<TaskStep, Readonly<Record<string, unknown>>>> = {
  DumpDatabase: { cell: 'nowhere' },
  DrillRestore: { cell: 'nowhere' },
  StageRestore: { restoreId: 'nowhere' },
  CompareRestore: { restoreId: 'nowhere' },
  SwapRestore: { restoreId: 'nowhere' },
  UndoRestore: { restoreId: 'nowhere' },
  LoadClone: { restoreId: 'nowhere' },
  CutOver: { moveId: 'nowhere' },
  VerifyCopy: { moveId: 'nowhere' },
  FinishMigration: { moveId: 'nowhere' },
  // It takes a move that is not there for one that has touched nothing.
  AbandonMigration: { moveId: { nowhere: true } },
};

const spoil = (request: RunTaskRequest, step: TaskStep): RunTaskRequest =>
  withVariables(request, { STEP_INPUT: JSON.stringify({ ...inputOf(request), ...spoiled[step] }) });

const toBeKilled = (request: RunTaskRequest, operation: string): RunTaskRequest =>
  withVariables(request, {
    NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, 'killed-task.fixture.mjs'))}`,
    DIES_AFTER: String(lastMessage(operation)),
  });

/** A task as ECS tells of one whose host died: stopped, and no container of it has an exit code. */
const dead = (task: Task): Task => ({
  ...task,
  lastStatus: 'STOPPED',
  stopCode: 'TerminationNotice',
  stoppedReason: 'the host of the task is gone',
  containers: (task.containers ?? []).map(({ exitCode: _, ...container }) => ({ ...container, lastStatus: 'STOPPED' })),
});

/** Stands between Step Functions and ECS and lets chosen tasks go wrong, each exactly once unless it is for good. */
export const openTaskSaboteur = (): TaskSaboteur => {
  const armed = new Map<string, Armed>();
  const answers = new Map<string, () => Promise<Task>>();
  let made = 0;

  const interpose = (tasks: TaskRunner): TaskRunner => {
    const again = (request: RunTaskRequest): RunTaskRequest => {
      made += 1;
      return { ...request, clientToken: `sabotage-${made}` };
    };
    const ended = async (request: RunTaskRequest): Promise<Task> => {
      const { taskArn = '' } = await tasks.run(again(request));
      return tasks.stopped(taskArn);
    };
    const never = (): Task => {
      made += 1;
      const taskArn = `arn:aws:ecs:eu-central-1:000000000000:task/tenantry-tasks/never-${made}`;
      return { taskArn, lastStatus: 'RUNNING', containers: [{ taskArn, name: 'step' }] };
    };
    const requireEnd = (plan: Armed, wanted: number, task: Task): Task => {
      const code = task.containers?.[0]?.exitCode;
      if (code !== wanted) plan.complaints.push(`a task of ${plan.step} ended with ${code}, not with ${wanted}`);
      return task;
    };
    const answer = (as: (task: Task) => Promise<Task>): Task => {
      const task = never();
      answers.set(task.taskArn!, () => as(task));
      return task;
    };
    /** Runs the task to its end, of which nobody hears. */
    const unheard = (plan: Armed, request: RunTaskRequest): Task => {
      const done = ended(request);
      return answer(async (task) => {
        requireEnd(plan, 0, await done);
        return dead(task);
      });
    };
    /** The fault of every call. */
    const strikeAlways = (plan: Armed, request: RunTaskRequest): Promise<Task> | Task | undefined => {
      switch (plan.fault) {
        case 'refused':
          return answer(async (task) => dead(task));
        case 'unheard':
          return unheard(plan, request);
        case 'failing': {
          const failed = ended(spoil(request, plan.step));
          return answer(async () => requireEnd(plan, 1, await failed));
        }
        case 'no-capacity':
          throw new ServiceError('ClientException', 'Capacity is unavailable at this time. Please try again later');
        case 'no-image':
          return tasks.run({ ...request, taskDefinition: imageless });
        case 'stuck':
          plan.held = async () => void (await ended(request));
          return answer(() => new Promise(() => undefined));
        default:
          return undefined;
      }
    };
    /** The fault of the first call. */
    const strikeOnce = (plan: Armed, request: RunTaskRequest): Task => {
      switch (plan.fault) {
        case 'throttled':
          throw new ServiceError('ThrottlingException', 'Rate exceeded');
        case 'killed': {
          const killed = ended(toBeKilled(request, plan.operation));
          return answer(async () => requireEnd(plan, 137, await killed));
        }
        case 'after':
          return unheard(plan, request);
        case 'twice': {
          const both = deliverTwice(`${plan.step} ${plan.operation}`, () => ended(request));
          return answer(async () => {
            for (const one of await both) requireEnd(plan, 0, one);
            return (await both)[1];
          });
        }
        case 'late':
        case 'zombie':
          plan.held = async () => void (await ended(request));
          return answer(async (task) => dead(task));
        default:
          return answer(async (task) => dead(task));
      }
    };
    const strike = async (plan: Armed, request: RunTaskRequest): Promise<Task> => {
      plan.calls += 1;
      const always = await strikeAlways(plan, request);
      if (always) return always;
      if (plan.calls === 1) return strikeOnce(plan, request);
      if (plan.fault === 'late' && plan.held) {
        plan.pending.push(plan.held());
        plan.held = undefined;
      }
      return tasks.run(request);
    };
    return {
      run: (request) => {
        const plan = armed.get(String(inputOf(request).operation));
        const step = stepOf.get(request.taskDefinition?.split('/').at(-1)?.replace(/:\d+$/, '') ?? '');
        return plan && plan.step === step ? strike(plan, request) : tasks.run(request);
      },
      stopped: (arn) => answers.get(arn)?.() ?? tasks.stopped(arn),
      stop: async (arn, reason) => (answers.has(arn) ? undefined : tasks.stop(arn, reason)),
    };
  };

  return {
    interpose,
    arm: (operation, step, fault) => {
      armed.set(operation, { operation, step, fault, calls: 0, held: undefined, pending: [], complaints: [] });
    },
    settle: async (operation) => {
      const plan = armed.get(operation)!;
      if (plan.held) plan.pending.push(plan.held());
      plan.held = undefined;
      await Promise.all(plan.pending);
      return { calls: plan.calls, complaints: plan.complaints };
    },
  };
};
