import * as z from 'zod';
import type { MoveRecord } from '../../adapters/registry/moves.ts';
import type { RegistryParts } from '../../adapters/registry/registry.ts';
import { type CutOver, cutOver } from '../../adapters/replication/cut-over.ts';
import { freezeMove } from '../../adapters/replication/freeze.ts';
import { startWayBack } from '../../adapters/replication/way-back.ts';
import type { World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';
import { step } from '../step.ts';
import { type Ends, leaseSeconds, moveStep, openEnds } from './move-step.ts';
import { prepareRoute } from './route-tenant.ts';

const contract = {
  input: z.object({
    ...moveStep,
    /** Where the comparison takes hours: starts the way back before it, so that no log piles up for it meanwhile. */
    startsWayBack: z.boolean().default(false),
  }),
  output: z.object({
    stallMs: z.number(),
    /** False when a repeat went on behind the commit point: the snapshot of the first attempt is lost, VerifyCopy compares. */
    verified: z.boolean(),
    backUntil: z.string(),
  }),
};

/** Milliseconds that writers waited, as the attempt noted them that had the fence. */
const stallOf = ({ cutOver: timings }: MoveRecord): number | undefined => (timings as { stall?: number } | null)?.stall;

/**
 * Runs a cut-over, and once more when another attempt of the same step was at work as well and came first: the repeat goes on
 * behind its commit point. An operation that really is too old is refused again.
 */
export const asOneAttempt = async (run: () => Promise<CutOver>): Promise<CutOver> => {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof StepFailure) || (error.name !== 'StaleOperation' && error.name !== 'MoveRefused'))
      throw error;
    return run();
  }
};

/** Switches the route and notes the way back, in one transaction of the registry: apps that ask again find the new place. */
export const flipTo = (
  world: World,
  { record, move }: Pick<Ends, 'record' | 'move'>,
  { operation, placementId, phase }: { operation: string; placementId: string; phase: 'switched' | 'returned' },
): Promise<void> =>
  world.registry.transaction(async ({ leases, placements, moves }: RegistryParts) => {
    await leases.hold({ tenantId: move.tenantId, holder: operation, seconds: leaseSeconds });
    await placements.activate(move.tenantId, placementId);
    const windowUntil =
      phase === 'switched' ? new Date(world.now().getTime() + record.windowSeconds * 1_000) : undefined;
    await moves.note(move.id, { phase, ...(windowUntil ? { windowUntil } : {}) });
  });

/**
 * The commit point: from fence to open in this one call, because two states and an invocation cost more than the stall itself
 * may (research/postgres.md 0.8). Then the exact comparison, while nobody waits; VerifyCopy judges it. A repeat after the
 * commit point only goes on.
 */
export const handler = step('CutOver', contract, async (input, world, signal) => {
  const ends = await openEnds(world, input);
  const { record, move, source, target, targetPlacement } = ends;
  const route = await prepareRoute(world, record, 'out');
  const flip = async (): Promise<void> => {
    await flipTo(world, ends, { operation: input.operation, placementId: targetPlacement.id, phase: 'switched' });
    await route.tryNow();
  };
  // Where it fails the comparison goes on all the same: StartWayBack does it again.
  const startWay = (): Promise<void> => startWayBack({ source, target, move }).catch(() => undefined);
  const held = input.startsWayBack && record.mode === 'live' ? startWay : undefined;
  const run = record.mode === 'live' ? cutOver : freezeMove;
  const { stallMs, timings, verification } = await asOneAttempt(() =>
    run({ source, target, move, flip, held, signal }),
  );
  const noted = await world.registry.moves.note(move.id, {
    ...(timings ? { cutOver: { ...timings, stall: stallMs } } : {}),
    ...(verification ? { verification } : {}),
  });
  return {
    stallMs: stallOf(noted) ?? stallMs,
    verified: noted.verification !== null,
    backUntil: (noted.windowUntil ?? world.now()).toISOString(),
  };
});
