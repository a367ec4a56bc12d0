import { queryScope } from '../context.ts';
import type { FailState, State } from '../definition.ts';
import { StateFailure } from '../failure.ts';
import type { Frame } from '../frame.ts';
import { evaluate } from '../query.ts';
import type { World } from '../world.ts';
import { runChoice } from './choice.ts';
import { type Exit, leaving } from './exit.ts';
import { runMap } from './map.ts';
import { runParallel } from './parallel.ts';
import { runTask } from './task.ts';
import { runWait } from './wait.ts';

const runFail = async (frame: Frame, state: FailState): Promise<never> => {
  const scope = queryScope(frame);
  const error = await evaluate(state.Error ?? '', scope, 'Error');
  const cause = await evaluate(state.Cause, scope, 'Cause');
  throw new StateFailure(String(error), cause === undefined ? undefined : String(cause));
};

/** Promise: one attempt at the frame's state, taken up where an earlier life left it. Throws StateFailure or Aborted. */
export const attempt = (world: World, frame: Frame, state: State): Promise<Exit> => {
  switch (state.Type) {
    case 'Pass':
    case 'Succeed':
      return leaving(frame, state);
    case 'Fail':
      return runFail(frame, state);
    case 'Choice':
      return runChoice(frame, state);
    case 'Wait':
      return runWait(world, frame, state);
    case 'Task':
      return runTask(world, frame, state);
    case 'Parallel':
      return runParallel(world, frame, state);
    case 'Map':
      return runMap(world, frame, state);
  }
};
