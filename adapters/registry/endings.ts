import type { OperationFailure } from './operations.ts';
import type { Registry, RegistryParts } from './registry.ts';

/** An operation that ends badly, and the tenant it was for. */
export type Ending = Omit<OperationFailure, 'kind'> & { readonly operation: string };

/** What becomes of the tenant of a signup that failed; inside the transaction that ends the operation. */
export const settleProvisioning = async (
  { tenants, leases }: RegistryParts,
  { operation, tenantId }: Ending,
  released: boolean,
): Promise<void> => {
  if (tenantId === undefined) return;
  const tenant = await tenants.get(tenantId);
  if (tenant?.claimedBy === operation && tenant.status === 'provisioning') {
    if (released) await tenants.drop(tenantId, operation);
    else await tenants.move(tenantId, { from: ['provisioning'], to: 'failed', operation });
  }
  await leases.release({ tenantId, holder: operation });
};

/**
 * Ends a signup that failed: where this operation made the claim, the slug, the capacity and the routes are free again.
 * Where its placement could not be taken down (`released` false) the tenant stays, status `failed`, and keeps its slug:
 * rows of the first customer must not meet a second one. Safe to repeat; StaleOperation when the signup has succeeded.
 */
export const endProvisioning = (registry: Registry, ending: Ending, released: boolean): Promise<void> =>
  registry.transaction(async (parts) => {
    await parts.operations.fail(ending.operation, { ...ending, kind: 'provision-tenant' });
    await settleProvisioning(parts, ending, released);
  });

/** What becomes of the tenant of an offboarding that failed; inside the transaction that ends the operation. */
export const settleOffboarding = async (
  { tenants, leases, routes, journal }: RegistryParts,
  { operation, tenantId }: Ending,
): Promise<void> => {
  if (tenantId === undefined) return;
  const tenant = await tenants.get(tenantId);
  if (tenant?.changedBy === operation && tenant.status === 'deprovisioning') {
    const touched = (await journal.list(operation)).some(({ step }) => step === 'ReleaseDatabase');
    const before =
      tenant.previousStatus === 'suspended' || tenant.previousStatus === 'failed' ? tenant.previousStatus : 'active';
    const to = touched ? 'failed' : before;
    await tenants.move(tenantId, { from: ['deprovisioning'], to, operation });
    if (to === 'active') await routes.turn(tenantId, 'on');
  }
  await leases.release({ tenantId, holder: operation });
};

/**
 * Ends an offboarding that failed. A tenant whose rows are still there is again what it was before, and reachable when that
 * was active; one whose rows were touched is `failed` and stays off. A tenant that another operation moved is left alone.
 * Safe to repeat; StaleOperation when the offboarding has succeeded.
 */
export const endOffboarding = (registry: Registry, ending: Ending): Promise<void> =>
  registry.transaction(async (parts) => {
    await parts.operations.fail(ending.operation, { ...ending, kind: 'deprovision-tenant' });
    await settleOffboarding(parts, ending);
  });
