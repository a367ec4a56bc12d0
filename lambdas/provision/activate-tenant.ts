import * as z from 'zod';
import { switchRoute } from '../../adapters/cluster/route.ts';
import { commitOnce } from '../../adapters/registry/endings.ts';
import type { RegistryParts } from '../../adapters/registry/registry.ts';
import type { Tenant } from '../../adapters/registry/tenants.ts';
import { hostOf, tenantUrl } from '../../domain/names.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({ operation: z.string(), tenantId: z.string() }),
  output: z.object({
    tenantId: z.string(),
    plan: z.string(),
    tier: z.string(),
    isolation: z.string(),
    cell: z.string(),
    url: z.string(),
  }),
};

const describe = async ({ placements, routes }: RegistryParts, { id, plan }: Tenant) => {
  const { cell, tier, isolation } = await placements.require(id);
  return { tenantId: id, plan, tier, isolation, cell: cell.id, url: tenantUrl(await routes.pattern(), id) };
};

/** Commit point of a signup: routes, status, operation and lease change in one transaction. A repeat answers the same. */
export const handler = step('ActivateTenant', contract, async ({ operation, tenantId }, world) => {
  const activate = async (registry: RegistryParts) => {
    const { leases, routes, domains, tenants, operations } = registry;
    await leases.hold({ tenantId, holder: operation, seconds: 60 });
    const tenant = await tenants.move(tenantId, { from: ['provisioning'], to: 'active', operation });
    const answer = await describe(registry, tenant);
    await routes.set({ tenantId, host: hostOf(answer.url), kind: 'subdomain', state: 'on' });
    if (tenant.customDomain) await domains.bring(tenantId, tenant.customDomain);
    await operations.succeed(operation, answer);
    await leases.release({ tenantId, holder: operation });
    return answer;
  };
  const place = await world.registry.placements.get(tenantId);
  // Before the commit point: what cannot be reached is not announced.
  if (place?.placedBy === operation) await switchRoute(world, { to: place });
  // A repeat must not fail: the machine would take the placement of a live tenant down.
  return commitOnce(world.registry, operation, () => world.registry.transaction(activate));
});
