import type { Client } from 'pg';
import type { World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';

/** Seconds of the lease: longer than the longest step (StageRestore, 840 s) with the machine's pauses between two steps. */
export const leaseSeconds = 1_200;

/**
 * Runs `work` on the tenant's pooled database as the restore login. When the step runs out of time the connection is cut:
 * an open transaction can then never commit behind the machine's back. Throws RestoreRefused for other isolations.
 */
export const inTenantDatabase = async <Result>(
  world: World,
  tenantId: string,
  signal: AbortSignal,
  work: (client: Client) => Promise<Result>,
): Promise<Result> => {
  const { cell, isolation } = await world.registry.placements.require(tenantId);
  if (isolation !== 'pooled')
    throw new StepFailure(
      'RestoreRefused',
      `tenant ${tenantId} has isolation ${isolation}; restore-tenant serves pooled tenants, use pg_restore on the archive`,
    );
  const client = await world.databases.connect(cell, 'restore');
  const cut = (): void => void client.end().catch(() => undefined);
  signal.addEventListener('abort', cut, { once: true });
  try {
    return await work(client);
  } finally {
    signal.removeEventListener('abort', cut);
    await client.end().catch(() => undefined);
  }
};
