import { isDistributed, type MapState } from '../definition.ts';
import type { Frame } from '../frame.ts';
import { runDistributed } from '../maps/distributed.ts';
import { runInline } from '../maps/inline.ts';
import type { World } from '../world.ts';
import { type Exit, leaving } from './exit.ts';

/** Runs the iterations inside this execution, or as executions of their own under a Map Run. */
export const runMap = async (world: World, frame: Frame, state: MapState): Promise<Exit> => {
  const result = await (isDistributed(state) ? runDistributed : runInline)(world, frame, state);
  return leaving(frame, state, result);
};
