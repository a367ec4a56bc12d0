import * as z from 'zod';
import { openCopy } from '../../adapters/replication/copy.ts';
import { preflight } from '../../adapters/replication/preflight.ts';
import { step } from '../step.ts';
import { moveStep, openEnds } from './move-step.ts';
import { refuseUnfit } from './plan-migration.ts';

const contract = { input: z.object(moveStep), output: z.object({ warnings: z.array(z.string()) }) };

/** Looks at both ends once more, now that both are there, and starts the copy. A repeat goes on with the copy that it finds. */
export const handler = step('StartCopy', contract, async (input, world) => {
  const { record, move, source, target } = await openEnds(world, input);
  const { findings } = await preflight({ source, target, tenantId: move.tenantId, moveId: move.id });
  await world.registry.moves.note(move.id, { preflight: findings });
  refuseUnfit(move.tenantId, record.mode, findings);
  // Noted first: what a half-made copy leaves behind is cleared up only for a move that is known to copy.
  await world.registry.moves.note(move.id, { phase: 'copying' });
  if (record.mode === 'live') await openCopy({ source, target, move });
  return { warnings: findings.filter(({ ok }) => !ok).map(({ check, detail }) => `${check}: ${detail}`) };
});
