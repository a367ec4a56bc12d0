import type { OperationFailure } from './operations.ts';
import type { Registry } from './registry.ts';

/** An operation that ends badly, and the tenant it was for. */
export type Ending = Omit<OperationFailure, 'kind'> & { readonly operation: string };

/**
 * Ends a signup that failed: where this operation made the claim, the slug, the capacity and the routes are free again.
 * Where its placement could not be taken down (`released` false) the tenant stays, status `failed`, and keeps its slug:
 * rows of the first customer must not meet a second one. Safe to repeat; StaleOperation when the signup has succeeded.
 */
export const endProvisioning = (
  registry: Registry,
  { operation, ...failure }: Ending,
  released: boolean,
): Promise<void> =>
  registry.transaction(async ({ operations, tenants, leases }) => {
    await operations.fail(operation, { ...failure, kind: 'provision-tenant' });
    const { tenantId } = failure;
    if (tenantId === undefined) return;
    const tenant = await tenants.get(tenantId);
    if (tenant?.claimedBy === operation && tenant.status === 'provisioning') {
      if (released) await tenants.drop(tenantId, operation);
      else await tenants.move(tenantId, { from: ['provisioning'], to: 'failed', operation });
    }
    await leases.release({ tenantId, holder: operation });
  });

/**
 * Ends an offboarding that failed. A tenant whose rows are still there is active again and reachable; one whose rows were
 * touched is `failed` and stays off. A tenant that another operation moved is left alone. Safe to repeat; StaleOperation
 * when the offboarding has succeeded.
 */
export const endOffboarding = (registry: Registry, { operation, ...failure }: Ending): Promise<void> =>
  registry.transaction(async ({ operations, tenants, leases, routes, journal }) => {
    await operations.fail(operation, { ...failure, kind: 'deprovision-tenant' });
    const { tenantId } = failure;
    if (tenantId === undefined) return;
    const tenant = await tenants.get(tenantId);
    if (tenant?.changedBy === operation && tenant.status === 'deprovisioning') {
      const touched = (await journal.list(operation)).some(({ step }) => step === 'ReleaseDatabase');
      await tenants.move(tenantId, { from: ['deprovisioning'], to: touched ? 'failed' : 'active', operation });
      if (!touched) await routes.turn(tenantId, 'on');
    }
    await leases.release({ tenantId, holder: operation });
  });
