import { inTurns } from './cells.ts';
import type { Stage } from './stage.ts';

/** Tenants as the machine makes them, with the rows that the app's own hook gives each. */
export const provision = (
  stage: Stage,
  tenantIds: readonly string[],
  tier: 'shared' | 'namespace' = 'shared',
): Promise<void> =>
  inTurns(tenantIds, async (tenantId) => {
    const { status, cause } = await stage.laptop.run('provision-tenant', { tenantId, plan: 'starter', tier });
    if (status !== 'SUCCEEDED') throw new Error(`${tenantId} could not be provisioned: ${cause}`);
  });

/** One archive of each, under one snapshot. */
export const backUp = async (stage: Stage, tenantIds: readonly string[]): Promise<void> => {
  if (tenantIds.length === 0) return;
  const { status, cause } = await stage.laptop.run('back-up-fleet', { tenantIds });
  if (status !== 'SUCCEEDED') throw new Error(`the tenants could not be backed up: ${cause}`);
};

/** As the superuser in replica mode: damage that no trigger of ours sees. */
export const damage = async (stage: Stage, tenantIds: readonly string[]): Promise<void> => {
  const client = await stage.pool.connect();
  try {
    await client.query('SET session_replication_role = replica');
    await client.query("UPDATE realms SET name = 'lost' WHERE tenant_id = ANY ($1)", [tenantIds]);
    await client.query('DELETE FROM streams WHERE tenant_id = ANY ($1)', [tenantIds]);
  } finally {
    client.release(true);
  }
};
