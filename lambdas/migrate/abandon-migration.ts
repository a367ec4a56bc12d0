import * as z from 'zod';
import type { MoveRecord } from '../../adapters/registry/moves.ts';
import { abandonMove } from '../../adapters/replication/abandon.ts';
import type { World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';
import { step } from '../step.ts';
import { leaseSeconds, sideOf } from './move-step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    tenantId: z.string(),
    moveId: z.string().optional(),
    /** Leaves the copied rows to a container task, where they take longer than a Lambda lives. */
    leavesRows: z.boolean().default(false),
  }),
  output: z.object({
    /** True when the commit point was passed: the move stands, and can only be finished or taken back. */
    switched: z.boolean(),
    /** True when the route leads to the new place as well: nothing of the cut-over is left to do. */
    flipped: z.boolean(),
    /** True when the tenant is at its old place again: only the end of the way back is left to do. */
    returned: z.boolean().default(false),
    /** True when the copied rows are still to be deleted, by this step without leavesRows. */
    rowsLeft: z.boolean().default(false),
    moveId: z.string().nullable(),
    /** Outcome of an operation that had ended well when its answer was lost: it is announced, nothing is undone. */
    stands: z.record(z.string(), z.unknown()).optional(),
    /** What release-placement takes down next; null when nothing was reserved. */
    targetPlacementId: z.string().nullable(),
  }),
};

interface Undoing {
  readonly move: MoveRecord;
  readonly fence: number;
  readonly leavesRows: boolean;
  readonly signal: AbortSignal;
}

interface Undone {
  /** The commit point was passed meanwhile, behind which nothing is undone. */
  readonly switched: boolean;
  readonly rowsLeft: boolean;
}

/** Undoes the copy in both databases. */
const undoCopy = async (world: World, { move, fence, leavesRows, signal }: Undoing): Promise<Undone> => {
  const { placements } = world.registry;
  const source = await placements.require(move.tenantId, move.sourcePlacement);
  const target = await placements.require(move.tenantId, move.targetPlacement ?? '');
  try {
    const { rowsLeft } = await abandonMove({
      source: await sideOf(world, source),
      target: await sideOf(world, target),
      move: { id: move.id, tenantId: move.tenantId, fence },
      leavesRows,
      signal,
    });
    return { switched: false, rowsLeft };
  } catch (error) {
    if (error instanceof StepFailure && error.name === 'MoveRefused') return { switched: true, rowsLeft: false };
    throw error;
  }
};

/**
 * Compensation: before the commit point the tenant is open at its old place and everything that the move made in both databases
 * is gone. Behind it nothing is undone. A repeat changes nothing.
 */
export const handler = step('AbandonMigration', contract, async (input, world, signal) => {
  const { operation, tenantId, moveId, leavesRows } = input;
  const { leases, moves, operations } = world.registry;
  const known = await operations.get(operation);
  if (known?.status === 'succeeded') {
    const stands = (known.outcome ?? {}) as Record<string, unknown>;
    return { switched: false, flipped: false, moveId: null, targetPlacementId: null, stands };
  }
  const move = moveId === undefined ? await moves.ofOperation(operation) : await moves.get(moveId);
  if (!move || move.dryRun || move.endedAt)
    return { switched: false, flipped: false, moveId: null, targetPlacementId: null };
  if (move.phase === 'switched' || move.phase === 'returned') {
    const returned = move.phase === 'returned';
    return { switched: true, flipped: true, returned, moveId: move.id, targetPlacementId: null };
  }
  const { fence } = await leases.hold({ tenantId, holder: operation, seconds: leaseSeconds });
  // A move that is only planned has touched no database yet: its place may not even be there. One whose rows stay never does.
  const untouched = move.phase === 'planned' || move.mode === 'switch';
  const { switched, rowsLeft } = untouched
    ? { switched: false, rowsLeft: false }
    : await undoCopy(world, { move, fence, leavesRows, signal });
  const targetPlacementId = switched ? null : move.targetPlacement;
  return { switched, flipped: false, moveId: move.id, targetPlacementId, rowsLeft };
});
