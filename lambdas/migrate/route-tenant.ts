import { Logger } from '@aws-lambda-powertools/logger';
import * as z from 'zod';
import { prepareRouteSwitch } from '../../adapters/cluster/route.ts';
import type { MoveRecord } from '../../adapters/registry/moves.ts';
import type { World } from '../../adapters/world.ts';
import { step } from '../step.ts';
import { leaseSeconds, moveStep } from './move-step.ts';

const contract = { input: z.object(moveStep), output: z.object({ tier: z.string() }) };

const logger = new Logger({ serviceName: 'tenantry' });

/** The route of a tenant that is about to move, ready to be switched: nobody waits for a handshake behind the commit point. */
export interface ReadyRoute {
  /** Never fails: the state RouteTenant, which follows, does it again. */
  tryNow(): Promise<void>;
}

const endsOf = async ({ registry }: World, move: MoveRecord, direction: 'out' | 'back') => {
  const source = await registry.placements.get(move.tenantId, move.sourcePlacement);
  const target = await registry.placements.get(move.tenantId, move.targetPlacement ?? '');
  return direction === 'out' ? { from: source, to: target } : { from: target, to: source };
};

const later = (move: MoveRecord, error: unknown): void =>
  logger.warn('route not switched at once', { move: move.id, error: String(error) });

/** A cluster that cannot be reached does not keep the tenant from moving: both apps find the rows. */
export const prepareRoute = async (world: World, move: MoveRecord, direction: 'out' | 'back'): Promise<ReadyRoute> => {
  try {
    const route = await prepareRouteSwitch(world, await endsOf(world, move, direction));
    return { tryNow: () => route.go().catch((error: unknown) => later(move, error)) };
  } catch (error) {
    later(move, error);
    return { tryNow: () => Promise.resolve() };
  }
};

/** Leads the tenant's hosts to where it is by the record of its move; a repeat changes nothing. Throws ClusterUnavailable. */
export const routeByRecord = async (world: World, move: MoveRecord): Promise<void> => {
  if (move.phase !== 'switched' && move.phase !== 'returned') return;
  const ends = await endsOf(world, move, move.phase === 'switched' ? 'out' : 'back');
  await (await prepareRouteSwitch(world, ends)).go();
};

/** Makes sure that the route leads where the tenant is; as a rule the step before has switched it already. */
export const handler = step('RouteTenant', contract, async ({ operation, tenantId, moveId }, world) => {
  const { leases, moves, placements } = world.registry;
  await leases.hold({ tenantId, holder: operation, seconds: leaseSeconds });
  await routeByRecord(world, await moves.require(moveId));
  return { tier: (await placements.require(tenantId)).tier };
});
