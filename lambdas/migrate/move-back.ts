import * as z from 'zod';
import { moveBack } from '../../adapters/replication/cut-over.ts';
import { step } from '../step.ts';
import { asOneAttempt, flipTo } from './cut-over.ts';
import { moveStep, openEnds } from './move-step.ts';
import { prepareRoute } from './route-tenant.ts';

const contract = { input: z.object(moveStep), output: z.object({ stallMs: z.number() }) };

/** The same cut-over in the other direction: what was written at the new place is at the old one before it opens. */
export const handler = step('MoveBack', contract, async (input, world, signal) => {
  const ends = await openEnds(world, input);
  const { record, move, source, target } = ends;
  const route = await prepareRoute(world, record, 'back');
  const flip = async (): Promise<void> => {
    await flipTo(world, ends, { operation: input.operation, placementId: record.sourcePlacement, phase: 'returned' });
    await route.tryNow();
  };
  const result = await asOneAttempt(() => moveBack({ source, target, move, flip, verify: false, signal }));
  await world.registry.moves.note(move.id, result.timings ? { wayBack: result.timings } : {});
  return { stallMs: result.stallMs };
});
