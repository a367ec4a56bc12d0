import type { Client } from 'pg';
import { rowsAt } from '../../adapters/registry/placements.ts';
import type { World } from '../../adapters/world.ts';

/** Seconds of the lease: longer than the longest step (StageRestore, 840 s) with the machine's pauses between two steps. */
export const leaseSeconds = 1_200;

/**
 * Runs `work` where the tenant's rows are, as the restore login. When the step runs out of time the connection is cut: an open
 * transaction can then never commit behind the machine's back.
 */
export const inTenantDatabase = async <Result>(
  world: World,
  tenantId: string,
  signal: AbortSignal,
  work: (client: Client) => Promise<Result>,
): Promise<Result> => {
  const client = await world.databases.connect(rowsAt(await world.registry.placements.require(tenantId)), 'restore');
  const cut = (): void => void client.end().catch(() => undefined);
  signal.addEventListener('abort', cut, { once: true });
  try {
    return await work(client);
  } finally {
    signal.removeEventListener('abort', cut);
    await client.end().catch(() => undefined);
  }
};
