import * as z from 'zod';
import { step } from '../step.ts';
import { flipTo } from './cut-over.ts';
import { moveStep, openEnds } from './move-step.ts';
import { prepareRoute } from './route-tenant.ts';

const contract = {
  input: z.object({ ...moveStep, back: z.boolean().default(false) }),
  output: z.object({ stallMs: z.number() }),
};

/**
 * Commit point of a move whose rows stay: the tenant's active place and its route change, here or back. Nobody is fenced, since
 * both apps write the same rows. A repeat changes nothing.
 */
export const handler = step('SwitchPlacement', contract, async ({ back, ...input }, world) => {
  const ends = await openEnds(world, input);
  const { sourcePlacement, targetPlacement } = ends.record;
  const route = await prepareRoute(world, ends.record, back ? 'back' : 'out');
  const placementId = back ? sourcePlacement : targetPlacement!;
  await flipTo(world, ends, { operation: input.operation, placementId, phase: back ? 'returned' : 'switched' });
  await route.tryNow();
  return { stallMs: 0 };
});
