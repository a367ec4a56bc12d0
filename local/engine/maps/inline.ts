import { abortedEvents } from '../abort.ts';
import type { MapState } from '../definition.ts';
import { type Frame, freshFrame, restoreFrame } from '../frame.ts';
import { enter, runFrame } from '../frame-runner.ts';
import { type Payload, payload } from '../payload.ts';
import type { Scope } from '../scope.ts';
import type { World } from '../world.ts';
import { concurrencyOf, mapInputs } from './items.ts';

/** Iterations of an inline Map that run at once when MaxConcurrency does not say (quota of AWS). */
const inlineConcurrency = 40;

type Item = NonNullable<Frame['progress']['items']>[number];

/** Evaluates the items once and writes them: a restart iterates over the very same ones, `$uuid()` included. */
const openItems = async (world: World, frame: Frame, state: MapState): Promise<readonly Item[]> => {
  if (frame.progress.items) return frame.progress.items;
  const inputs = await mapInputs(world, frame, state);
  const items = inputs.map(({ input, item }) => ({ input, item }));
  frame.scope.check();
  world.journal.write(() => {
    const length = items.length;
    frame.previous = world.history.append(frame.run, 'MapStateStarted', frame.previous, { length });
    frame.progress.started = frame.previous;
    frame.progress.items = items;
    world.frames.save(frame);
  });
  return items;
};

const openIteration = (
  world: World,
  frame: Frame,
  state: MapState,
  index: number,
  item: Item,
  previous: number,
  scope: Scope,
) => {
  const place = {
    run: frame.run,
    path: `${frame.path}/${index}`,
    machine: state.ItemProcessor,
    scope,
    outer: frame.visible,
    item: item.item,
  };
  const kept = restoreFrame(place);
  if (kept) return kept;
  return world.journal.write(() => {
    const name = { name: frame.state, index };
    const started = world.history.append(frame.run, 'MapIterationStarted', previous, name);
    const iteration = freshFrame({ ...place, input: payload(item.input, frame.state), previous: started });
    enter(world, iteration);
    return iteration;
  });
};

/**
 * Runs the iterations of an inline Map, MaxConcurrency at a time, and answers their outputs in the order of the items. Event
 * order as recorded from AWS: an iteration that takes over a place names the last event of the one before it.
 */
export const runInline = async (world: World, frame: Frame, state: MapState): Promise<Payload> => {
  const items = await openItems(world, frame, state);
  const places = Math.min(items.length, await concurrencyOf(frame, state, inlineConcurrency));
  const scope = frame.scope.child();
  const outputs: unknown[] = new Array(items.length);
  const started = frame.progress.started!;
  let next = 0;
  let last = started;

  const runPlace = async (): Promise<void> => {
    let previous = started;
    while (next < items.length) {
      scope.check();
      const index = next;
      next += 1;
      const iteration = openIteration(world, frame, state, index, items[index]!, previous, scope);
      frame.children.add(iteration);
      const wasOver = iteration.output !== undefined;
      try {
        outputs[index] = (await runFrame(world, iteration)).value;
        frame.children.delete(iteration);
        if (!wasOver) {
          last = world.journal.write(() =>
            world.history.append(frame.run, 'MapIterationSucceeded', iteration.previous, { name: frame.state, index }),
          );
        }
        previous = iteration.previous;
      } catch (error) {
        if (!scope.aborted) {
          scope.abort();
          frame.children.delete(iteration);
          frame.previous = iteration.previous;
          world.journal.write(() => {
            world.history.append(frame.run, 'MapIterationFailed', iteration.previous, { name: frame.state, index });
            abortedEvents(world, frame);
          });
        }
        throw error;
      }
    }
  };

  try {
    await Promise.all(Array.from({ length: places }, runPlace));
    frame.scope.check();
    const result = payload(outputs, frame.state);
    world.journal.write(() => world.history.append(frame.run, 'MapStateSucceeded', last));
    frame.previous = last;
    return result;
  } finally {
    frame.children.clear();
  }
};
