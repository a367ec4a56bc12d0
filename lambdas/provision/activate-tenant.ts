import { z } from 'zod';
import { commitOnce } from '../../adapters/registry/endings.ts';
import type { RegistryParts } from '../../adapters/registry/registry.ts';
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

const describe = async ({ tenants, placements, routes }: RegistryParts, tenantId: string) => {
  const [tenant, { cell, tier, isolation }] = [await tenants.require(tenantId), await placements.require(tenantId)];
  const url = tenantUrl(await routes.pattern(), tenantId);
  return { tenant, answer: { tenantId, plan: tenant.plan, tier, isolation, cell: cell.id, url } };
};

/** Commit point of a signup: routes, status, operation and lease change in one transaction. A repeat answers the same. */
export const handler = step('ActivateTenant', contract, ({ operation, tenantId }, world) => {
  const activate = async (registry: RegistryParts) => {
    const { leases, routes, tenants, operations } = registry;
    await leases.hold({ tenantId, holder: operation, seconds: 60 });
    await tenants.move(tenantId, { from: ['provisioning'], to: 'active', operation });
    const { tenant, answer } = await describe(registry, tenantId);
    const route = { tenantId, state: 'on' } as const;
    await routes.set({ ...route, host: hostOf(answer.url), kind: 'subdomain' });
    if (tenant.customDomain) await routes.set({ ...route, host: tenant.customDomain, kind: 'custom' });
    await operations.succeed(operation, answer);
    await leases.release({ tenantId, holder: operation });
    return answer;
  };
  // A repeat must not fail: the machine would take the placement of a live tenant down.
  return commitOnce(world.registry, operation, () => world.registry.transaction(activate));
});
