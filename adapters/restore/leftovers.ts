import type { Recoveries, Recovery } from '../registry/recoveries.ts';
import type { Servers } from '../servers.ts';

/** Asks for the deletion of a recovery's temporary instance; one that was never made, or is on its way out, is done. */
export const removeInstance = async (
  world: { readonly servers: Servers; readonly registry: { readonly recoveries: Recoveries } },
  { operationId, instance, tenantId }: Recovery,
): Promise<void> => {
  await world.servers.remove({ instance, tenantId });
  await world.registry.recoveries.noteRemoved(operationId);
};
