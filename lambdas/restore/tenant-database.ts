import type { Client } from 'pg';
import { onClient } from '../../adapters/postgres/client-work.ts';
import { rowsAt } from '../../adapters/registry/placements.ts';
import type { World } from '../../adapters/world.ts';

/** Seconds of the lease: longer than the longest step (StageRestore, 840 s) with the machine's pauses between two steps. */
export const leaseSeconds = 1_200;

/** Runs `work` where the tenant's rows are, as the restore login; cut when the step runs out of time. */
export const inTenantDatabase = async <Result>(
  { registry, databases }: World,
  tenantId: string,
  signal: AbortSignal,
  work: (client: Client) => Promise<Result>,
): Promise<Result> => {
  const place = rowsAt(await registry.placements.require(tenantId));
  return onClient(() => databases.connect(place, 'restore'), signal, work);
};
