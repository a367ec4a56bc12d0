import type { Client } from 'pg';
import { onClient } from '../postgres/client-work.ts';
import type { Databases } from '../postgres/connection.ts';
import { rowsAt } from '../registry/placements.ts';
import type { Registry } from '../registry/registry.ts';

/** Seconds of the lease of a restore: longer than its longest step (840 s) with the machine's pauses between two steps. */
export const leaseSeconds = 1_200;

interface Places {
  readonly registry: Pick<Registry, 'placements'>;
  readonly databases: Pick<Databases, 'connect'>;
}

/** Runs `work` where the tenant's rows are, or will be, as the restore login; cut when the step runs out of time. */
export const inTenantDatabase = async <Result>(
  { registry, databases }: Places,
  tenantId: string,
  signal: AbortSignal,
  work: (client: Client) => Promise<Result>,
): Promise<Result> => {
  const place = rowsAt(await registry.placements.require(tenantId));
  return onClient(() => databases.connect(place, 'restore'), signal, work);
};
