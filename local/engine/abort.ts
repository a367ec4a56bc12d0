import type { Frame } from './frame.ts';
import { eventLimit } from './history.ts';
import type { World } from './world.ts';

/** State types that leave an event when they are ended from outside; the others take no time. */
const lasting = new Set(['Task', 'Wait', 'Parallel', 'Map']);

const abortOne = (world: World, parent: Frame, child: Frame, cause: number): void => {
  for (const below of child.children) abortOne(world, child, below, cause);
  const state = child.machine.States[child.state]!;
  if (child.progress.mapRun !== undefined) world.history.append(child.run, 'MapRunAborted', cause);
  if (!child.output && lasting.has(state.Type)) world.history.append(child.run, `${state.Type}StateAborted`, cause);
  if (parent.machine.States[parent.state]!.Type !== 'Map') return;
  const index = Number(child.path.slice(child.path.lastIndexOf('/') + 1));
  world.history.append(child.run, 'MapIterationAborted', cause, { name: parent.state, index });
};

/**
 * Writes what AWS writes for the siblings of a branch or iteration that failed: all name the event of the failure as their
 * previous one (recorded for a Map whose four tasks time out). Left out when the history has no room for them.
 */
export const abortedEvents = (world: World, parent: Frame): void => {
  const cause = parent.previous;
  for (const child of parent.children) {
    if (parent.run.events < eventLimit - 16) abortOne(world, parent, child, cause);
  }
  parent.children.clear();
};
