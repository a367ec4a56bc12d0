import * as z from 'zod';
import { startWayBack } from '../../adapters/replication/way-back.ts';
import { step } from '../step.ts';
import { moveStep, openEnds } from './move-step.ts';

const contract = {
  input: z.object(moveStep),
  /** Whether the cut-over has compared the copy: its snapshot may have been lost with its process. */
  output: z.object({ compared: z.boolean() }),
};

/** Lets what is written at the new place flow back to the old one for as long as the window is open. A repeat changes nothing. */
export const handler = step('StartWayBack', contract, async (input, world) => {
  const { record, move, source, target } = await openEnds(world, input);
  await startWayBack({ source, target, move });
  return { compared: record.verification !== null };
});
