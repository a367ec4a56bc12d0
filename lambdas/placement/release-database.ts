import * as z from 'zod';
import { releaseTenant } from '../../adapters/pool/release.ts';
import type { DatabasePlace } from '../../adapters/postgres/connection.ts';
import { dropSchemas } from '../../adapters/restore/layout.ts';
import type { World } from '../../adapters/world.ts';
import { isolations } from '../../domain/placement.ts';
import { step } from '../step.ts';
import { placementStep } from './placement-step.ts';

const contract = {
  input: z.object(placementStep),
  /** The isolation tells the machine what else there is to take down. */
  output: z.object({
    rows: z.int().nonnegative(),
    isolation: z.enum(isolations),
    /** Another place of the tenant uses them: database and server stay as well. */
    rowsStay: z.boolean(),
  }),
};

/** Copies and undo schemas of the tenant's restores hold its rows too; they belong to the login that restores. */
const dropRestores = async (world: World, tenantId: string, place: DatabasePlace): Promise<void> => {
  const schemas = await world.registry.restores.schemasOf(tenantId);
  if (schemas.length === 0) return;
  const client = await world.databases.connect(place, 'restore');
  try {
    await dropSchemas(client, schemas);
  } finally {
    await client.end();
  }
};

/**
 * Deletes every row of the tenant in its pool. When time runs out it has stopped between two batches, and the machine's retry
 * goes on from there. Rows that another place of the tenant uses stay. A tenant without a place, or without a row in it, is done already; a database of its own is dropped whole
 * by the step that follows.
 */
export const handler = step('ReleaseDatabase', contract, async (input, world, signal) => {
  const { operation, tenantId, holder = operation, placementId } = input;
  // As long as the step may run: a lease that ran out would let another operation in between two batches.
  const { fence } = await world.registry.leases.hold({ tenantId, holder, seconds: 330 });
  const placement = await world.registry.placements.get(tenantId, placementId);
  if (!placement) return { rows: 0, isolation: 'pooled' as const, rowsStay: false };
  const { isolation, cell } = placement;
  const { rows: rowsStay } = await world.registry.placements.sharedParts(placement);
  if (rowsStay || isolation !== 'pooled') return { rows: 0, isolation, rowsStay };
  await dropRestores(world, tenantId, cell);
  const client = await world.databases.connect(cell, 'provision');
  try {
    return { rows: await releaseTenant(client, { tenantId, fence, signal }), isolation, rowsStay };
  } finally {
    await client.end();
  }
});
