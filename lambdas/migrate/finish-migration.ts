import * as z from 'zod';
import { finishMove } from '../../adapters/replication/finish.ts';
import { step } from '../step.ts';
import { moveStep, openEnds } from './move-step.ts';
import { needsComparison, requireExactCopy } from './verify-copy.ts';

const contract = {
  input: z.object(moveStep),
  /** The place that the tenant has left: release-placement takes it down next. */
  output: z.object({ leftPlacementId: z.string() }),
};

/**
 * Ends the flow between the two places, both ways, and deletes the rows at the one that was left; rows that stayed are left
 * alone. A repeat changes nothing.
 * Throws CopyDiffers, before anything is removed, where the copy was never compared and is not the tenant's rows.
 */
export const handler = step('FinishMigration', contract, async (input, world, signal) => {
  const ends = await openEnds(world, input);
  const { record, move, source, target, targetPlacement } = ends;
  if (needsComparison(record)) await requireExactCopy(world, ends, signal);
  if (record.mode !== 'switch') await finishMove({ source, target, move, signal });
  return { leftPlacementId: record.phase === 'returned' ? targetPlacement.id : record.sourcePlacement };
});
