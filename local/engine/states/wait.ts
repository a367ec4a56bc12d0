import { sleepUntil } from '../alarm.ts';
import { queryScope } from '../context.ts';
import type { WaitState } from '../definition.ts';
import { QueryFailure } from '../failure.ts';
import type { Frame } from '../frame.ts';
import { evaluate } from '../query.ts';
import type { World } from '../world.ts';
import { type Exit, leaving } from './exit.ts';
import { numberIn } from './number.ts';

const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

const endOf = async (frame: Frame, state: WaitState): Promise<number> => {
  const scope = queryScope(frame);
  if (state.Timestamp === undefined) return Date.now() + (await numberIn(state.Seconds, scope, 'Seconds'))! * 1_000;
  const at = await evaluate(state.Timestamp, scope, 'Timestamp');
  if (typeof at !== 'string' || !timestamp.test(at)) {
    throw new QueryFailure(
      `The field 'Timestamp' must be an RFC 3339 time such as 2026-01-31T12:00:00Z, it is ${JSON.stringify(at)}.`,
      'Timestamp',
    );
  }
  return Date.parse(at);
};

/** Waits until an absolute time that is written before the waiting starts: a restart neither shortens nor lengthens it. */
export const runWait = async (world: World, frame: Frame, state: WaitState): Promise<Exit> => {
  if (frame.progress.until === undefined) {
    frame.progress.until = await endOf(frame, state);
    world.journal.write(() => world.frames.save(frame));
  }
  await sleepUntil(frame.progress.until, frame.scope);
  return leaving(frame, state);
};
