import { sleepUntil } from './alarm.ts';
import { queryScope } from './context.ts';
import type { Catcher, State } from './definition.ts';
import { Aborted, errorOutput, errorText, QueryFailure, StateFailure } from './failure.ts';
import { type Frame, noVariables, type Variables } from './frame.ts';
import { type Payload, payload } from './payload.ts';
import { evaluate } from './query.ts';
import { decide } from './retry.ts';
import { attempt } from './states/attempt.ts';
import type { Exit } from './states/exit.ts';
import type { World } from './world.ts';

/** Writes `<Type>StateEntered` and the frame that is now in `frame.state`. */
export const enter = (world: World, frame: Frame): void => {
  const type = frame.machine.States[frame.state]!.Type;
  const { run } = frame;
  frame.previous = world.history.append(
    run,
    `${type}StateEntered`,
    frame.previous,
    { name: frame.state },
    frame.input.text,
  );
  world.frames.save(frame);
};

const merged = (frame: Frame, assigned: Variables | undefined): void => {
  if (!assigned) return;
  frame.own = { ...frame.own, ...assigned };
  frame.visible = { ...frame.outer, ...frame.own };
};

/** One transition: the state that ends, the state that begins and the frame go to the journal together. */
const leave = (world: World, frame: Frame, state: State, exit: Exit): void => {
  const { run } = frame;
  const assigned = exit.assign && Object.keys(exit.assign).length > 0 ? exit.assign : undefined;
  merged(frame, assigned);
  if ('started' in frame.progress) world.frames.drop(run.key, frame.path);
  frame.previous = world.history.append(
    run,
    `${state.Type}StateExited`,
    frame.previous,
    {
      name: frame.state,
      ...(assigned
        ? {
            assignedVariables: Object.fromEntries(
              Object.entries(assigned).map(([name, value]) => [name, JSON.stringify(value)]),
            ),
          }
        : {}),
    },
    exit.output.text,
  );
  frame.progress = { enteredAt: Date.now() };
  if (exit.next === undefined) {
    frame.output = exit.output;
    world.frames.save(frame);
    return;
  }
  frame.state = exit.next;
  frame.input = exit.output;
  enter(world, frame);
};

const asFailure = (world: World, frame: Frame, error: unknown): StateFailure => {
  if (error instanceof StateFailure) return error;
  world.log(`${frame.run.arn}: the state '${frame.state}' failed in the engine: ${errorText(error)}`);
  return new StateFailure('States.Runtime', error instanceof Error ? error.message : String(error));
};

/** Every JSONata failure is an event of its own, before whatever Retry and Catch make of it. */
const recordQueryFailure = (world: World, frame: Frame, failure: StateFailure): void => {
  if (!(failure instanceof QueryFailure)) return;
  frame.previous = world.history.append(frame.run, 'EvaluationFailed', frame.previous, {
    error: failure.error,
    cause: `An error occurred while executing the state '${frame.state}'. ${failure.reason}`,
    location: failure.location,
    state: frame.state,
  });
};

const caught = async (frame: Frame, catcher: Catcher, index: number, failure: StateFailure): Promise<Exit> => {
  const error = errorOutput(failure);
  const scope = queryScope(frame, { errorOutput: error });
  const [assign, output] = await Promise.all([
    evaluate(catcher.Assign ?? noVariables, scope, `Catch/${index}/Assign`),
    evaluate(catcher.Output ?? error, scope, `Catch/${index}/Output`),
  ]);
  return { assign: assign as Variables, output: payload(output, frame.state), next: catcher.Next };
};

/** Writes the back-off so that a kill does not shorten or lengthen it, and forgets all of the failed attempt. */
const retryLater = (world: World, frame: Frame, retrier: number, delay: number): void => {
  const { enteredAt, tries = {}, retryCount = 0 } = frame.progress;
  world.frames.drop(frame.run.key, frame.path);
  frame.progress = {
    enteredAt,
    tries: { ...tries, [retrier]: (tries[retrier] ?? 0) + 1 },
    retryCount: retryCount + 1,
    retryAt: Date.now() + delay,
  };
  world.frames.save(frame);
};

/** What follows from a failure: the exit through a catcher, or undefined for another attempt. Throws when neither applies. */
const recover = async (world: World, frame: Frame, state: State, error: unknown): Promise<Exit | undefined> => {
  if (error instanceof Aborted || frame.scope.aborted) throw new Aborted();
  const failure = asFailure(world, frame, error);
  return world.journal.write(() => {
    recordQueryFailure(world, frame, failure);
    const decision = decide(state, failure, frame.progress.tries);
    if (decision.act === 'retry') {
      retryLater(world, frame, decision.retrier, decision.delay);
      return undefined;
    }
    if (state.Type === 'Map' || state.Type === 'Parallel') {
      frame.previous = world.history.append(frame.run, `${state.Type}StateFailed`, frame.previous);
    }
    if (decision.act === 'fail') throw failure;
    return caught(frame, decision.catcher, decision.index, failure).catch((second: unknown) => {
      const again = asFailure(world, frame, second);
      recordQueryFailure(world, frame, again);
      throw again;
    });
  });
};

/**
 * Promise: the output of the frame's last state. States that call nothing share a commit with what follows in the same turn of the
 * loop; whatever acts outside waits until all before it is on disk, so a kill repeats only what was in flight. Throws the StateFailure that nobody caught, or Aborted when the scope ended.
 */
export const runFrame = async (world: World, frame: Frame): Promise<Payload> => {
  while (!frame.output) {
    if (world.journal.tired) await world.journal.settled();
    frame.scope.check();
    const state = frame.machine.States[frame.state]!;
    let exit: Exit | undefined;
    try {
      if (frame.progress.retryAt !== undefined) {
        await sleepUntil(frame.progress.retryAt, frame.scope);
        delete frame.progress.retryAt;
      }
      exit = await attempt(world, frame, state);
      frame.scope.check();
    } catch (error) {
      exit = await recover(world, frame, state, error);
    }
    if (exit) {
      frame.scope.check();
      const known = exit;
      world.journal.write(() => leave(world, frame, state, known));
    }
  }
  return frame.output;
};
