import type { Frame } from '../frame.ts';
import type { Scope } from '../scope.ts';
import type { World } from '../world.ts';
import { awaitTask, runContainerTask } from './container-task.ts';
import { invokeService } from './lambda.ts';
import { awaitNested, startNested } from './nested.ts';
import { callObjects } from './objects.ts';
import { putEvents } from './put-events.ts';
import type { Resource } from './resource.ts';

export interface ServiceCall {
  readonly world: World;
  readonly frame: Frame;
  readonly resource: Extract<Resource, { kind: 'service' }>;
  readonly parameters: unknown;
  readonly scope: Scope;
  /** Writes TaskSubmitted. */
  readonly submitted: (output: string) => number;
}

const request = ({ world, frame, resource, parameters, scope }: ServiceCall): Promise<unknown> => {
  switch (resource.type) {
    case 'lambda':
      return invokeService(world, parameters, scope);
    case 'events':
      return putEvents(world, frame, parameters);
    case 'states':
      return Promise.resolve(world.journal.write(() => startNested(world, parameters)));
    default:
      return callObjects(world, resource.api, parameters);
  }
};

/** The request is answered: from here on a restart waits, it does not call again. */
const markSubmitted = (call: ServiceCall, answer: unknown, child?: string): void => {
  const { world, frame, submitted } = call;
  call.scope.check();
  world.journal.write(() => {
    submitted(JSON.stringify(answer));
    frame.progress.task = { ...frame.progress.task!, submitted: true, ...(child === undefined ? {} : { child }) };
    world.frames.save(frame);
  });
};

/** Start and note of the child are one write: after a kill the child exists and is known, or neither. */
const runNested = async (call: ServiceCall): Promise<unknown> => {
  const { world, frame, resource, parameters, scope } = call;
  if (frame.progress.task?.child === undefined) {
    world.journal.write(() => {
      const answer = startNested(world, parameters);
      markSubmitted(call, answer, answer.ExecutionArn);
    });
    await world.journal.settled();
  }
  return awaitNested(world, frame.progress.task!.child!, scope, resource.action.endsWith(':2'));
};

const runCallback = async (call: ServiceCall): Promise<string> => {
  const { world, frame, scope } = call;
  const task = frame.progress.task!;
  if (!task.submitted) {
    const answer = await request(call);
    markSubmitted(call, answer);
  }
  return world.tokens.outcome(task.token!, scope);
};

/** The token makes the start repeatable: a kill between start and note finds the same task again. */
const runContainer = async (call: ServiceCall): Promise<unknown> => {
  const { world, frame, parameters, scope } = call;
  if (frame.progress.task?.child === undefined) {
    const { arn, answer } = await runContainerTask(world, frame, parameters);
    try {
      markSubmitted(call, answer, arn);
    } catch (error) {
      // The state was over before the answer: nobody will wait for the task.
      if (!scope.closing) await world.integrations.tasks?.stop(arn, 'the state that started it is over');
      throw error;
    }
  }
  return awaitTask(world, frame.progress.task!.child!, scope);
};

/** Promise: the JSON text of the task's result, by the pattern of its resource. Throws StateFailure or Aborted. */
export const callService = async (call: ServiceCall): Promise<string> => {
  switch (call.resource.pattern) {
    case 'token':
      return runCallback(call);
    case 'sync':
      return JSON.stringify(await (call.resource.type === 'ecs' ? runContainer(call) : runNested(call)));
    case 'request':
      return JSON.stringify(await request(call));
  }
};
