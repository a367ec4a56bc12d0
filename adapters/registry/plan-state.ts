import type { PlanState } from '../../domain/plan-change.ts';
import type { Ending } from './endings.ts';
import type { RegistryParts } from './registry.ts';

type Told = Pick<PlanState, 'plan' | 'users' | 'compliance' | 'customDomain'>;

/** Writes what a tenant has bought and told; the route of its domain goes, that of a new one waits for its proof. Throws TenantExists for a foreign domain. */
export const writePlan = async (
  { tenants, routes, domains }: RegistryParts,
  tenantId: string,
  { plan, users, compliance, customDomain }: Told,
): Promise<void> => {
  const before = await tenants.require(tenantId);
  await tenants.changePlan(tenantId, { plan, users, compliance, customDomain });
  if (before.customDomain === customDomain) return;
  if (before.customDomain) await routes.drop(tenantId, before.customDomain);
  if (customDomain) await domains.bring(tenantId, customDomain);
};

/** What becomes of a change of plan that failed, inside the transaction that ends the operation: the old plan is there again. */
export const settlePlanChange = async (parts: RegistryParts, { operation }: Ending): Promise<void> => {
  const change = await parts.planChanges.get(operation);
  if (change?.status === 'running' && change.previous) await writePlan(parts, change.tenantId, change.previous);
  await parts.planChanges.end(operation, 'failed');
};
