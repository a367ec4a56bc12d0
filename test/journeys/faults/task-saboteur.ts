import type { RunTaskRequest, Task } from '@aws-sdk/client-ecs';
import { taskFamily } from '../../../domain/deployment.ts';
import { type TaskStep, tasks as taskSteps } from '../../../domain/workflows.ts';
import type { TaskRunner } from '../../../local/ports.ts';
import type { Fault } from './matrix.ts';

export interface TaskSaboteur {
  readonly interpose: (tasks: TaskRunner) => TaskRunner;
  /** From now on the fault waits for the task of this step in the operation of this name. */
  arm(operation: string, step: TaskStep, fault: Fault): void;
  /** Lets tasks that were held back run to their end; answers how often the step was asked for, and what went wrong that must not. */
  settle(operation: string): Promise<{ calls: number; complaints: string[] }>;
}

interface Armed {
  readonly step: TaskStep;
  readonly fault: Fault;
  calls: number;
  held: (() => Promise<void>) | undefined;
  readonly pending: Promise<void>[];
  readonly complaints: string[];
}

const stepOf = new Map((Object.keys(taskSteps) as TaskStep[]).map((step) => [taskFamily(step), step]));

const operationOf = ({ overrides }: RunTaskRequest): string => {
  const environment = overrides?.containerOverrides?.[0]?.environment ?? [];
  const input = environment.find(({ name }) => name === 'STEP_INPUT')?.value ?? '{}';
  return (JSON.parse(input) as { operation?: string }).operation ?? '';
};

/** A task as ECS tells of one whose host died: stopped, and no container of it has an exit code. */
const dead = (task: Task): Task => ({
  ...task,
  lastStatus: 'STOPPED',
  stopCode: 'TerminationNotice',
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
    const requireDone = (plan: Armed, task: Task): void => {
      const code = task.containers?.[0]?.exitCode;
      if (code !== 0) plan.complaints.push(`a task of ${plan.step} ended with ${code}`);
    };
    const strike = async (plan: Armed, request: RunTaskRequest): Promise<Task> => {
      plan.calls += 1;
      const first = plan.calls === 1;
      const task = never();
      const answer = (as: () => Promise<Task>): Task => {
        answers.set(task.taskArn!, as);
        return task;
      };
      if (plan.fault === 'refused') return answer(async () => dead(task));
      if (plan.fault === 'unheard' || (first && plan.fault === 'after')) {
        const done = ended(request);
        return answer(async () => {
          requireDone(plan, await done);
          return dead(task);
        });
      }
      if (!first) {
        if (plan.fault === 'late' && plan.held) plan.pending.push(plan.held());
        if (plan.fault === 'late') plan.held = undefined;
        return tasks.run(request);
      }
      if (plan.fault === 'twice') {
        const both = Promise.all([ended(request), ended(request)]);
        return answer(async () => {
          for (const one of await both) requireDone(plan, one);
          return (await both)[1];
        });
      }
      if (plan.fault !== 'before') plan.held = async () => void (await ended(request));
      return answer(async () => dead(task));
    };
    return {
      run: (request) => {
        const plan = armed.get(operationOf(request));
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
      armed.set(operation, { step, fault, calls: 0, held: undefined, pending: [], complaints: [] });
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
