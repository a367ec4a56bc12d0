import * as z from 'zod';
import { commitOnce } from '../../adapters/registry/endings.ts';
import type { RegistryParts } from '../../adapters/registry/registry.ts';
import { reservedDays } from '../../domain/tenant.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({ operation: z.string(), tenantId: z.string() }),
  output: z.object({}),
};

/** Commit point of an offboarding: what people told about themselves leaves the registry, the slug stays reserved. */
export const handler = step('EraseTenant', contract, async ({ operation, tenantId }, world) => {
  const reservedUntil = new Date(world.now().getTime() + reservedDays * 86_400_000);
  const erase = async ({ leases, tenants, placements, routes, domains, operations }: RegistryParts): Promise<void> => {
    await leases.hold({ tenantId, holder: operation, seconds: 60 });
    await routes.remove(tenantId);
    await domains.remove(tenantId);
    await placements.release(tenantId);
    await operations.succeed(operation, { tenantId, reservedUntil });
    await tenants.erase(tenantId, reservedUntil);
    await leases.release({ tenantId, holder: operation });
  };
  await commitOnce(world.registry, operation, () => world.registry.transaction(erase));
  return {};
});
