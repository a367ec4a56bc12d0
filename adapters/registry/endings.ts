import { StepFailure } from '../../domain/errors.ts';
import type { OperationFailure } from './operations.ts';
import type { Registry, RegistryParts } from './registry.ts';

/** An operation that ends badly, and the tenant it was for. */
export type Ending = Omit<OperationFailure, 'kind'> & { readonly operation: string };

/** Outcome of the operation when it has succeeded and `error` is the refusal that follows from it; else throws the error. */
const outcomeBehind = async (registry: Registry, operation: string, error: unknown): Promise<unknown> => {
  if (!(error instanceof StepFailure) || error.name !== 'StaleOperation') throw error;
  const known = await registry.operations.get(operation);
  if (known?.status !== 'succeeded') throw error;
  return known.outcome;
};

/**
 * Runs the commit of an operation, whose outcome it records as it answers it. Where another attempt has committed, before or
 * meanwhile, the recorded outcome is the answer: an error would make the machine compensate for what stands.
 */
export const commitOnce = async <Outcome>(
  registry: Registry,
  operation: string,
  commit: () => Promise<Outcome>,
): Promise<Outcome> => {
  const known = await registry.operations.get(operation);
  if (known?.status === 'succeeded') return known.outcome as Outcome;
  try {
    return await commit();
  } catch (error) {
    return (await outcomeBehind(registry, operation, error)) as Outcome;
  }
};

/** Ends an operation badly, or answers as `stands` the outcome of one that had succeeded before anybody heard of it. */
export const endUnlessDone = async (
  registry: Registry,
  operation: string,
  end: () => Promise<void>,
): Promise<{ stands?: Record<string, unknown> }> => {
  try {
    await end();
    return {};
  } catch (error) {
    return { stands: ((await outcomeBehind(registry, operation, error)) ?? {}) as Record<string, unknown> };
  }
};

/** What becomes of the tenant of a signup that failed; inside the transaction that ends the operation. */
export const settleProvisioning = async (
  { tenants, placements, leases }: RegistryParts,
  { operation, tenantId }: Ending,
  released: boolean,
): Promise<void> => {
  if (tenantId === undefined) return;
  const tenant = await tenants.get(tenantId);
  if (tenant?.claimedBy === operation && tenant.status === 'provisioning') {
    if (released) {
      await placements.release(tenantId);
      await tenants.drop(tenantId, operation);
    } else await tenants.move(tenantId, { from: ['provisioning'], to: 'failed', operation });
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
    // An app of its own is taken down before the rows are: a tenant without it is not active, whatever rows it has.
    const damaging = tenant.tier === 'shared' ? ['ReleaseDatabase'] : ['RemoveWorkload', 'ReleaseDatabase'];
    const touched = (await journal.list(operation)).some(({ step }) => damaging.includes(step));
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
 * was active; one whose rows or whose own app were touched is `failed` and stays off. A tenant that another operation moved is left alone.
 * Safe to repeat; StaleOperation when the offboarding has succeeded.
 */
export const endOffboarding = (registry: Registry, ending: Ending): Promise<void> =>
  registry.transaction(async (parts) => {
    await parts.operations.fail(ending.operation, { ...ending, kind: 'deprovision-tenant' });
    await settleOffboarding(parts, ending);
  });
