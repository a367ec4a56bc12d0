import { abortedEvents } from '../abort.ts';
import { queryScope } from '../context.ts';
import type { ParallelState } from '../definition.ts';
import { type Frame, freshFrame, restoreFrame } from '../frame.ts';
import { enter, runFrame } from '../frame-runner.ts';
import { payload } from '../payload.ts';
import { evaluate } from '../query.ts';
import type { World } from '../world.ts';
import { type Exit, leaving } from './exit.ts';

const openBranches = async (world: World, frame: Frame, state: ParallelState): Promise<Frame[]> => {
  const scope = frame.scope.child();
  const places = state.Branches.map((machine, index) => ({
    run: frame.run,
    path: `${frame.path}/${index}`,
    machine,
    scope,
    outer: frame.visible,
    ...(frame.item ? { item: frame.item } : {}),
  }));
  const kept = places.map((place) => restoreFrame(place));
  if (kept.every((branch) => branch !== undefined)) return kept;
  const input =
    state.Arguments === undefined
      ? frame.input
      : payload(await evaluate(state.Arguments, queryScope(frame), 'Arguments'), frame.state);
  frame.scope.check();
  return world.journal.write(() => {
    const started = world.history.append(frame.run, 'ParallelStateStarted', frame.previous);
    frame.previous = started;
    frame.progress.started = started;
    world.frames.save(frame);
    return places.map((place) => {
      const branch = freshFrame({ ...place, input, previous: started });
      enter(world, branch);
      return branch;
    });
  });
};

/**
 * Runs all branches at once. The first that fails ends the others and fails the state; branches that finished before a kill or
 * before a redrive are not run again.
 */
export const runParallel = async (world: World, frame: Frame, state: ParallelState): Promise<Exit> => {
  const branches = await openBranches(world, frame, state);
  for (const branch of branches) frame.children.add(branch);
  let last = frame.previous;
  try {
    const outputs = await Promise.all(
      branches.map(async (branch) => {
        try {
          const output = await runFrame(world, branch);
          frame.children.delete(branch);
          last = Math.max(last, branch.previous);
          return output.value;
        } catch (error) {
          if (!branch.scope.aborted) {
            branch.scope.abort();
            frame.children.delete(branch);
            frame.previous = branch.previous;
            world.journal.write(() => abortedEvents(world, frame));
          }
          throw error;
        }
      }),
    );
    frame.scope.check();
    const result = payload(outputs, frame.state);
    frame.previous = last;
    world.journal.write(() => world.history.append(frame.run, 'ParallelStateSucceeded', last));
    return await leaving(frame, state, result);
  } finally {
    frame.children.clear();
  }
};
