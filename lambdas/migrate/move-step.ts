import * as z from 'zod';
import { type DatabasePlace, roleSecret } from '../../adapters/postgres/connection.ts';
import type { MoveRecord } from '../../adapters/registry/moves.ts';
import { type Placement, rowsAt } from '../../adapters/registry/placements.ts';
import type { MoveSide } from '../../adapters/replication/side.ts';
import type { World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';
import type { Move } from '../../domain/move.ts';

/** What every step of a move is told. */
export const moveStep = { operation: z.string(), tenantId: z.string(), moveId: z.string() };

/** Seconds of the lease: longer than the longest step (CutOver with its verification, 840 s) and the pauses between two. */
export const leaseSeconds = 1_200;

/** How the mover logs in to a database, and how the other end's server does. */
export const sideAt = async (world: World, place: DatabasePlace): Promise<MoveSide> => {
  const { username, password } = await world.secrets.credentials(roleSecret(place, 'replicate'));
  const { host, port, database } = place;
  return {
    connect: () => world.databases.connect(place, 'migrate'),
    conninfo: { host, port, database, username, password },
  };
};

export const sideOf = (world: World, placement: Placement): Promise<MoveSide> => sideAt(world, rowsAt(placement));

export interface Ends {
  readonly record: MoveRecord;
  readonly move: Move;
  readonly source: MoveSide;
  readonly target: MoveSide;
  readonly targetPlacement: Placement;
}

/** Holds the tenant's lease and opens both ends of its move. Throws MoveNotFound, TenantBusy, StaleOperation. */
export const openEnds = async (
  world: World,
  { operation, tenantId, moveId }: { operation: string; tenantId: string; moveId: string },
): Promise<Ends> => {
  const { leases, moves, placements } = world.registry;
  const { fence } = await leases.hold({ tenantId, holder: operation, seconds: leaseSeconds });
  const record = await moves.require(moveId);
  if (record.tenantId !== tenantId || record.targetPlacement === null)
    throw new StepFailure(
      'MoveNotFound',
      `move ${moveId} is of tenant ${record.tenantId}, not of ${tenantId}; check the id`,
    );
  const source = await placements.require(tenantId, record.sourcePlacement);
  const targetPlacement = await placements.require(tenantId, record.targetPlacement);
  return {
    record,
    move: { id: moveId, tenantId, fence },
    source: await sideOf(world, source),
    target: await sideOf(world, targetPlacement),
    targetPlacement,
  };
};
