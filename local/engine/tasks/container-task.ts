import { createHash } from 'node:crypto';
import type { RunTaskRequest, Task } from '@aws-sdk/client-ecs';
import { ServiceError } from '../../gateway/service.ts';
import type { TaskRunner } from '../../ports.ts';
import { Aborted, StateFailure } from '../failure.ts';
import type { Frame } from '../frame.ts';
import { type Scope, within } from '../scope.ts';
import type { World } from '../world.ts';
import { serviceCause } from './lambda.ts';

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

/** Step Functions writes the members of an optimised integration with a capital, ECS's own API without. */
const recased = (value: unknown, change: (letter: string) => string): unknown => {
  if (Array.isArray(value)) return value.map((one) => recased(one, change));
  if (value instanceof Date) return value.getTime();
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [change(key.charAt(0)) + key.slice(1), recased(one, change)]),
  );
};

const described = (task: Task): unknown => recased(task, (letter) => letter.toUpperCase());

const runnerOf = (world: World): TaskRunner => {
  const { tasks } = world.integrations;
  if (!tasks) throw new StateFailure('States.Runtime', 'this engine has no ECS; give it the integration `tasks`');
  return tasks;
};

/** `ECS.<name>` with AWS's suffix: `ECS.InvalidParameterException`, `ECS.AmazonECSException` for what has no name of its own. */
const refusal = (error: unknown): StateFailure => {
  const name = error instanceof ServiceError ? error.name : 'AmazonECSException';
  const message = error instanceof Error ? error.message : String(error);
  return new StateFailure(`ECS.${name}`, serviceCause('AmazonECS', name, message));
};

/** Starts the task of `ecs:runTask`; the same attempt of a state gets the same task, however often it asks. */
export const runContainerTask = async (
  world: World,
  frame: Frame,
  parameters: unknown,
): Promise<{ arn: string; answer: unknown }> => {
  const request = recased(parameters ?? {}, (letter) => letter.toLowerCase()) as RunTaskRequest;
  const attempt = `${frame.run.arn} ${frame.path} ${frame.progress.task?.scheduled}`;
  const clientToken = createHash('sha256').update(attempt).digest('hex').slice(0, 64);
  try {
    const task = await runnerOf(world).run({ clientToken, ...request });
    return { arn: task.taskArn ?? '', answer: { Failures: [], Tasks: [described(task)] } };
  } catch (error) {
    throw error instanceof StateFailure ? error : refusal(error);
  }
};

/** A task succeeded when every container of it ran and exited with 0. */
const hasSucceeded = ({ containers = [] }: Task): boolean =>
  containers.length > 0 && containers.every(({ exitCode }) => exitCode === 0);

/**
 * Promise: the stopped task. One that did not exit with 0 is States.TaskFailed with the described task as cause. When the state
 * ends early the task is stopped, except when the engine closes.
 */
export const awaitTask = async (world: World, arn: string, scope: Scope): Promise<unknown> => {
  const runner = runnerOf(world);
  const unlisten = scope.onAbort(() => {
    if (!scope.closing)
      runner.stop(arn, 'Step Functions stopped it').catch((error: unknown) => world.log(`${arn}: ${error}`));
  });
  try {
    const task = await within(scope, runner.stopped(arn));
    if (!hasSucceeded(task)) throw new StateFailure('States.TaskFailed', JSON.stringify(described(task)));
    return described(task);
  } catch (error) {
    if (scope.aborted) throw new Aborted();
    throw error instanceof StateFailure ? error : refusal(error);
  } finally {
    unlisten();
  }
};
