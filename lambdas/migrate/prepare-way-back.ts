import * as z from 'zod';
import { openWayBack } from '../../adapters/replication/way-back.ts';
import { step } from '../step.ts';
import { moveStep, openEnds } from './move-step.ts';

const contract = { input: z.object(moveStep), output: z.object({}) };

/** Opens the way back before the fence, where waiting costs nobody anything. Throws FenceTimeout while a long write is open. */
export const handler = step('PrepareWayBack', contract, async (input, world) => {
  const { move, source, target } = await openEnds(world, input);
  await openWayBack({ source, target, move });
  return {};
});
