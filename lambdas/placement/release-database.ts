import { z } from 'zod';
import { releaseTenant } from '../../adapters/pool/release.ts';
import type { DatabasePlace } from '../../adapters/postgres/connection.ts';
import { dropSchemas } from '../../adapters/restore/layout.ts';
import type { World } from '../../adapters/world.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({ operation: z.string(), tenantId: z.string(), holder: z.string().optional() }),
  output: z.object({ rows: z.int().nonnegative() }),
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
 * goes on from there. A tenant without a place, or without a row in it, is done already.
 */
export const handler = step(
  'ReleaseDatabase',
  contract,
  async ({ operation, tenantId, holder = operation }, world, signal) => {
    // As long as the step may run: a lease that ran out would let another operation in between two batches.
    const { fence } = await world.registry.leases.hold({ tenantId, holder, seconds: 330 });
    const placement = await world.registry.placements.get(tenantId);
    if (!placement) return { rows: 0 };
    await dropRestores(world, tenantId, placement.cell);
    const client = await world.databases.connect(placement.cell, 'provision');
    try {
      return { rows: await releaseTenant(client, { tenantId, fence, signal }) };
    } finally {
      await client.end();
    }
  },
);
