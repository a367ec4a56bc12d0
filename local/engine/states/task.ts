import { queryScope } from '../context.ts';
import type { TaskState } from '../definition.ts';
import { Aborted, StateFailure } from '../failure.ts';
import type { Frame, TaskProgress } from '../frame.ts';
import { type Payload, parsedPayload, payload, storedPayload } from '../payload.ts';
import { evaluate } from '../query.ts';
import type { Scope } from '../scope.ts';
import { callService, type ServiceCall } from '../tasks/call.ts';
import { taskEvents } from '../tasks/events-of-task.ts';
import { guarded } from '../tasks/guard.ts';
import { invokeFunction } from '../tasks/lambda.ts';
import { type Resource, resourceOf } from '../tasks/resource.ts';
import type { World } from '../world.ts';
import { type Exit, leaving } from './exit.ts';
import { numberIn } from './number.ts';

type Events = ReturnType<typeof taskEvents>;

/** Evaluates the arguments once and writes them, the deadlines and the token before anything is called. */
const schedule = async (
  world: World,
  frame: Frame,
  state: TaskState,
  resource: Resource,
  events: Events,
): Promise<Payload> => {
  const isCallback = resource.kind === 'service' && resource.pattern === 'token';
  const token = isCallback ? world.journal.write(() => world.tokens.open(frame.run.key, frame.path)) : undefined;
  const scope = queryScope(frame, token === undefined ? {} : { token });
  const parameters =
    state.Arguments === undefined
      ? frame.input
      : payload(await evaluate(state.Arguments, scope, 'Arguments'), frame.state);
  const timeout = await numberIn(state.TimeoutSeconds, scope, 'TimeoutSeconds', { least: 1 });
  const heartbeat = await numberIn(state.HeartbeatSeconds, scope, 'HeartbeatSeconds', { least: 1 });
  frame.scope.check();
  world.journal.write(() => {
    const scheduled = events.scheduled(parameters.text, {
      ...(timeout === undefined ? {} : { timeoutInSeconds: timeout }),
      ...(heartbeat === undefined ? {} : { heartbeatInSeconds: heartbeat }),
    });
    frame.progress.task = {
      scheduled,
      ...(timeout === undefined ? {} : { timeoutSeconds: timeout, timeoutAt: Date.now() + timeout * 1_000 }),
      ...(heartbeat === undefined ? {} : { heartbeatSeconds: heartbeat, heartbeatFrom: Date.now() }),
      ...(token === undefined ? {} : { token }),
    };
    world.frames.save(frame);
  });
  await world.journal.settled();
  frame.scope.check();
  return parameters;
};

/**
 * After a restart: a callback or a nested execution goes on with the deadlines it had, whatever time has passed. A request that
 * was in flight is sent again and gets its full time again, or a laptop that slept would time out every task it held.
 */
const takeUp = (world: World, frame: Frame, resource: Resource, task: TaskProgress): Payload => {
  if (resource.kind === 'function' || resource.pattern === 'request') {
    const now = Date.now();
    frame.progress.task = {
      ...task,
      ...(task.timeoutSeconds === undefined ? {} : { timeoutAt: now + task.timeoutSeconds * 1_000 }),
      ...(task.heartbeatSeconds === undefined ? {} : { heartbeatFrom: now }),
    };
  }
  return storedPayload(world.history.dataOf(frame.run.key, task.scheduled));
};

const silentAt = (world: World, task: TaskProgress): (() => number) | undefined => {
  const { heartbeatSeconds, heartbeatFrom = 0, token } = task;
  if (heartbeatSeconds === undefined) return undefined;
  return () => ((token && world.tokens.heartbeatAt(token)) || heartbeatFrom) + heartbeatSeconds * 1_000;
};

const call = (world: World, frame: Frame, resource: Resource, parameters: Payload, events: Events, scope: Scope) => {
  if (resource.kind === 'function') return invokeFunction(world, resource.arn, parameters.text, scope);
  const service: ServiceCall = {
    world,
    frame,
    resource,
    parameters: parameters.value,
    scope,
    submitted: events.submitted,
  };
  return callService(service);
};

/** Runs one task: scheduled and started are on disk before it is called, its result is written with the end of the state. */
export const runTask = async (world: World, frame: Frame, state: TaskState): Promise<Exit> => {
  const resource = resourceOf(state.Resource);
  const events = taskEvents(world, frame, resource);
  const earlier = frame.progress.task;
  const parameters = earlier
    ? takeUp(world, frame, resource, earlier)
    : await schedule(world, frame, state, resource, events);
  const task = frame.progress.task!;
  const finish = (): void => {
    if (task.token !== undefined) world.tokens.close(task.token);
  };
  let result: Payload;
  try {
    const text = await guarded(frame.scope, { timeoutAt: task.timeoutAt, silentAt: silentAt(world, task) }, (scope) =>
      call(world, frame, resource, parameters, events, scope),
    );
    result = parsedPayload(text, frame.state);
    frame.scope.check();
  } catch (error) {
    if (error instanceof Aborted || frame.scope.aborted) throw new Aborted();
    const failure = error instanceof StateFailure ? error : new StateFailure('States.Runtime', String(error));
    world.journal.write(() => {
      finish();
      events.failed(failure);
    });
    throw failure;
  }
  world.journal.write(() => {
    finish();
    events.succeeded(result.text);
  });
  return leaving(frame, state, result);
};
