import * as z from 'zod';
import type { MoveRecord } from '../../adapters/registry/moves.ts';
import { describeDifferences, type Verification, verifyCopy } from '../../adapters/replication/verify.ts';
import type { World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';
import { step } from '../step.ts';
import { type Ends, moveStep, openEnds } from './move-step.ts';

const contract = {
  input: z.object({
    ...moveStep,
    /** Only compares and notes what it found; the repeat without this judges. */
    judges: z.boolean().default(true),
  }),
  output: z.object({ rows: z.int(), tables: z.int(), ms: z.number() }),
};

/** The comparison that the cut-over made, or one more where its snapshot was lost. */
const compareCopy = async (
  world: World,
  { record, move, source, target }: Ends,
  signal: AbortSignal,
): Promise<Verification> => {
  if (record.verification !== null) return record.verification as Verification;
  const verification = await verifyCopy({ source, target, move, signal });
  await world.registry.moves.note(move.id, { verification });
  return verification;
};

/** The comparison, made or known; throws CopyDiffers with what differs. */
export const requireExactCopy = async (world: World, ends: Ends, signal: AbortSignal): Promise<Verification> => {
  const verification = await compareCopy(world, ends, signal);
  if (verification.equal) return verification;
  throw new StepFailure(
    'CopyDiffers',
    `the copy of tenant ${ends.move.tenantId} differs: ${describeDifferences(verification)}; it is moved back, where every write is`,
  );
};

/** Whether a move can be finished as it stands: behind a copy that nobody compared, nothing is deleted. */
export const needsComparison = ({ phase, mode, verification }: MoveRecord): boolean =>
  phase === 'switched' && mode === 'live' && (verification as Verification | null)?.equal !== true;

/** Judges the copy, row for row, after the switch: nobody waits for it, and the way back is open while it runs. */
export const handler = step('VerifyCopy', contract, async (input, world, signal) => {
  const ends = await openEnds(world, input);
  const compare = input.judges ? requireExactCopy : compareCopy;
  const { rows, tables, ms } = await compare(world, ends, signal);
  return { rows, tables: tables.length, ms };
});
