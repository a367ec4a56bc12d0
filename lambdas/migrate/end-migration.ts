import * as z from 'zod';
import { commitOnce, endUnlessDone } from '../../adapters/registry/endings.ts';
import type { RegistryParts } from '../../adapters/registry/registry.ts';
import { failureOfTask } from '../../adapters/registry/task-failure.ts';
import type { World } from '../../adapters/world.ts';
import { describeFailure, failureSchema } from '../../domain/failure.ts';
import { describeMoveEnd } from '../../domain/move-end.ts';
import { step } from '../step.ts';
import { leaseSeconds } from './move-step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    tenantId: z.string(),
    moveId: z.string().nullish(),
    /** How the operation ended: the move is on its way, over, or was given up. */
    ending: z.enum(['switched', 'finished', 'abandoned', 'previewed', 'failed']),
    /** The place that was taken down, which is given back now. */
    releasedPlacementId: z.string().nullish(),
    stallMs: z.number().optional(),
    failure: failureSchema.optional(),
  }),
  output: z.record(z.string(), z.unknown()),
};

type Input = z.output<typeof contract.input>;

const outcomeOf = async ({ moves }: RegistryParts, input: Input): Promise<Record<string, unknown>> => {
  const { tenantId, moveId, stallMs } = input;
  const move = moveId ? await moves.require(moveId) : undefined;
  return {
    tenantId,
    ...(move && {
      moveId: move.id,
      from: describeMoveEnd(move.source),
      to: describeMoveEnd(move.target),
      phase: move.phase,
    }),
    ...(move?.windowUntil && { backUntil: move.windowUntil.toISOString() }),
    ...(stallMs === undefined ? {} : { stallMs }),
  };
};

/** Commit point of what an operation on a move came to: record, places, operation and lease change in one transaction. */
const settle = async (parts: RegistryParts, input: Input): Promise<Record<string, unknown>> => {
  const { operation, tenantId, moveId, ending, releasedPlacementId } = input;
  const { leases, moves, placements, operations } = parts;
  if (ending !== 'failed') await leases.hold({ tenantId, holder: operation, seconds: leaseSeconds });
  if (releasedPlacementId) await placements.release(tenantId, releasedPlacementId);
  if (moveId && ending === 'finished') await moves.end(moveId, 'finished');
  if (moveId && (ending === 'abandoned' || (ending === 'failed' && releasedPlacementId)))
    await moves.end(moveId, 'abandoned');
  const outcome = await outcomeOf(parts, input);
  if (ending !== 'failed') await operations.succeed(operation, outcome);
  await leases.release({ tenantId, holder: operation });
  return outcome;
};

const fail = async (world: World, input: Input): Promise<Record<string, unknown>> => {
  const { operation, tenantId } = input;
  const failure = input.failure ?? { step: '(unknown)', error: 'States.Runtime', cause: '' };
  const failed = describeFailure(await failureOfTask(world.registry, operation, failure));
  const known = tenantId === '(none)' ? undefined : tenantId;
  const end = (): Promise<void> =>
    world.registry.transaction(async (parts) => {
      await parts.operations.fail(operation, { ...failed, kind: 'migrate-tenant', tenantId: known });
      if (known !== undefined) await settle(parts, input);
    });
  return { ...failed, ...(await endUnlessDone(world.registry, operation, end)) };
};

/** Ends the operation, well or badly. A repeat answers the same. */
export const handler = step('EndMigration', contract, (input, world) =>
  input.ending === 'failed'
    ? fail(world, input)
    : commitOnce(world.registry, input.operation, () => world.registry.transaction((parts) => settle(parts, input))),
);
