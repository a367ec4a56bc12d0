import { z } from 'zod';
import type { MoveRecord } from '../../adapters/registry/moves.ts';
import { describeDifferences, type Verification, verifyCopy } from '../../adapters/replication/verify.ts';
import type { World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';
import { step } from '../step.ts';
import { type Ends, moveStep, openEnds } from './move-step.ts';

const contract = {
  input: z.object(moveStep),
  output: z.object({ rows: z.int(), tables: z.int(), ms: z.number() }),
};

/** The comparison that the cut-over made, or one more where its snapshot was lost. Throws CopyDiffers with what differs. */
export const requireExactCopy = async (
  world: World,
  { record, move, source, target }: Ends,
  signal: AbortSignal,
): Promise<Verification> => {
  const known = record.verification as Verification | null;
  const verification = known ?? (await verifyCopy({ source, target, move, signal }));
  if (!known) await world.registry.moves.note(move.id, { verification });
  if (verification.equal) return verification;
  throw new StepFailure(
    'CopyDiffers',
    `the copy of tenant ${move.tenantId} differs: ${describeDifferences(verification)}; it is moved back, where every write is`,
  );
};

/** Whether a move can be finished as it stands: behind a copy that nobody compared, nothing is deleted. */
export const needsComparison = ({ phase, mode, verification }: MoveRecord): boolean =>
  phase === 'switched' && mode === 'live' && (verification as Verification | null)?.equal !== true;

/** Judges the copy, row for row, after the switch: nobody waits for it, and the way back is open while it runs. */
export const handler = step('VerifyCopy', contract, async (input, world, signal) => {
  const ends = await openEnds(world, input);
  const { rows, tables, ms } = await requireExactCopy(world, ends, signal);
  return { rows, tables: tables.length, ms };
});
